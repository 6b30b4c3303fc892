# SPDX-License-Identifier: MIT
"""Every message a program can bring about, with its errno, at its instruction, at the end of the log."""

from __future__ import annotations

import pytest

from harness.model.verifier import LogRequest
from tests.harness.model.verifier.lanes import check
from tests.harness.model.verifier.rejections import REJECTIONS, Rejection

UNREACHABLE = {16, 18, 19, 20, 24, 25, 43, 44, 46, 60, 63}
"""Rows for the kernel's own mistakes, and for want of memory."""


@pytest.mark.parametrize("rejection", REJECTIONS, ids=[f"{row.row}-{number}" for number, row in enumerate(REJECTIONS)])
def test_a_program_is_refused_for_the_reason_of_its_row(rejection: Rejection) -> None:
    verdict = check(rejection.instructions, rejection.kind, gpl=rejection.gpl)
    assert (verdict.errno, verdict.message, verdict.at) == (rejection.errno, rejection.message, rejection.at)
    assert verdict.log is not None
    if rejection.message:
        assert verdict.log.lines[-1] == rejection.message


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: rejection.row)
def test_the_verdict_does_not_hang_on_the_log(rejection: Rejection) -> None:
    silent = check(rejection.instructions, rejection.kind, gpl=rejection.gpl, log=LogRequest())
    assert (silent.errno, silent.message, silent.at) == (rejection.errno, rejection.message, rejection.at)
    assert silent.log is None


def test_every_row_of_the_table_has_a_program() -> None:
    assert {int(rejection.row[2:]) for rejection in REJECTIONS} == set(range(1, 64)) - UNREACHABLE
