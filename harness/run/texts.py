# SPDX-License-Identifier: MIT
"""A plan's scripts as text, for readers of a run's results without its sources."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from harness.abi.bpf import PROG_LOAD, Command
from harness.compare import Verdict
from harness.isa.instruction import SIZE, decode, encode
from harness.isa.text import listing
from harness.run.plan import Share
from harness.run.results import ProgramText, ScriptResult, ScriptText
from harness.script.operations import (
    Buffer,
    CreateMap,
    LoadProgram,
    Operation,
    Program,
    RawBpf,
    RunThreads,
    Script,
)
from harness.script.source import Source
from harness.script.text import describe, describe_outcome

_ALIKE = 8
"""The number of equal instructions in a row from which on they are listed once."""
_INSNS = PROG_LOAD.fields["insns"]


def texts(shares: Sequence[Share], whole: Collection[str]) -> tuple[ScriptText, ...]:
    """Returns every script once, or once for each of its forms where architectures or eras give it different ones;
    those named in `whole` with their programs and expectations."""
    machines: dict[ScriptText, list[str]] = {}
    sources: dict[ScriptText, Source | None] = {}
    for share in shares:
        for script in share.scripts:
            form = replace(text(script), source=None) if script.name in whole else _outline(script)
            machines.setdefault(form, []).append(f"{share.kernel}/{share.arch}")
            sources.setdefault(form, script.source)
    return tuple(replace(form, machines=tuple(where), source=sources[form]) for form, where in machines.items())


def needs_whole(result: ScriptResult) -> bool:
    """Returns whether a reader of this result needs the whole script: there is something about one of its
    operations."""
    return result.verdict in (Verdict.DIVERGE, Verdict.DISAGREE, Verdict.FLAKY, Verdict.KNOWN) or bool(
        result.operations
    )


def text(script: Script, machines: tuple[str, ...] = ()) -> ScriptText:
    """Returns the whole text of a script."""
    return replace(
        _outline(script),
        machines=machines,
        source=script.source,
        expected=tuple("" if one is None else describe_outcome(one) for one in script.expected),
        programs=tuple(_programs(script)),
    )


def _outline(script: Script) -> ScriptText:
    return ScriptText(script.name, script.sentence, tuple(map(describe, script.operations)), ())


def _programs(script: Script) -> Iterator[ProgramText]:
    flat = list(_flat(script))
    makers = {one.name: describe(one) for _, one in flat if isinstance(one, CreateMap | RawBpf) and one.name}
    for index, operation in flat:
        if loaded := _loaded(operation):
            name, program = loaded
            used: dict[str, list[str]] = {}
            for at, ref in program.maps:
                used.setdefault(ref.name, []).append(str(at))
            yield ProgramText(
                index,
                name,
                tuple(_listing(program)),
                encode(program.instructions).hex(" ", SIZE),
                tuple(
                    f"{map_name}, in instruction {', '.join(places)}: {makers.get(map_name, 'made elsewhere')}"
                    for map_name, places in used.items()
                ),
            )


def _flat(script: Script) -> Iterator[tuple[int, Operation]]:
    """Yields every operation, those of threads under the index of the operation that starts the threads."""
    for index, operation in enumerate(script.operations):
        yield index, operation
        if isinstance(operation, RunThreads):
            yield from ((index, inner) for thread in operation.threads for inner in thread.operations)


def _loaded(operation: Operation) -> tuple[str, Program] | None:
    """The program an operation hands to the kernel, and its name; also where the system call is made by hand."""
    match operation:
        case LoadProgram():
            return operation.name, operation.program
        case RawBpf(command=command, parts=parts) if command == Command.PROG_LOAD:
            for part in parts:
                if (
                    part.offset == _INSNS.offset
                    and isinstance(part.value, Buffer)
                    and not len(part.value.content) % SIZE
                ):
                    return operation.name or "program", Program(decode(part.value.content))
    return None


def _listing(program: Program) -> Iterator[str]:
    """A line an instruction, its index in front; many that are alike, one behind the other, share a line. A function of
    which the kernel is told has its name before it."""
    lines, names = listing(program), dict(program.functions)
    start = 0
    while start < len(lines):
        end = start
        if name := names.get(lines[start][0]):
            yield f"{name}():"
        while end < len(lines) and lines[end][1] == lines[start][1]:
            end += 1
        if end - start < _ALIKE:
            end = start + 1
            yield f"{lines[start][0]}: {lines[start][1]}"
        else:
            yield f"{lines[start][0]} to {lines[end - 1][0]}: {lines[start][1]}"
        start = end
