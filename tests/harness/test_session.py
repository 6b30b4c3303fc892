# SPDX-License-Identifier: MIT
"""The way to a running lane, without any guest; and the greeting, of this host."""

from __future__ import annotations

import gzip
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.lane import Engine
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import GuestExecutor
from harness.lowering.greeting import _options
from harness.model.environment import Environment
from harness.pytest_plugin.guest import LaneGuest
from harness.script.needs import CPUS
from harness.session import Bootable, Listener, Phase, lane_session, prepare, session_on, specification
from hil.agent.local import host_architecture
from hil.errors import BenchError, MachineLost, UserError
from hil.kernels.configuration import options
from hil.kernels.distributions import named
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec
from tests.fakes import FakeExecutor, FakeTarget, fake_facts, fake_kernel, replace_machines

KERNEL = "debian-12", "arm64"


class Heard(Listener):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        self.lines.append(f"{phase}...")
        yield
        self.lines.append(f"...{phase}")

    def note(self, line: str) -> None:
        self.lines.append(line.split(" in ")[0])

    def warning(self, line: str) -> None:
        self.lines.append(f"warning: {line}")

    def made(self, machine: Machine) -> None:
        self.lines.append("made")


class Interpreter(FakeExecutor):
    def switch(self, engine: Engine) -> None:
        if engine is Engine.JIT:
            raise EngineUnavailable("built without it")


def replaced(monkeypatch: pytest.MonkeyPatch, kind: type[FakeExecutor] = FakeExecutor, **facts: Any) -> list[str]:
    """What happens to machines, whose kernels tell `facts`."""
    life: list[str] = []
    replace_machines(
        monkeypatch,
        target=lambda spec: FakeTarget(spec, life=life.append),
        executor=lambda target, guest, **_: kind(target, guest, told=fake_facts(**facts)),
    )
    return life


def this_hosts(**fields: str) -> Kernel:
    """A kernel for this host's architecture."""
    return fake_kernel(arch=host_architecture().name, **fields)


def test_every_phase_is_told_in_order_and_how_the_kernel_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    life, heard = replaced(monkeypatch, perf_event_paranoid=1), Heard()
    with lane_session(prepare(*KERNEL, heard), tmp_path, engine=Engine.INTERP, listener=heard) as session:
        assert life == ["up"]
        assert session.facts.settings["kernel/perf_event_paranoid"] == 1
    assert life == ["up", "down"]
    differs = "warning: kernel/perf_event_paranoid is 1, where Debian's 6.1 has 3"
    before = ["kernel...", "...kernel", "guest root...", "...guest root", "made", "boot...", "...boot"]
    assert heard.lines == [*before, "SSH...", "...SSH", "booted", differs, "engine...", "...engine"]


def test_another_kernel_than_the_one_that_was_meant_is_stopped_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    life = replaced(monkeypatch, release="6.1.0-57")
    with pytest.raises(BenchError, match=r"should be 6\.1\.0-56, but the kernel that booted is 6\.1\.0-57"):
        lane_session(prepare(*KERNEL), tmp_path).__enter__()
    assert life == ["up", "down"]


def test_an_engine_that_is_not_there_is_told_and_the_machine_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    life = replaced(monkeypatch, Interpreter)
    with pytest.raises(UserError, match="the lane debian-12/arm64/jit does not exist: built without it"):
        lane_session(prepare(*KERNEL), tmp_path, engine=Engine.JIT).__enter__()
    assert life == ["up", "down"]


def test_what_is_raised_when_the_machine_is_made_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Ends(Listener):
        def made(self, machine: Machine) -> None:
            raise MachineLost("nobody wants it any more")

    life = replaced(monkeypatch)
    with pytest.raises(MachineLost, match="nobody wants"):
        lane_session(prepare(*KERNEL), tmp_path, listener=Ends()).__enter__()
    assert life == []


def test_a_session_leaves_a_target_that_runs_already_running() -> None:
    """The real executor, and this host's agent."""
    with FakeTarget() as target:
        with session_on(target, this_hosts(release=platform.release())) as session:
            assert session.facts.uname.split()[:3] == ["Linux", platform.node(), platform.release()]
        assert target.alive


