# SPDX-License-Identifier: MIT
"""The pages of the reference that are written from the code whenever the site is built."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import FunctionType
from typing import Any, get_args, get_type_hints

import click

from harness import testing
from harness.abi.pt_regs import LAYOUTS, PtRegs
from harness.isa import assemble as asm
from harness.isa import notation
from harness.isa import text as assembler_text
from harness.run.results import RunReport
from harness.script.operations import Operation
from harness.script.triggers import TRIGGERS
from hil.cli import CONTEXT, hil

WIDTH = 80
"""Columns of a command's help."""


def commands() -> Iterator[str]:
    """The help of every command."""
    yield from ("# Command line", "", "This page is written from the commands themselves.", "")
    yield from (
        "Exit status: 0 as predicted, 1 a divergence, 2 wrong usage, 3 the bench or a machine failed; 128 plus the",
        "number of the signal that ended it. Commands of which it is another say so.",
    )
    context = click.Context(hil, info_name="hil", terminal_width=WIDTH, max_content_width=WIDTH, **_help())
    yield from _command(hil, context, level=2)


def _help() -> dict[str, Any]:
    return {"help_option_names": CONTEXT["help_option_names"]}


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} {context.command_path}", "", "```", *_plain(command.get_help(context)), "```")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if inner := command.get_command(context, name):
                yield from _command(inner, click.Context(inner, parent=context, info_name=name), min(level + 1, 3))


def _plain(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def operations() -> Iterator[str]:
    """Operations, triggers, pieces of scripts, and the assembler."""
    yield from (
        "# Operations and triggers",
        "",
        "This page is written from the code. All of it is imported from `harness.testing`; operations",
        "are in `op`, instructions in `asm`. An operation that makes something names it, and later ones refer to it by",
        "`op.Ref`.",
        "",
        "## Operations",
    )
    for one in get_args(Operation):
        yield from ("", f"### {one.__name__}", "", *_fields(one), *_doc(one))
    yield from ("", "## Triggers", "", "Functions that a script can reach on every kernel, by `op.Trigger`.")
    yield from ('`op.Trigger("write_null", (0, 5))` has buf 0 and count 5.', "")
    yield from _table(
        ("trigger", "arguments", "what reaches the probed function", "system call", "fails with"),
        (
            (name, ", ".join(path.chosen), f"`{path.reached}`", path.system_call, path.errno or "")
            for name, path in TRIGGERS.items()
        ),
    )
    yield from ("", "## Pieces of scripts")
    for name in testing.__all__:
        if isinstance(one := getattr(testing, name), FunctionType):
            yield from ("", f"### {name}", "", "```python", f"{name}{_signature(one)}", "```", "", *_doc(one))
    yield from _registers()
    yield from ("", "## Instructions as calls", "", "Functions of `asm`.", "", *_doc(asm), "")
    yield from (
        "Registers are `asm.R0` to `asm.R10`; sizes `asm.B`, `asm.H`, `asm.W` and `asm.DW`, of 1, 2, 4 and 8 bytes;",
        "helpers `asm.Helper.MAP_LOOKUP_ELEM` and so on.",
        "",
    )
    yield from _table(
        ("call", "meaning"),
        (
            (f"{name}{_signature(one)}", first)
            for name, one in vars(asm).items()
            if isinstance(one, FunctionType) and not name.startswith("_") and one.__module__ == asm.__name__
            for first in [" ".join((inspect.getdoc(one) or "").partition("\n\n")[0].split())]
        ),
    )
    yield from ("", "## Instructions as text", "", *_doc(assembler_text), "", *_doc(notation))


def _registers() -> Iterator[str]:
    """The context of kprobe programs, and where each architecture has what."""
    yield from ("", "## Registers of a probe", "", "`guest.registers` is the `PtRegs` of the lane.", "")
    yield from (*_doc(PtRegs), "")
    method = PtRegs.argument
    signature = _signature(method).replace("self, ", "")
    yield from ("```python", f"guest.registers.{method.__name__}{signature}", "```", "", *_doc(method), "")
    layouts = ((arch, releases[max(releases)]) for arch, releases in LAYOUTS.items())
    yield from _table(
        ("architecture", "`arguments`, from 0", "`returns`", "`ip`", "`sp`", "other names in `offsets`"),
        (
            (arch, " ".join(one.arguments), one.returns, one.ip, one.sp, " ".join(others))
            for arch, one in layouts
            for others in [sorted({*one.offsets} - {*one.arguments})]
        ),
    )


def _fields(one: type) -> Iterator[str]:
    """The fields of an operation, as it is written."""
    hints = get_type_hints(one)
    given = (field for field in dataclasses.fields(one) if field.init)
    words = [f"    {field.name}: {_type(hints[field.name])}{_default(field)}," for field in given]
    yield from ("```python", f"op.{one.__name__}(", *words, ")", "```", "")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
        return f" = {type(value).__name__}.{value.name}" if isinstance(value, Enum) else f" = {value!r}"
    return "" if field.default_factory is dataclasses.MISSING else " = ..."


def results() -> Iterator[str]:
    """The record of a run, class by class."""
    yield from (
        "# results.json",
        "",
        "This page is written from the classes that a run is recorded by. A file outlives the release",
        "that wrote it: fields that a reader does not know are ignored, and missing ones take their defaults.",
        "`hil history export RUN` prints the record of an earlier run.",
    )
    seen: list[type] = [RunReport]
    for one in seen:  # which grows meanwhile
        hints = get_type_hints(one)
        yield from ("", f"## {one.__name__}", "", *_doc(one), "")
        yield from _table(
            ("field", "type"), ((field.name, _type(hints[field.name])) for field in dataclasses.fields(one))
        )
        seen += [inner for hint in hints.values() for inner in _classes(hint) if inner not in seen]


def _classes(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from _classes(inner)


def _type(hint: Any) -> str:
    """A type as people write it: without modules."""
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _signature(one: Callable[..., Any]) -> str:
    return re.sub(r"'|\b(?:\w+\.)+(?=[A-Za-z_])", "", str(inspect.signature(one)))


def _doc(one: object) -> list[str]:
    """A docstring. What is indented in it is code, as in a page."""
    text = inspect.getdoc(one) or ""
    if dataclasses.is_dataclass(one) and text.startswith(f"{getattr(one, '__name__', '')}("):
        return []  # dataclass's own
    return [line if line.startswith("    ") else re.sub(r"(?=[<*])", r"\\", line) for line in text.splitlines()]


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for first, *rest in rows:
        cells = [f"`{first}`", *rest]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', chr(92) + '<') for cell in cells)} |"


PAGES: dict[str, Callable[[], Iterator[str]]] = {"commands": commands, "operations": operations, "results": results}


def page(name: str) -> str:
    """A page of the site, reference/NAME.md."""
    return "\n".join(PAGES[name]()) + "\n"
