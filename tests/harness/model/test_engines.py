# SPDX-License-Identifier: MIT
"""Where the engine does not matter, the model says the same of both."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.clauses import clauses
from harness.core_scripts import core_scripts
from harness.fuzz.generate import cases
from harness.fuzz.scripts import script
from harness.isa.assemble import Helper, call, exit_, mov64_imm, program
from harness.isa.opcodes import R0
from harness.lane import Engine
from harness.model.engines import engine_matters
from harness.model.environment import Environment
from harness.model.eras import ERAS, era
from harness.model.executor import ModelExecutor
from harness.script.operations import LoadProgram, ProgramType, RawBpf, RunThreads, Script, Thread

KERNELS = [
    ("4.1", "x86_64", 0x40134),
    ("5.10", "arm64", 0x50AFB),
    ("6.1", "x86_64", 0x601C0),
    ("6.12", "arm64", 0x60C76),
    ("5.4", "arm64", 0x50400),  # of this one and the next nobody knows what they have of some changes
    ("6.17", "arm64", 0x61100),
    ("7.2", "riscv64", 0x70205),
]


def on(kernel: tuple[str, str, int], engine: Engine) -> Environment:
    name, arch, version = kernel
    return Environment(era=name, arch=arch, version_code=version, engine=engine, cpus=2)


def different(kernel: tuple[str, str, int], scripts: Sequence[Script]) -> list[str]:
    """The scripts of which the model says something else on the other engine."""
    one, other = (ModelExecutor(on(kernel, engine)) for engine in Engine)
    return [each.name for each in scripts if one.run(each) != other.run(each)]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: "/".join(kernel[:2]))
def test_both_engines_have_the_same_predictions(kernel: tuple[str, str, int]) -> None:
    """Held for every core script and clause of a release that has lanes, and for programs and scripts made at
    random."""
    name, arch, _ = kernel
    rules, known = era(name, arch), name in ERAS
    written = (*core_scripts(arch, name), *(one.script(name) for one in clauses(arch, name))) if known else ()
    count = 80 if known else 25
    scripts = (*written, *cases(3, count, rules), *(script(3, number, rules) for number in range(count // 2)))
    alike = [one for one in scripts if not engine_matters(on(kernel, Engine.JIT), one)]
    assert len(alike) > len(scripts) * (0.6 if known else 0.3), "nearly everything is asked twice"
    assert not different(kernel, alike)


def loading(*body: object) -> Script:
    code = program(*body, mov64_imm(R0, 0), exit_())  # type: ignore[arg-type]
    return Script("script", "", (LoadProgram("program", ProgramType.KPROBE, code),))


@pytest.mark.parametrize(
    ("kernel", "helper"),
    [
        (KERNELS[0], Helper.TAIL_CALL),
        (KERNELS[2], Helper.TAIL_CALL),
        (KERNELS[1], Helper.MAP_UPDATE_ELEM),  # an int, whose upper half only this JIT leaves as it is
        (KERNELS[3], Helper.GET_CURRENT_TASK),  # which the interpreter may die of
    ],
)
def test_the_engine_matters_for_some_helpers(kernel: tuple[str, str, int], helper: int) -> None:
    lane = on(kernel, Engine.INTERP)
    assert engine_matters(lane, loading(call(helper)))
    assert not engine_matters(lane, loading(call(Helper.MAP_LOOKUP_ELEM)))


def test_programs_of_threads_count_and_what_buffers_hold_is_not_looked_at() -> None:
    lane = on(KERNELS[2], Engine.JIT)
    inner = loading(call(Helper.TAIL_CALL)).operations
    assert engine_matters(lane, Script("script", "", (RunThreads((Thread(0, inner),)),)))
    assert not engine_matters(lane, Script("script", "", (RunThreads((Thread(0, loading().operations),)),)))
    assert engine_matters(lane, Script("script", "", (RawBpf(5),)))
