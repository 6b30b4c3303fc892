# SPDX-License-Identifier: MIT
"""Parses lines of GDB/MI into records, by pygdbmi.

The interface: https://sourceware.org/gdb/current/onlinedocs/gdb.html/GDB_002fMI.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pygdbmi import gdbmiparser


@dataclass(frozen=True)
class Record:
    """One line of output. `kind` is "result" (of the command with `token`), "notify" (`*stopped`, `=...`) or the name
    of a stream; `message` is "done", "error", "stopped", ...; `payload` is its tuple as a dict, or a stream's text."""

    kind: str
    message: str
    token: int | None
    payload: Any

    @property
    def values(self) -> Mapping[str, Any]:
        """The payload of a result or notification; empty when it has none."""
        return self.payload if isinstance(self.payload, dict) else {}


def parse(line: str) -> Record | None:
    """The record of a line; None for the prompt and for empty lines."""
    if not line.strip() or gdbmiparser.response_is_finished(line):
        return None
    found = gdbmiparser.parse_response(line)
    return Record(str(found["type"]), str(found.get("message") or ""), found.get("token"), found["payload"])


def quoted(text: str) -> str:
    """`text` as a C string, for a parameter of an MI command."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
