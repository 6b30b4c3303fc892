# SPDX-License-Identifier: MIT
"""Whether programs run in the engine a lane names: what the kernel says counts, not the sysctl alone."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from harness.lane import Engine
from harness.lowering.context import Guest
from harness.lowering.engine import JIT_SWITCH, EngineUnavailable, switching
from harness.pytest_plugin.guest import LaneGuest
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Load, Read, Syscall

GUEST = Guest("x86_64", 0x60100)
BPF = 321


def answered(guest: Guest, engine: Engine, *, sysctl: str = "", length: int = 0, failing: str = "") -> None:
    """Read what such a kernel answers. `failing` is the first `open`, `load` or `info`, with its errno."""
    batch, read = switching(guest, engine, 1.0)
    opened = [n for n, step in enumerate(batch.steps) if isinstance(step, Syscall) and step.number == 257][-1]
    loaded, asked = (n for n, step in enumerate(batch.steps) if isinstance(step, Syscall) and step.number == BPF)
    where, _, name = failing.partition(" ")
    fails = {"open": opened, "load": loaded, "info": asked}.get(where)
    steps = []
    for number, step in enumerate(batch.steps):
        result = StepResult(Status.DONE, 3)
        if isinstance(step, Read):
            result = result._replace(data=sysctl.encode())
        elif isinstance(step, Load):
            result = result._replace(value=length)
        elif number == fails:
            result = StepResult(Status.DONE, -1, getattr(errno, name))
        steps.append(result)
    read(BatchResult(End(How.COMPLETED), tuple(steps)))


def test_what_a_lane_says_and_the_kernel_confirms() -> None:
    answered(GUEST, Engine.JIT, sysctl="1", length=40)
    answered(GUEST, Engine.INTERP, sysctl="0")
    answered(GUEST, Engine.INTERP, failing="open ENOENT")


@pytest.mark.parametrize(
    ("engine", "sysctl", "length", "failing", "said"),
    [
        (Engine.JIT, "1", 0, "", "left a program to the interpreter"),
        (Engine.INTERP, "0", 40, "", "40 bytes of machine code"),
        (Engine.INTERP, "", 40, "open ENOENT", "40 bytes of machine code"),
        (Engine.JIT, "0", 0, "", "stays 0"),
        (Engine.INTERP, "1", 40, "", "stays 1"),
        (Engine.JIT, "", 0, "open ENOENT", "CONFIG_BPF_JIT"),
        (Engine.INTERP, "", 0, "open EACCES", "EACCES"),
        (Engine.JIT, "1", 40, "info EINVAL", "does not tell which engine runs a program: EINVAL"),
        (Engine.JIT, "1", 40, "load ENOTSUP", "does not load a program"),
    ],
)
def test_a_lane_that_is_not_what_it_says(engine: Engine, sysctl: str, length: int, failing: str, said: str) -> None:
    with pytest.raises(EngineUnavailable, match=said):
        answered(GUEST, engine, sysctl=sysctl, length=length, failing=failing)


def test_a_kernel_that_cannot_say_is_believed() -> None:
    silent = replace(GUEST, tells_engine=False)
    answered(silent, Engine.JIT, sysctl="1", failing="info EINVAL")
    with pytest.raises(EngineUnavailable, match="stays"):
        answered(silent, Engine.JIT, sysctl="0", failing="info EINVAL")


@pytest.mark.guest
def test_a_real_kernel_tells_that_a_sysctl_lies(guest: LaneGuest) -> None:
    """A file in the sysctl's place keeps whatever is written to it, and switches nothing."""
    executor = guest.executor
    if guest.lane.engine is Engine.INTERP:
        pytest.skip("its lane with the JIT is enough")
    executor.switch(Engine.INTERP)
    if not executor.guest.tells_engine:
        pytest.skip("this kernel does not say what runs a program")
    run = guest.machine.run
    assert not run(["sh", "-c", f"echo 0 >/tmp/switch && mount -o bind /tmp/switch {JIT_SWITCH}"]).status
    try:
        executor.switch(Engine.INTERP)
        with pytest.raises(EngineUnavailable, match="left a program to the interpreter"):
            executor.switch(Engine.JIT)
    finally:
        run(["umount", JIT_SWITCH])
    executor.switch(Engine.JIT)
