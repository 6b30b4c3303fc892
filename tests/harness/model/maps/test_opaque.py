# SPDX-License-Identifier: MIT
"""Maps of which only the making is known, and maps that may be too large for the guest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.abi.bpf import MapFlag
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R10,
    add64_imm,
    call,
    exit_,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.model.executor import ModelExecutor
from harness.script.operations import CreateMap, LoadProgram, MapType, ProgramType, Script
from harness.script.outcome import DESCRIPTOR, Outcome, Unpredicted
from tests.harness.model.scripts import environment, last, read, said

CGROUPS = CreateMap("map", MapType.CGROUP_ARRAY, 4, 4, 1)
QUEUE = CreateMap("map", MapType.QUEUE, 0, 8, 4)
KEY = (st(DW, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -8))


def load(*arguments: object) -> LoadProgram:
    """Calls a helper with the map, and the arguments behind it."""
    *pieces, helper = arguments
    code = program(ld_map(R1, "map"), pieces, call(helper), mov64_imm(R0, 0), exit_())
    return LoadProgram("program", ProgramType.KPROBE, code)


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
def test_programs_may_call_the_helpers_of_the_type_only(name: str) -> None:
    under, push = load(mov64_imm(R2, 0), 37), load(KEY, mov64_imm(R3, 0), 87)
    assert last(CGROUPS, under, name=name) == "ok"
    assert last(QUEUE, push, name=name) == "ok"
    assert last(QUEUE, under, name=name) == "EINVAL"
    assert last(replace(QUEUE, type=MapType.HASH, key_size=4), push, name=name) == "EINVAL"
    assert last(replace(QUEUE, flags=MapFlag.RDONLY_PROG), push, name=name) == "EACCES"
    assert last(CGROUPS, read(), name=name) == "?"


def test_what_such_maps_must_be() -> None:
    for wrong in ({"key_size": 8}, {"value_size": 8}, {"max_entries": 0}):
        assert last(replace(CGROUPS, **wrong), name="6.1") == "EINVAL"
    for wrong in ({"key_size": 4}, {"value_size": 0}, {"max_entries": 0}):
        assert last(replace(QUEUE, **wrong), name="6.1") == "EINVAL"
    assert last(replace(QUEUE, value_size=1 << 21), name="6.1") == "?"
    assert last(CGROUPS, name="4.1") == last(QUEUE, name="4.1") == "EINVAL"


def test_what_the_kernel_says_of_the_memory_is_believed() -> None:
    large = CreateMap("map", MapType.ARRAY, 4, 8, 1 << 22)
    script = Script("test", "a test", (large, load(KEY, 1)))
    made = ModelExecutor(environment("6.1", "x86_64"))
    assert isinstance(made.run(script)[1], Unpredicted)
    seen = made.run(script, seen=(Outcome(value=DESCRIPTOR), Outcome(value=DESCRIPTOR)))
    assert isinstance(seen[0], Unpredicted)
    assert said(seen[1]) == "ok"
    refused = made.run(script, seen=(Outcome(errno="ENOMEM"), Outcome(errno="EBADF")))
    assert isinstance(refused[0], Unpredicted)
