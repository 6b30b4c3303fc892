# SPDX-License-Identifier: MIT
"""Every clause says something, under a name of its own."""

from __future__ import annotations

import re

import pytest

from harness.clauses import clauses
from harness.core_scripts.parts import PRCTL
from harness.model.environment import Environment
from harness.model.eras import ERAS, every_era
from harness.model.executor import ModelExecutor
from harness.script.clause import NOTHING, Clause, Step, expect
from harness.script.needs import Need
from harness.script.operations import CreateKprobe, Operation, WriteKprobeEvents
from harness.script.outcome import Unpredicted
from tests.harness.clauses.lanes import scripts

NAME = re.compile(r"[A-Z]+-\d+(\.[a-z0-9_-]+(\.[0-9a-f-]+)?)?", re.IGNORECASE)


@pytest.mark.parametrize(("era", "arch"), [(rules.name, rules.arch) for rules in every_era()])
def test_every_clause_has_a_name_of_its_own(era: str, arch: str) -> None:
    names = [clause.id for clause in clauses(arch, era)]
    assert len(names) > 400
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    assert not [name for name in names if not NAME.fullmatch(name)]


def test_of_the_first_era_nearly_everything_is_predicted() -> None:
    lane = Environment(era="4.1", arch="x86_64", version_code=0x040134)
    model = ModelExecutor(lane)
    silent = {
        script.name
        for script in scripts(lane)
        if all(
            isinstance(prediction, Unpredicted)
            for prediction, expectation in zip(model.run(script), script.expected, strict=True)
            if expectation is not None
        )
    }
    # Commands of kprobe_events are not parsed, and some attributes of events have no rule.
    assert not {name for name in silent if not name.startswith(("ATTACH-01", "KP-", "PEO-", "LOG-02"))}


def test_a_clause_holds_for_the_eras_it_names() -> None:
    held = {era: {clause.id for clause in clauses("x86_64", era)} for era in ERAS}
    assert "MAP-10" in held["4.1"] and "MAP-10" not in held["5.10"]
    assert "ATTACH-12.limit" in held["7.2"] and "ATTACH-12.limit" not in held["4.1"]


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (CreateKprobe("probe", "htab_map_update_elem"), True),
        (CreateKprobe("probe", PRCTL, returns=True), True),
        (CreateKprobe("probe", PRCTL, offset=8), False),
        (expect(CreateKprobe("probe", "no_such_function"), "ENOENT"), False),
        (WriteKprobeEvents(f"p {PRCTL}"), True),
        (WriteKprobeEvents(f"r10:{{}}probe {PRCTL}+0 $retval"), True),
        (WriteKprobeEvents(f"p:{{}}probe {PRCTL}+8"), False),
        (WriteKprobeEvents("-:{}probe"), False),
        (expect(WriteKprobeEvents(f"p:{{}}a-b {PRCTL}"), "EINVAL"), False),
    ],
)
def test_a_clause_needs_probes_on_entries_when_it_makes_one(step: Operation | Step, wanted: bool) -> None:
    assert (Need.ENTRY_PROBES in Clause("X-1", "A probe is made", (step,)).script("6.12").needs) is wanted
    assert Need.ENTRY_PROBES not in Clause("X-1", "A probe is made", (step,), NOTHING).script("6.12").needs
