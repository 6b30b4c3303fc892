# SPDX-License-Identifier: MIT
"""A finding as one C program, for a kernel's developer who has nothing of the bench.

Its steps are those that the agent makes of the script (`harness.lowering`). It needs a C library and root, and tells by
its exit status what the kernel does: 0 what it should, 1 something else, of which it says whether that is what was
found, 2 that nothing is shown, since it did not get there.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from harness.fuzz.standalone.expected import Expected, as_seen, expected
from harness.fuzz.standalone.readings import Reading, reading
from harness.fuzz.standalone.steps import Steps, text
from harness.isa.text import listing
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.lower import Lowered, lower
from harness.script.brief import brief
from harness.script.checks import LONGEST_TAG
from harness.script.operations import LoadProgram, Program, Script
from harness.script.outcome import Outcome, Prediction
from harness.script.text import describe, describe_outcome
from hil.agent.steps import Batch, Read, Write

SECONDS = 60
"""How long its steps may take."""
_MACHINES = {"x86_64": "__x86_64__", "arm64": "__aarch64__", "riscv64": "__riscv"}
"""What compilers for an architecture define."""
_WIDTH = 100
_INSTRUCTION = 8


class NotInC(Exception):
    """A finding cannot be shown by a C program; the text says why."""


@dataclass(frozen=True)
class Found:
    """A script that differs on a lane at operation `at`: what it should give, and what it gave, in words and all."""

    lane: Lane
    script: Script
    at: int
    predictions: Sequence[Prediction]
    observed: Outcome


def in_c(found: Found, guest: Guest) -> str:
    """Returns the program; raises NotInC where it could not tell what was found from what should be."""
    tag = re.sub(r"\W", "_", found.script.name, flags=re.ASCII)[:LONGEST_TAG]
    batch, (lowered,) = lower([found.script], replace(guest, tracing="."), [tag])
    steps = Steps(batch, found.lane.arch, dict(_words(found.script, lowered)))
    body = steps.lines()
    checks = [line for at in range(found.at + 1) for line in _check(found, at, batch, lowered, steps)]
    traces = any(isinstance(one, Write) and one.data.startswith(b"./") for one in batch.image)
    constants = {
        "STEPS": max(1, len(batch.steps)),
        "ARENA": max(1, batch.arena),
        "ANSWERS": steps.answers,
        "SECONDS": SECONDS,
        "TRACES": int(traces),
        "ENGINE": "'1'" if found.lane.engine is Engine.JIT else "'0'",
    }
    judge = ["    int error;", "    uint64_t value;", *checks, "", "    return AS_IT_SHOULD;"]
    sections = (
        _about(found),
        [f"#ifndef {_MACHINES[found.lane.arch]}", f"#error it is for {found.lane.arch}", "#endif"],
        [f"#define {name} {value}" for name, value in constants.items()],
        _runtime().splitlines(),
        ["static void image(void)", "{", *_image(batch, found.script), "}"],
        body,
        ["static int judge(void)", "{", *judge, "}"],
    )
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


@cache
def _runtime() -> str:
    return files("harness.fuzz.standalone").joinpath("runtime.c").read_text().strip()


def _about(found: Found) -> Iterator[str]:
    should, gave = (brief(describe_outcome(one)) for one in (found.predictions[found.at], found.observed))
    what = brief(describe(found.script.operations[found.at]))
    yield "/*"
    for line in (
        f"{found.script.name}: {found.script.sentence}. Found by `hil fuzz` on {found.lane}.",
        f"Operation {found.at}, {what}, should give {should}, and gave {gave}.",
        "Compile it with `gcc -o found this.c` (an old C library wants -pthread, too) and run it as root. It exits "
        "with 0 when the kernel does as it should, with 1 when it differs, and says whether as was found, with 2 when "
        "nothing is shown, since something before failed, or the operation was not carried out.",
    ):
        yield from (f" * {part}" for part in textwrap.wrap(_plain(line), _WIDTH))
    yield " */"


def _words(script: Script, lowered: Lowered) -> Iterator[tuple[int, str]]:
    for index, (first, operation) in enumerate(zip(lowered.first_steps, script.operations, strict=True)):
        yield first, f"operation {index}: {_plain(brief(describe(operation)))}"


def _plain(words: str) -> str:
    """Text that can be in a comment."""
    return words.replace("*/", "* /").replace("/*", "/ *")


def _image(batch: Batch, script: Script) -> Iterator[str]:
    loads = (one for one in script.operations if isinstance(one, LoadProgram))
    programs = {b"".join(one.encode() for one in load.program.instructions): load.program for load in loads}
    count = itertools.count()
    for piece in batch.image:
        if program := programs.get(piece.data):
            name = f"program_{next(count)}"
            yield f"    static const uint64_t {name}[] = {{"
            yield from _code(program)
            yield "    };"
            yield f"    put({piece.place.offset}, {name}, sizeof {name});"
        else:
            yield f"    put({piece.place.offset}, {text(piece.data)}, {len(piece.data)});"
    if not batch.image:
        yield '    put(0, "", 0);'


def _code(program: Program) -> Iterator[str]:
    texts = dict(listing(program))
    for index, instruction in enumerate(program.instructions):
        number = int.from_bytes(instruction.encode(), "little")
        yield f"        {number:#018x}, /* {index}: {_plain(texts.get(index, ''))} */"


def _check(found: Found, at: int, batch: Batch, lowered: Lowered, steps: Steps) -> Iterator[str]:
    """The lines that judge one operation. One before the last is left out where it cannot be told."""
    how = reading(batch, lowered.readers[at])
    choices: tuple[Expected, ...] = ()
    try:
        choices = expected(found.predictions[at], _length(how, batch))
        problem = "its outcome is more than one system call gives" if how is None else ""
    except LookupError as error:
        problem = str(error)
    if at == found.at:
        if not problem and (not choices or any(one.admits(found.observed) for one in choices)):
            problem = "what was seen is allowed by all that it can compare"
        if problem:
            raise _no_form(found, problem)
    if problem or not choices or how is None:
        return
    value = f"(uint64_t)r[{how.value}].value" if how.value is not None else f"{how.constant}"
    right = text_in_c(brief(describe_outcome(found.predictions[at])))
    yield ""
    yield f"    error = failed((const int[]){{{', '.join(map(str, (*how.errors, -1)))}}});"
    if how.quiet is not None:
        yield f"    if (error == EAGAIN && r[{how.quiet}].error == EAGAIN)"
        yield "        error = 0;"
        value = f"r[{how.quiet}].error ? 0 : {value}"
    yield f"    value = {value};"
    yield f"    if (!({_either(choices, how, steps)})) {{"
    yield f"        tell({text_in_c(_what(found, at))}, {right}, error, value);"
    if how.data is not None:
        yield f"        tell_data({how.data}, {steps.places[how.data]});"
    yield from _differs(found, choices, how, steps) if at == found.at else ["        return NOT_SHOWN;"]
    yield "    }"


def _differs(found: Found, choices: tuple[Expected, ...], how: Reading, steps: Steps) -> Iterator[str]:
    """The lines for what should give something else: whether it gives what was found, and whether it gives anything."""
    makes = hasattr(found.script.operations[found.at], "name")
    try:
        seen = as_seen(found.observed, choices, makes=makes)
    except LookupError as error:
        raise _no_form(found, str(error)) from error
    stopped = ["error < 0"]
    if how.data is not None:
        stopped.append(f"(!error && !r[{how.data}].done)")
    if how.log is not None:
        stopped.append(f"!r[{how.log}].done")
    yield f"        if ({' || '.join(stopped)})"
    yield "            return NOT_SHOWN;"
    yield f"        if ({_either([seen], how, steps)})"
    yield "            return DIFFERS;"
    yield f'        printf("  gave when it was found: %s\\n", {text_in_c(brief(describe_outcome(found.observed)))});'
    yield "        return OTHERWISE;"


def _either(choices: Sequence[Expected], how: Reading, steps: Steps) -> str:
    return " || ".join(f"({one.condition(how, steps.places)})" for one in choices)


def _what(found: Found, at: int) -> str:
    return f"operation {at}, {brief(describe(found.script.operations[at]))}"


def _no_form(found: Found, why: str) -> NotInC:
    return NotInC(f"{_what(found, found.at)}: {why}")


def text_in_c(words: str) -> str:
    """Returns words as a string of C."""
    return '"' + re.sub(r'[\\"?]|[^ -~]', lambda one: "".join(f"\\{byte:03o}" for byte in one[0].encode()), words) + '"'


def _length(how: Reading | None, batch: Batch) -> int:
    step = batch.steps[how.data] if how and how.data is not None else None
    return step.maximum if isinstance(step, Read) else 0
