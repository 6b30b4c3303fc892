# SPDX-License-Identifier: MIT
"""`hil model`: the model's verdict on a program, and its run in the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import click

from harness.lane import Engine
from harness.model.environment import Environment
from harness.model.eras import ERAS
from harness.model.interface.verification import type_name
from harness.model.interpreter import Returned
from harness.model.verifier import Verdict
from harness.programs import hexadecimal, maps, showing, source
from harness.programs.lanes import environment
from harness.programs.running import on_context, on_memory
from harness.programs.source import Format, Source
from harness.programs.verifying import Opinion
from harness.programs.verifying import verify as verify_program
from harness.script.operations import LoadProgram, ProgramType
from harness.script.outcome import Unpredicted
from hil.arch import architectures
from hil.arguments import INPUT_FILE
from hil.errors import UserError
from hil.help import Group

_F = TypeVar("_F", bound=Callable[..., object])
_TYPES = {type.name.lower(): type for type in ProgramType if type is not ProgramType.UNSPEC}


def _program(function: _F) -> _F:
    """Adds the options that choose the program."""
    function = click.option("--section", help="Of an object file, the program: its section or its name.")(function)
    function = click.option(
        "--types",
        type=INPUT_FILE,
        help="Of an object file, the types it is adjusted to: a kernel's image, vmlinux or /sys/kernel/btf/vmlinux.",
    )(function)
    function = click.option(
        "--format",
        type=click.Choice([format.value for format in Format]),
        help="The form of PROGRAM; by default detected from its content.",
    )(function)
    return click.argument("program", type=click.File("rb"))(function)


def _lane(function: _F) -> _F:
    """Adds the options that choose the kernel."""
    function = click.option(
        "--map",
        "given",
        metavar="NAME:TYPE:KEY:VALUE:ENTRIES",
        multiple=True,
        help="A map, sizes in bytes. Repeatable.",
    )(function)
    function = click.option(
        "--type", "kind", type=click.Choice([*_TYPES]), metavar="TYPE", help="By default the section's, else kprobe."
    )(function)
    function = click.option(
        "--engine", type=click.Choice([engine.value for engine in Engine]), default="interp", show_default=True
    )(function)
    function = click.option("--arch", type=click.Choice([*architectures()]), default="x86_64", show_default=True)(
        function
    )
    return click.option("--era", "era_name", type=click.Choice([*ERAS]), default="4.1", show_default=True)(function)


@click.group(cls=Group)
def model() -> None:
    """Ask the model about a program.

    PROGRAM is a file with assembler text, hexadecimal text, bytes, or an object file; - is standard input.
    """


@model.command()
@_program
def disasm(program: BinaryIO, format: str | None, section: str | None, types: Path | None) -> int:
    """Print PROGRAM in the notation of the verifier's log."""
    for index, line in showing.numbered(_read(program, format, section, types).program).items():
        click.echo(f"{index}: {line}")
    return 0


@model.command()
@_program
@_lane
@click.option("--license", help="By default the object file's, else GPL.")
def verify(
    program: BinaryIO,
    format: str | None,
    section: str | None,
    types: Path | None,
    era_name: str,
    arch: str,
    engine: str,
    kind: str | None,
    given: tuple[str, ...],
    license: str | None,
) -> int:
    """Say what becomes of PROGRAM when it is loaded: whether the era's verifier takes it, with 4.1's log.

    Exit status: 0 accepted, 1 refused or unpredicted, 2 wrong input.
    """
    brought = _read(program, format, section, types)
    lane, type = environment(era_name, arch, engine), _type(brought, kind)
    wanted = LoadProgram(
        "program",
        type,
        brought.program,
        license=_first(license, brought.license, "GPL"),
        kern_version=brought.kern_version,
    )
    if brought.more and kind is None:
        opinion = Opinion(Unpredicted(f"{brought.more}, and the model does not know its effect"))
    else:
        opinion = verify_program(lane, maps.gather(brought, map(maps.parse, given)), wanted)
    if isinstance(opinion.verdict, Unpredicted):
        click.echo(f"unpredicted: {opinion.verdict.reason}")
        return 1
    if opinion.verdict.log is not None:
        click.echo(str(opinion.verdict.log), nl=not str(opinion.verdict.log).endswith("\n"))
    if opinion.withheld:
        click.echo(f"log {opinion.withheld}")
    click.echo(_describe(opinion.verdict, opinion.verifier, lane))
    if opinion.verdict.doubt:
        click.echo(f"warning: {opinion.verdict.doubt}", err=True)
    return 0 if opinion.verdict.accepted else 1


