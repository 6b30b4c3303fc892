# SPDX-License-Identifier: MIT
"""Programs of objects as operations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.objects.kernel_facts import KernelFacts
from harness.objects.loading import Loader, Stage, Step
from harness.objects.places import Place, place, portable
from harness.objects.preparing import prepare
from harness.objects.reader import read
from harness.objects.reasons import Reason, Refused
from harness.objects.sections import meaning
from harness.script.operations import Attach, CreateKprobe, CreateMap, LoadProgram, OpenEvent, Script, Trigger
from harness.script.outcome import Outcome
from harness.script.triggers import UNKNOWN_PRCTL
from hil.errors import UserError
from tests.harness.objects.building import everything, tail_caller
from tests.harness.objects.probes import probe

VERSION = 0x601C0


def no_types() -> None:
    raise UserError("there are no types")


FACTS = KernelFacts("debian-12/x86_64", "x86_64", VERSION, {"CONFIG_HZ": "250", "CONFIG_BPF_SYSCALL": "y"}, 2, no_types)  # type: ignore[arg-type]


def steps(content: bytes) -> list[Step]:
    loader = Loader(prepare(read(content), FACTS))
    (program, *_) = loader.prepared.file.programs
    return [*loader.load(program), *loader.attach(program), *loader.read(program)]


def test_a_program_is_loaded_and_attached_by_its_section() -> None:
    made = steps(probe())
    assert [(step.stage, type(step.operation)) for step in made[:5]] == [
        (Stage.MAPS, CreateMap),
        (Stage.LOAD, LoadProgram),
        (Stage.ATTACH, CreateKprobe),
        (Stage.ATTACH, OpenEvent),
        (Stage.ATTACH, Attach),
    ]
    assert made[-1].stage is Stage.READ


def test_what_is_attached_counts_in_the_model() -> None:
    made = [step.operation for step in steps(probe())]
    fired = [*made[:-1], Trigger("cap_task_prctl", (UNKNOWN_PRCTL,), 3), made[-1]]
    said = ModelExecutor(Environment("6.1", "x86_64", VERSION, cpus=2)).run(Script("s", "", tuple(fired)))
    assert isinstance(said[1], Outcome) and said[1].errno is None
    assert isinstance(said[-1], Outcome) and said[-1].value == 0


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ("kprobe/f", Place("kprobe", "f")),
        ("kprobe/f+0x10", Place("kprobe", "f", 16)),
        ("kretprobe/f", Place("kretprobe", "f")),
        ("ksyscall/openat", Place("kprobe", "__x64_sys_openat")),
        ("tp/sched/sched_switch", Place("tracepoint", "sched/sched_switch")),
        ("raw_tp/sched_switch", Place("raw_tracepoint", "sched_switch")),
        ("socket1", Place("socket", "")),
        ("kprobe", None),
        ("kprobe/f+-1", None),
        ("kprobe/f+0xg", None),
        ("kprobe/f+0x8000000000000000", None),
        ("tracepoint/sched", None),
        ("tracepoint/sched/sched_switch/x", None),
        ("tracepoint/sched:a/b", None),
        ("uprobe/libc:malloc", None),
        ("xdp", Place("device", "lo")),
        ("iter/task", Place("iterator", "task")),
        ("kprobe.multi/vfs_*", Place("multi", "vfs_*")),
    ],
)
def test_the_section_tells_where(section: str, where: Place | None) -> None:
    said = meaning(section)
    assert said is not None
    assert place(said, FACTS) == where


@pytest.mark.parametrize(
    ("arch", "version", "symbol"),
    [
        ("x86_64", 0x40134, "sys_openat"),
        ("x86_64", VERSION, "__x64_sys_openat"),
        ("arm64", VERSION, "__arm64_sys_openat"),
        ("riscv64", 0x60C76, "__riscv_sys_openat"),
    ],
)
@pytest.mark.parametrize("named", ["sys_openat", "SyS_openat", "__x64_sys_openat", "__arm64_sys_openat"])
def test_a_system_call_is_named_as_the_kernel_names_it(arch: str, version: int, symbol: str, named: str) -> None:
    assert portable(named, replace(FACTS, arch=arch, version_code=version)) == symbol


def test_other_functions_keep_their_names() -> None:
    assert portable("do_sys_open", FACTS) == "do_sys_open"


def test_programs_in_slots_are_loaded_and_put_there() -> None:
    made = [(step.stage, step.subject) for step in steps(tail_caller())[:4]]
    assert made == [(Stage.MAPS, "next"), (Stage.LOAD, "caller"), (Stage.LOAD, "called"), (Stage.MAPS, "next")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (tail_caller(second="unheard/of"), "tells no type of program"),
        (tail_caller(slot="next"), "slot 1 of next is for 'next', which is no program"),
    ],
)
def test_a_slot_is_never_left_empty(content: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        steps(content)


def test_data_is_filled_and_frozen_before_the_load() -> None:
    kernel = replace(FACTS, config={**FACTS.config, "CONFIG_NAME": '"x"'})
    prepared = prepare(read(everything()), kernel)
    assert prepared.refused["one"].reason is Reason.NEEDS_KERNEL_TYPES
    two = next(program for program in prepared.file.programs if program.name == "two")
    made = list(Loader(prepared).load(two))
    of = {step.subject: [type(one.operation).__name__ for one in made if one.subject == step.subject] for step in made}
    assert of[".kconfig"] == ["CreateMap", "UpdateElement", "RawBpf"]
    assert made[-1].stage is Stage.LOAD


def test_an_option_that_is_not_set_is_told() -> None:
    prepared = prepare(read(everything()), FACTS)
    assert prepared.refused["two"].reason is Reason.NEEDS_CONFIG
    assert "CONFIG_NAME" in prepared.refused["two"].what
    with pytest.raises(Refused, match="CONFIG_NAME"):
        list(Loader(prepared).load(next(one for one in prepared.file.programs if one.name == "two")))
