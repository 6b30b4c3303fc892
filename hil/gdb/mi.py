# SPDX-License-Identifier: MIT
"""Lines of GDB/MI as records; the parsing is pygdbmi's.

The language: https://sourceware.org/gdb/current/onlinedocs/gdb.html/GDB_002fMI.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pygdbmi import gdbmiparser


@dataclass(frozen=True)
class Record:
    """One line. `kind` is "result" (of the command with `token`), "notify" (`*stopped`, `=...`) or a stream's name;
    `message` is "done", "error", "stopped", ...; `payload` what comes with it: a tuple as dict, or a stream's text."""

    kind: str
    message: str
    token: int | None
    payload: Any

    @property
    def values(self) -> Mapping[str, Any]:
        """The payload of a result or notification; empty when it has none."""
        return self.payload if isinstance(self.payload, dict) else {}


def parse(line: str) -> Record | None:
    """The record in a line; None for the prompt and empty lines."""
    if not line.strip() or gdbmiparser.response_is_finished(line):
        return None
    found = gdbmiparser.parse_response(line)
    return Record(str(found["type"]), str(found.get("message") or ""), found.get("token"), found["payload"])


def quoted(text: str) -> str:
    """A parameter of an MI command as a C string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