@model.command()
@_program
@_lane
@click.option(
    "--memory", metavar="HEX", help="R1 points to these bytes, R2 is their length; else R1 is a struct pt_regs."
)
@click.option(
    "--argument",
    "arguments",
    metavar="N=VALUE",
    multiple=True,
    help="The probed function's N-th argument, from 1. Repeatable.",
)
@click.option("--trace", is_flag=True, help="Print every instruction and the registers it changed.")
def run(
    program: BinaryIO,
    format: str | None,
    section: str | None,
    types: Path | None,
    era_name: str,
    arch: str,
    engine: str,
    kind: str | None,
    given: tuple[str, ...],
    memory: str | None,
    arguments: tuple[str, ...],
    trace: bool,
) -> int:
    """Run PROGRAM in the model, without asking the verifier; print R0, and what it stored in maps.

    Exit status: 0 it returned, 1 it did not, 2 wrong input.
    """
    if memory is not None and arguments:
        raise UserError("--memory and --argument both set R1", remedy="give one of them")
    brought = _read(program, format, section, types)
    if memory is None and (type := _type(brought, kind)) != ProgramType.KPROBE:
        raise UserError(
            f"what R1 of a program of type {type_name(type)} points to is not known", remedy="give it as --memory"
        )
    lane, wanted = environment(era_name, arch, engine), maps.gather(brought, map(maps.parse, given))
    sink = showing.tracer(brought.program, click.echo) if trace else None
    if memory is not None:
        ran = on_memory(lane, brought.program, hexadecimal.parse(memory, "--memory"), wanted, sink)
    else:
        ran = on_context(lane, brought.program, dict(map(_argument, arguments)), wanted, sink)
    if isinstance(ran.ended, Returned):
        click.echo(f"r0 = {showing.value(ran.ended.value)}")
    else:
        click.echo(f"no result: {ran.ended.stop.value}: {ran.ended.why}, at instruction {ran.ended.pc}")
    for line in showing.maps(ran.maps):
        click.echo(line)
    return 0 if isinstance(ran.ended, Returned) else 1


def _read(program: BinaryIO, format: str | None, section: str | None, types: Path | None) -> Source:
    return source.read(program.read(source.MOST_CONTENT + 1), Format(format) if format else None, section, types)


def _type(brought: Source, chosen: str | None) -> ProgramType:
    """Returns the chosen type, or the section's, or kprobe where there are no sections."""
    if chosen is not None:
        return _TYPES[chosen]
    if brought.section and brought.type is None:
        raise UserError(f"section {brought.section} does not tell a program type", remedy="name it with --type")
    return brought.type or ProgramType.KPROBE


def _describe(verdict: Verdict, verifier: bool, lane: Environment) -> str:
    if verdict.oops:
        return "accepted, and then the kernel crashes"
    if verdict.errno is None:
        return "accepted"
    place = f", at instruction {verdict.at}" if verdict.at is not None else ""
    if not verifier:
        return f"refused: {verdict.errno}, before the verifier looks at it: {verdict.message}"
    if not verdict.message:
        return f"refused: {verdict.errno}"
    if lane.rules.verifier.specified:
        return f"refused: {verdict.errno}: {verdict.message}{place}"
    return f"refused: {verdict.errno}{place}; the message differs by release, here: {verdict.message}"


def _argument(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,2})=(-?(?:0x[0-9a-fA-F]{1,16}|\d{1,20}))", text)
    if match is None:
        raise UserError(f"--argument {text!r}", remedy="write N=VALUE, as in 1=0x10")
    return int(match[1]), int(match[2], 16 if "x" in match[2] else 10)


def _first(*candidates: str | None) -> str:
    """Returns the first that is given, even if it is empty."""
    return next(candidate for candidate in candidates if candidate is not None)
