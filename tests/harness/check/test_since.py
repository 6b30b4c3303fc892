# SPDX-License-Identifier: MIT
"""Which release brought something: never more than is known."""

from __future__ import annotations

import pytest

from harness.check import since
from harness.isa.assemble import R0, Helper, call, exit_, mov64_imm
from harness.lowering.verifier_log import read
from harness.model.upstream import CHANGES
from harness.release import dotted
from harness.script.operations import LoadProgram
from tests.harness.check.trying import failing, fared, trial
from tests.harness.objects.probes import probe


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.sentence[:40])
def test_a_remedy_says_no_more_than_the_rule(change: since.Change) -> None:
    rule, remedy = since.says(change), since.needs(change)
    if change.after < change.since:
        assert remedy == f"needs a release after {dotted(change.after)}; {dotted(change.since)} is known to have it"
        assert f"after {dotted(change.after)}" in rule
    else:
        assert remedy == f"needs Linux {dotted(change.since)}"


@pytest.mark.parametrize(
    ("helper", "era", "remedy"),
    [
        (Helper.GET_FUNC_IP, "5.10", "needs a release after 5.10; 6.1 is known to have it"),
        (Helper.GET_CURRENT_TASK, "4.1", "needs Linux 4.8"),
    ],
)
def test_a_helper_of_a_later_release(helper: Helper, era: str, remedy: str) -> None:
    one = trial(probe("kprobe/cap_task_prctl", call(helper), mov64_imm(R0, 0), exit_()), era)
    log = read(f"0: (85) call unknown#{int(helper)}\ninvalid func unknown#{int(helper)}\n")
    (why,) = fared(one, failing(LoadProgram, "EINVAL"), era, reading=log).whys
    assert (why.kind, why.remedy) == ("helper", remedy)
