# SPDX-License-Identifier: MIT
"""Each kernel is judged by the records of whoever made it: kernel.org, Debian, or somebody whom a user declared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.lane import Engine
from harness.model.distribution import paranoid_any
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.script.operations import Script
from harness.script.outcome import Outcome
from harness.script.surroundings import ReadSetting
from harness.session import session_on
from hil import guestroot
from hil.arch import architecture
from hil.kernels import importing, store
from hil.kernels.distributions import declared
from hil.kernels.entry import Parts
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec
from tests.borrowed_kernels import forget

PARANOID = "kernel/perf_event_paranoid"
ACME = declared({"name": "Acme", "patches": ["perf-event-restrict"], "settings": {PARANOID: 2}}, "this test")


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize(("name", "whose"), [("linux-4.1", "kernel.org"), ("debian-12", "Debian")])
def test_a_kernel_at_hand_has_the_records_of_its_maker(name: str, whose: str, arch: str) -> None:
    found = store.distribution(name, architecture(arch))
    if found is None:
        pytest.skip(f"{name}/{arch} is not in the cache")
    assert found.name == whose
    assert (paranoid_any(found) == 3) == (whose == "Debian")


@pytest.fixture
def acme() -> Iterator[Kernel]:
    """Debian 12's kernel under another name, as if somebody else had configured it."""
    arch = architecture("x86_64")
    real = store.get("debian-12", arch)
    assert real.modules is not None
    name = f"acme-{os.getpid()}"
    yield importing.add(name, Parts(real.image, real.config, real.modules), distribution=ACME)
    forget(name, arch)


@pytest.mark.guest
def test_a_kernel_with_another_default_is_judged_by_what_was_declared(acme: Kernel, tmp_path: Path) -> None:
    told = f"sysctl.{PARANOID.replace('/', '.')}=2"
    spec = MachineSpec(acme, guestroot.build(acme), tmp_path, append=(told,))
    script = Script("asks", "", (ReadSetting(PARANOID),))
    with Machine(spec) as machine, session_on(machine, acme) as session:
        believed = session.environment(Engine.INTERP)
        (seen,) = session.executor.run([script])
    assert believed.rules.distribution.name == "Acme" and not believed.surprises
    recorded = replace(believed, settings=None)
    assert recorded.rules.settings[PARANOID] == 2
    assert ModelExecutor(recorded).run(script) == list(seen.outcomes) == [Outcome(value=2)]
    debians = replace(believed, distribution=None)
    assert debians.surprises == (f"{PARANOID} is 2, where Debian's 6.1 has 3",)
    assert isinstance(debians, Environment)
