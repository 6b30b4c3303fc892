# SPDX-License-Identifier: MIT
"""The plan of a run, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from harness.run.choice import Choice
from harness.run.plan import Share


def list_plan(console: Console, plan: Sequence[Share]) -> None:
    """Prints every lane, and every script with what it shows."""
    for share in plan:
        for lane in share.lanes:
            console.print(str(lane), highlight=False)
    for name, sentence in {script.name: script.sentence for share in plan for script in share.scripts}.items():
        console.print(f"  {name}: {sentence}", highlight=False, soft_wrap=True)


def print_left_out(console: Console, chosen: Choice[Any]) -> None:
    """Names the lanes that none of the chosen scripts is for, so that nobody takes them for run."""
    for lane in chosen.without:
        console.print(f"{lane}: left out, none of the chosen scripts is for it", highlight=False, soft_wrap=True)
