# SPDX-License-Identifier: MIT
"""Clauses about what distributions do otherwise are held against the kernels that they are about."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from harness.clauses import clauses
from harness.model.environment import Environment
from harness.model.eras import ERAS, era
from harness.model.executor import ModelExecutor
from harness.script.clause import Clause
from harness.script.outcome import Outcome
from hil.kernels.distributions import Distribution, declared, named, of_kernel

OFF = {"CONFIG_BPF_UNPRIV_DEFAULT_OFF": "y"}
ACME = declared(
    {"name": "Acme", "settings": {"kernel/perf_event_paranoid": 1, "kernel/unprivileged_bpf_disabled": 1}}, "here"
)
THEIRS = {
    "debian": named("debian"),
    "vanilla": of_kernel(named("vanilla"), {}),
    "vanilla-off": of_kernel(named("vanilla"), OFF),
    "acme": of_kernel(ACME, OFF, declared=True),
}
ABOUT = ("PEO-10*", "SYS-01*", "SYSCTL-0*")


def about(name: str, whose: Distribution | None = None) -> dict[str, Clause]:
    found = [one for one in clauses("x86_64", name, whose) if any(fnmatch(one.id, pattern) for pattern in ABOUT)]
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


@pytest.mark.parametrize("whose", THEIRS)
@pytest.mark.parametrize("name", ERAS[1:])
def test_model_and_clauses_say_the_same_of_each_distribution(name: str, whose: str) -> None:
    where = Environment(name, "x86_64", era(name, "x86_64").latest, cpus=2, distribution=THEIRS[whose])
    model = ModelExecutor(where)
    for clause in about(name, THEIRS[whose]).values():
        script = clause.script(name)
        for number, (said, expected) in enumerate(zip(model.run(script), script.expected, strict=True)):
            if expected is not None and isinstance(said, Outcome):
                assert (said.errno is None) == (expected.errno is None), (clause.id, number, said, expected)
                assert said.errno is None or said.errno == expected.errno, (clause.id, number)
                if isinstance(said.value, int) and isinstance(expected.value, int):
                    assert said.value == expected.value, (clause.id, number)


def test_what_hangs_on_the_distribution_is_said_of_each_that_has_it() -> None:
    rows = {whose: about("6.1", one) for whose, one in THEIRS.items()}
    patched, plain = rows["debian"]["PEO-10.user-only-3"], rows["vanilla"]["PEO-10.user-only-3"]
    assert patched.sentence == plain.sentence and patched.steps != plain.steps
    assert "SYS-01.create" in rows["acme"] and "SYS-01.create" not in rows["vanilla"]
    assert "SYSCTL-02" not in rows["acme"], "nobody says that 1 is a default there"
    assert {"SYSCTL-02", "SYSCTL-04"} <= set(rows["vanilla-off"])


@pytest.mark.parametrize("name", ERAS)
def test_lanes_have_the_clauses_of_their_distribution(name: str) -> None:
    usual = named("vanilla" if name == "4.1" else "debian")
    assert [one.id for one in clauses("x86_64", name)] == [one.id for one in clauses("x86_64", name, usual)]


@pytest.mark.parametrize("whose", THEIRS)
def test_a_setting_that_a_release_does_not_have_decides_nothing(whose: str) -> None:
    """4.1 has no kernel.unprivileged_bpf_disabled: bpf(2) is for root alone there, whoever made the kernel."""
    assert {"SYS-01.load", "SYS-01.create"} <= about("4.1", THEIRS[whose]).keys()
