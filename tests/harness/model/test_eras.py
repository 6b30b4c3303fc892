# SPDX-License-Identifier: MIT
"""An era is what a release, a distribution and an architecture make together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.isa.opcodes import Helper
from harness.model.architecture import ARCHITECTURES
from harness.model.distribution import DEBIAN, PARANOID_ANY, VANILLA, configured, landing_pads, paranoid_any
from harness.model.environment import Environment
from harness.model.eras import ERAS, doubtful, era, eras_of, every_era
from harness.model.executor import ModelExecutor
from harness.model.rules import DivisionByZero, JitFault, LoadCheck
from harness.model.upstream import CHANGES, LATEST, unchecked, upstream
from harness.model.upstream.linux_4_1 import LINUX_4_1
from harness.release import READ, RUN, dotted
from harness.script.operations import Script
from harness.script.outcome import Outcome
from harness.script.surroundings import ReadSetting
from hil.arch import architecture
from hil.errors import UserError
from hil.kernels import catalogue, distributions, store
from hil.kernels.configuration import options_of


def test_a_release_between_two_that_lanes_have_gets_what_is_known() -> None:
    rules = upstream((5, 15))
    assert rules.program_types == upstream((5, 10)).program_types | {31}, "SYSCALL came with 5.14"
    assert not rules.charges_locked_memory, "since 5.11"
    assert rules.verifier.prototypes[Helper.KTIME_GET_NS].gpl_only is False
    assert LoadCheck.KERNEL_VERSION not in rules.load_checks
    assert LoadCheck.KERNEL_VERSION in upstream((4, 19)).load_checks, "until 5.0"
    assert upstream((4, 19)).division_by_zero is DivisionByZero.ENDS_PROGRAM, "first seen otherwise on 5.10"


def test_what_nobody_has_looked_up_is_told() -> None:
    assert {one.sentence for one in unchecked((5, 15))} >= {"union bpf_attr has 144 bytes."}
    for known in LATEST:
        assert not unchecked(known)
    assert tuple(LATEST) == RUN


def test_what_stable_releases_got_later_is_open_between_them() -> None:
    rules = upstream((5, 15)).first_period_runs
    assert rules.in_release(5 << 16 | 15 << 8 | 100) is None
    assert upstream((7, 2)).first_period_runs.in_release(7 << 16 | 2 << 8)
    assert upstream((5, 10)).first_period_runs.in_release(5 << 16 | 10 << 8 | 223) is False


def test_a_distribution_changes_what_it_configures_and_patches() -> None:
    ours, theirs = era("6.1", "x86_64", VANILLA), era("6.1", "x86_64", DEBIAN)
    assert (ours.settings["kernel/perf_event_paranoid"], theirs.settings["kernel/perf_event_paranoid"]) == (2, 3)
    assert ours.paranoid_any > 4 and theirs.paranoid_any == 3
    assert era("6.1", "x86_64") == theirs, "the lanes of 6.1 are Debian's"
    assert "kernel/unprivileged_bpf_disabled" not in era("4.1", "x86_64", DEBIAN).settings, "it came with 4.4"
    assert era("6.12", "x86_64").landing_pads and not era("6.12", "x86_64", VANILLA).landing_pads


def test_an_architecture_has_its_own_history() -> None:
    assert not era("4.1", "arm64").kprobes and era("4.8", "arm64").kprobes
    assert era("4.1", "arm64").faults == {JitFault.STACK, JitFault.TARGET}
    assert era("4.9", "arm64").faults == {JitFault.TARGET}
    assert era("4.14", "x86_64").faults == {JitFault.DIVISOR}
    assert era("6.12", "arm64").deadly_helpers == {35, 158}
    others = (era("6.1", "arm64"), era("7.2", "arm64"), era("6.12", "x86_64"))
    assert not any(one.deadly_helpers for one in others)
    assert era("6.12", "arm64").jit_helpers == frozenset() != era("7.2", "arm64").jit_helpers
    assert era("6.12", "riscv64").jit_helpers == frozenset() and era("7.2", "riscv64").jit_helpers == {8, 35, 158}
    takes = {name: era(name, "riscv64").entry_probes for name in ("6.9", "6.10", "6.15", "6.16")}
    assert takes == {"6.9": True, "6.10": False, "6.15": False, "6.16": True}
    assert all(rules.entry_probes for rules in every_era() if rules.arch != "riscv64")


def test_an_architecture_is_younger_than_some_releases() -> None:
    assert eras_of("riscv64") == ERAS[1:]
    with pytest.raises(UserError, match=r"there is no Linux 4\.14 for riscv64; riscv64 came to Linux with 4\.15"):
        era("4.14", "riscv64")
    assert era("4.15", "riscv64").name == "4.15"


@pytest.mark.parametrize(("name", "nearest"), [("3.18", "4.1"), ("4.0", "4.1"), ("7.3", "7.2"), ("8.0", "7.2")])
def test_a_release_nobody_knows_is_an_error_that_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UserError, match=rf"nothing is known of Linux {name}") as error:
        era(name, "x86_64")
    assert nearest in (error.value.remedy or "")


@pytest.mark.parametrize("name", ["", "6", "6.1.192", "six", "6.x"])
def test_what_is_no_release_is_told(name: str) -> None:
    with pytest.raises(UserError, match="no release of Linux"):
        era(name, "x86_64")


def test_every_change_changes_something_and_says_what() -> None:
    rules = LINUX_4_1
    for one in CHANGES:
        before = replace(rules, release=one.since)
        rules = one.apply(before)
        assert rules != before, one.sentence
        assert one.sentence.endswith("."), one.sentence
        assert one.after <= one.since, one.sentence
    assert replace(rules, release=(7, 2), latest=0) == replace(upstream((7, 2)), latest=0)


def test_a_kernels_configuration_tells_its_distribution() -> None:
    ours = configured({"CONFIG_BPF": "y"})
    assert (ours.name, paranoid_any(ours), landing_pads(ours, (7, 2))) == (VANILLA.name, paranoid_any(VANILLA), False)
    off = configured({"CONFIG_BPF_UNPRIV_DEFAULT_OFF": "y", "CONFIG_X86_KERNEL_IBT": "y"})
    assert era("6.1", "x86_64", off).settings["kernel/unprivileged_bpf_disabled"] == 2
    assert era("6.1", "x86_64", off).landing_pads and not era("6.1", "arm64", off).landing_pads
    assert configured({"CONFIG_SECURITY_PERF_EVENTS_RESTRICT": "y"}).name == DEBIAN.name


def test_what_a_distribution_can_declare_is_what_the_rules_know() -> None:
    assert set(distributions.facts("setting")) == {path for name in ERAS for path in era(name, "x86_64").settings}
    assert set(distributions.facts("patch")) == set(PARANOID_ANY)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", ERAS)
def test_kernels_at_hand_are_what_the_records_of_their_lanes_say(name: str, arch: str) -> None:
    """Whatever a configuration says of its distribution, the records of a lane without a kernel at hand say too."""
    known = next(one for one in catalogue.entries().values() if one.era == name)
    kernel = store.find(known.name, architecture(arch))
    if kernel is None:
        pytest.skip(f"{known.name}/{arch} is not in the cache")
    rules, usually = era(name, arch, configured(options_of(kernel.config))), era(name, arch)
    assert replace(rules, distribution=usually.distribution) == usually
    assert (rules.settings, rules.paranoid_any) == (usually.settings, usually.paranoid_any)


def test_a_running_kernel_is_believed_and_its_difference_told() -> None:
    told = Environment("6.1", "arm64", 0, settings={"kernel/perf_event_paranoid": 1, "kernel/kptr_restrict": 0})
    assert told.surprises == ("kernel/perf_event_paranoid is 1, where Debian's 6.1 has 3",)
    assert not Environment("6.1", "arm64", 0).surprises
    script = Script("asks", "", (ReadSetting("kernel/perf_event_paranoid"), ReadSetting("kernel/perf_event_mlock_kb")))
    assert ModelExecutor(told).run(script) == [Outcome(value=1), Outcome(errno="ENOENT")]


@pytest.mark.parametrize("name", ERAS)
def test_nothing_is_to_be_said_of_a_release_that_was_checked(name: str) -> None:
    assert Environment(name, "x86_64", 0).warnings == ()


def test_a_kernel_behind_the_last_release_with_rules_is_told_as_such() -> None:
    last = max(LATEST)
    (warning,) = Environment(dotted(last), "x86_64", last[0] << 16 | last[1] + 1 << 8 | 4).warnings
    assert f"is later than {dotted(last)}" in warning
    assert not Environment(dotted(last), "x86_64", last[0] << 16 | last[1] << 8 | 200).warnings


@pytest.mark.parametrize("name", [dotted(one) for one in READ])
def test_a_release_whose_sources_were_read_has_no_doubts_and_is_told_as_such(name: str) -> None:
    assert not doubtful(name, "x86_64") and not doubtful(name, "arm64")
    assert Environment(name, "x86_64", 0).warnings == (
        f"the rules of {name} were read in its sources; nobody has held them against a running kernel",
    )


@pytest.mark.parametrize("name", ["4.9", "5.15", "6.8", "7.0"])
def test_a_release_that_nobody_checked_is_told_as_such(name: str) -> None:
    told = Environment(name, "x86_64", 0, settings={"kernel/perf_event_paranoid": -1})
    warning, *surprises = told.warnings
    assert f"the rules of {name} " in warning and "changes of later releases" in warning
    assert tuple(surprises) == told.surprises != ()
