# SPDX-License-Identifier: MIT
"""A gdb with the commands for BPF, whose terminal is a test: what each command printed, without what differs from boot
to boot."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.debug.debuggee import Debuggee
from harness.debug.interactive import stopped
from harness.debug.subject import Subject
from harness.run.results import ScriptResult
from harness.script.operations import Script
from hil.gdb.command import interactive_command
from hil.machine.tied import tied

_MARK = "### "
_ADDRESS = re.compile(r"0xff[0-9a-f]{14}\b")
_NATIVE = re.compile(r"(^ +ADDRESS: .*\n?)+", re.MULTILINE)
_SIZES = re.compile(r"\b\d+ bytes$", re.MULTILINE)
_LONG = re.compile(r"\b\d{18,}\b")
_OFFSET = re.compile(r"(is at \w+)\+\d+")
_PROMPT = "(gdb) "


def ran(
    debuggee: Debuggee, script: Script, symbol: str, commands: Sequence[str], folder: Path
) -> tuple[dict[str, str], ScriptResult]:
    """Returns what gdb printed for each command, and the verdict on the script."""
    typed = "".join(f"echo {_MARK}{command}\\n\n{command}\n" for command in commands)
    machine = debuggee.machine
    with stopped(debuggee, Subject(script), symbol, folder) as begun:
        command = interactive_command(
            machine.arch, machine.gdb_socket, debuggee.for_gdb, (symbol,), scripts=[begun.loader]
        )
        done = subprocess.run(
            tied(command), input=typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
        )
        seen = begun.go_on()
    said = {}
    for part in done.stdout.split(_MARK)[1:]:
        name, _, text = part.partition("\n")
        said[name] = steady(text)
    return said, debuggee.judge(seen)


def steady(text: str) -> str:
    """Returns it without addresses, native code, sizes of images and offsets in functions, which differ between boots
    and kernels."""
    text = _ADDRESS.sub("ADDRESS", text).replace(_PROMPT, "")
    text = _OFFSET.sub(r"\1+N", _LONG.sub("NUMBER", text))
    return _SIZES.sub("N bytes", _NATIVE.sub("           native code\n", text)).strip("\n") + "\n"