def test_the_greeting_tells_what_this_host_is() -> None:
    with FakeTarget() as target, GuestExecutor(target, Guest.of(this_hosts(release=""))) as executor:
        told = executor.facts({"kernel/pid_max", "kernel/no_such_setting", "kernel/hostname"})
    assert told.settings == {"kernel/pid_max": int(Path("/proc/sys/kernel/pid_max").read_text())}
    assert (told.release, told.version, told.machine) == (platform.release(), platform.version(), platform.machine())
    assert (told.page_size, told.hostname) == (os.sysconf("SC_PAGE_SIZE"), platform.node())
    assert told.kprobes is os.access(f"{target.tracing}/kprobe_events", os.R_OK)
    shown = Path("/proc/config.gz")
    assert told.options == (options(gzip.decompress(shown.read_bytes()).decode()) if shown.exists() else None)


def test_a_configuration_that_is_none_is_as_if_none_was_shown() -> None:
    assert _options(gzip.compress(b"CONFIG_BPF=y\n# CONFIG_X is not set\n")) == {"CONFIG_BPF": "y"}
    assert [_options(broken) for broken in (None, b"", b"no gzip", gzip.compress(b"x" * 99)[:20])] == [None] * 4


def test_what_the_kernel_shows_of_its_configuration_wins_over_the_file_that_came_with_it(tmp_path: Path) -> None:
    came = tmp_path / "config"
    came.write_text("CONFIG_BPF=y\nCONFIG_SMP=y\n")
    kernel = fake_kernel(config=came)
    shown = Environment.of(
        kernel, Engine.JIT, replace(fake_facts(), options={"CONFIG_SECURITY_PERF_EVENTS_RESTRICT": "y"})
    )
    assert shown.rules.distribution.name == "Debian"
    shown = Environment.of(kernel, Engine.JIT, replace(fake_facts(), options={"CONFIG_BPF": "y"}))
    assert shown.rules.distribution.name == "kernel.org"
    assert "it was not built with the configuration that came with it: CONFIG_SMP" in shown.surprises
    shown = Environment.of(kernel, Engine.JIT, replace(fake_facts(), options={"CONFIG_BPF": "y", "CONFIG_SMP": "y"}))
    assert not shown.other_options


def test_a_kernel_without_kprobes_is_judged_as_one_and_that_is_told() -> None:
    told = Environment.of(fake_kernel(), Engine.JIT, fake_facts(kprobes=False))
    assert not told.kprobes and not told.rules.kprobes
    assert told.surprises == ("the kernel has no kprobes, other than Debian's 6.1 on arm64",)
    old = fake_kernel("linux-4.1", version="4.1.52", era="4.1", distribution=named("vanilla"))
    more = Environment.of(old, Engine.JIT, fake_facts(kprobes=True))
    assert more.kprobes and "the kernel has kprobes, other than kernel.org's 4.1 on arm64" in more.surprises


@pytest.mark.parametrize(
    ("options", "append", "patience"),
    [
        ({}, ("maxcpus=1",), MachineSpec.patience),
        ({"all_cpus": True}, (), MachineSpec.patience),
        ({"for_gdb": True}, ("maxcpus=1", "nokaslr"), math.inf),
    ],
)
def test_machines_differ_in_what_was_decided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, bool], append: tuple[str, ...], patience: float
) -> None:
    replaced(monkeypatch)
    bootable = prepare(*KERNEL)
    assert isinstance(bootable, Bootable)
    spec = specification(bootable, tmp_path, **options)
    assert (spec.cpus, spec.append, spec.patience) == (CPUS, append, patience)


@pytest.mark.guest
@pytest.mark.needs("kprobes")
def test_a_guest_whose_kprobes_nobody_can_reach_is_taken_to_have_none(guest: LaneGuest) -> None:
    tracing = guest.executor.guest.tracing
    assert guest.session.facts.kprobes and not guest.model.environment.surprises
    assert not guest.machine.run(["mount", "-t", "tmpfs", "none", tracing]).status
    try:
        with session_on(guest.machine, guest.session.kernel) as session:
            told = session.environment(guest.lane.engine)
            assert not told.kprobes
            assert told.surprises[0].startswith("the kernel has no kprobes, other than ")
    finally:
        assert not guest.machine.run(["umount", tracing]).status


@pytest.mark.guest
def test_a_guest_tells_what_uname_tells(guest: LaneGuest) -> None:
    assert guest.session.facts.uname == guest.machine.run(["uname", "-a"]).stdout.decode().strip()
    assert guest.session.facts.cpus == CPUS
