# SPDX-License-Identifier: MIT
"""The end of a console log, for display."""

from __future__ import annotations

import re
from pathlib import Path

LINES = 40
_BYTES = 32768
_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-_])")  # ECMA-48: control sequences, and what firmware sends of them
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def tail(path: Path) -> str:
    """Returns the last lines of a console log without control sequences; empty when there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    text = _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n")))
    return "\n".join(line.rstrip() for line in text.splitlines()[-LINES:]).strip("\n")
