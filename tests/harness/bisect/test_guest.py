# SPDX-License-Identifier: MIT
"""A fault of one point release that a later one does not have, as `hil bisect` asks about it."""

from pathlib import Path

import pytest
from rich.console import Console

from harness.bisect.asking import Asker
from harness.bisect.behaviour import contrast
from harness.bisect.candidates import between
from harness.lane import Engine
from harness.named import named
from harness.run.watch import Plain
from hil.arch import architecture

pytestmark = pytest.mark.guest


def test_the_interpreters_signed_division_was_mended(tmp_path: Path) -> None:
    """c77b30bd1dcb, bpf: Fix undefined behavior in interpreter sdiv/smod for INT_MIN; not in 6.12.43, in 6.12.118.
    The only kernel that this fetches is the older one."""
    points = between("debian-12@6.12.43", "debian-13", architecture("x86_64")).points
    script = named("ISA-57.least32", "x86_64", "6.12")[1]
    asker = Asker(lambda _: script, Engine.INTERP, 1, afresh=True)
    watch = Plain(Console(quiet=True))
    (before, _), (after, _) = (asker.ask(point, tmp_path, watch) for point in (points[0], points[-1]))
    assert before.behaviour is not None and after.behaviour is not None, (before, after)
    found = contrast(before.behaviour, after.behaviour)
    assert found is not None
    assert (found.before, found.after) == ("data 0000004000000000", "data 000000c000000000")
    assert before.verdict.startswith("diverge") and after.verdict == "agree"
    assert asker.known(points[0]) is None, "who asks afresh does not look at what was kept"
    kept = Asker(lambda _: script, Engine.INTERP, 1, afresh=False)
    assert [kept.known(point) for point in (points[0], points[-1])] == [before, after]
