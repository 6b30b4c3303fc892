# SPDX-License-Identifier: MIT
"""Parts of structures that only the running kernel tells, and programs with the types of their functions."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.lowering.context import Guest
from harness.lowering.lower import lower
from harness.lowering.traceable import Traceable
from harness.script.malformed import Malformed
from harness.script.operations import (
    Buffer,
    EventSource,
    Functions,
    LoadProgram,
    Operation,
    Part,
    ProgramType,
    RawBpf,
    RawOpenEvent,
    Ref,
    Script,
    Types,
)
from hil.agent.steps import Batch, Skip, Store, Syscall
from hil.target import Completed, Target

GUEST = Guest(arch="x86_64", version_code=0x60180, functions=lambda pattern: ("vfs_open", "vfs_read"))
LISTED = b"vfs_open\nvfs_read [module]\nvfs_open\nmy_vfs_read\n__ftrace_invalid_address___16\n"


class Listing:
    """A target that has a list of functions."""

    tracing = "/tracing"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def run(self, command: list[str]) -> Completed:
        self.asked.append(command)
        return Completed(0, LISTED, b"")


def lowered(*operations: Operation, guest: Guest = GUEST) -> Batch:
    return lower([Script("s", "", operations)], guest, ["t"])[0]


def test_functions_that_match_are_found_once() -> None:
    target = Listing()
    traceable = Traceable(cast(Target, target))
    for _ in range(2):
        assert traceable.matching("vfs_*") == ("vfs_open", "vfs_read")
    assert traceable.matching("*") == ("vfs_open", "vfs_read", "my_vfs_read")
    assert [command[-2:] for command in target.asked] == [
        ["vfs_", "/tracing/available_filter_functions"],
        ["", "/tracing/available_filter_functions"],
    ]


@pytest.mark.parametrize("count", [0, 2])
def test_a_pattern_becomes_names_and_their_number(count: int) -> None:
    guest = replace(GUEST, functions=lambda _: ("vfs_open", "vfs_read")[:count])
    batch = lowered(RawBpf(28, (Part(20, 4, Functions("vfs_*")), Part(24, 8, Functions("vfs_*")))), guest=guest)
    image = b"".join(one.data for one in batch.image)
    assert image.count(b"vfs_open\0") == image.count(b"vfs_read\0") == count // 2
    assert len([step for step in batch.steps if isinstance(step, Store)]) == 2 + count


def test_a_source_of_events_is_read_from_the_running_kernel() -> None:
    batch = lowered(RawOpenEvent("e", (Part(0, 4, EventSource("uprobe")), Part(4, 4, 112)), pid=-1, cpu=0))
    assert b"/sys/bus/event_source/devices/uprobe/type\0" in b"".join(one.data for one in batch.image)
    openat, perf_event_open = 257, 298
    numbers = [step.number for step in batch.steps if isinstance(step, Syscall)]
    assert numbers.index(openat) < numbers.index(perf_event_open)


@pytest.mark.parametrize("value", [Functions("vfs_* tcp"), Functions(""), EventSource("../x")])
def test_what_cannot_be_a_name_is_malformed(value: Functions | EventSource) -> None:
    with pytest.raises(Malformed):
        Script("s", "", (RawBpf(28, (Part(0, 8, value),)),))


def test_a_program_has_types_only_where_these_were_loaded() -> None:
    types = RawBpf(18, (Part(0, 8, Buffer(b"types")), Part(16, 4, 5)), name="types")
    told = Types(Ref("types"), ((0, 2),), ((0, 1, 1, 1 << 10),))
    load = LoadProgram("p", ProgramType.KPROBE, program(mov64_imm(R0, 0), exit_()), types=told)
    steps = lowered(types, load).steps
    (skip,) = [at for at, step in enumerate(steps) if isinstance(step, Skip)]
    given = [step for step in steps[skip + 1 : skip + 8] if isinstance(step, Store)]
    assert len(given) == 7 and isinstance(steps[skip + 8], Syscall), "what tells of types is stored if there are any"


def test_a_program_has_types_of_one_kind() -> None:
    typed = replace(program(mov64_imm(R0, 0), exit_()), functions=((0, "main"),))
    types = RawBpf(18, (Part(0, 8, Buffer(b"types")), Part(16, 4, 5)), name="types")
    with pytest.raises(Malformed, match="beside those"):
        Script("s", "", (types, LoadProgram("p", ProgramType.KPROBE, typed, types=Types(Ref("types"), ((0, 1),)))))
