# SPDX-License-Identifier: MIT
"""Socket filters: how long one may be, which hangs on net.core.optmem_max and on what the verifier makes of it."""

from __future__ import annotations

import pytest

from harness.isa.assemble import R0, Piece, exit_, jeq_imm, mov64_imm, program
from harness.isa.opcodes import R1
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter
from harness.script.outcome import Outcome
from tests.harness.model.scripts import predict

LONGEST = {"4.1": 2554, "5.10": 2552, "6.1": 2550, "6.12": 16374, "7.2": 16371}
"""Seen on 4.1.52, 5.10.223 (arm64), 5.10.262, 6.1.192, 6.12.118 and 7.2.13: one instruction more is ENOMEM."""


def said(*pieces: Piece, name: str) -> str:
    load = LoadProgram("program", ProgramType.SOCKET_FILTER, program(*pieces))
    prediction = predict(load, RunSocketFilter(Ref("program"), b"packet"), name=name)[-1]
    return prediction.errno or "works" if isinstance(prediction, Outcome) else "open"


@pytest.mark.parametrize(("name", "longest"), LONGEST.items())
def test_a_socket_takes_filters_up_to_a_length(name: str, longest: int) -> None:
    assert said([mov64_imm(R0, 0)] * (longest - 1), exit_(), name=name) == "works"
    assert said([mov64_imm(R0, 0)] * longest, exit_(), name=name) == "ENOMEM"


@pytest.mark.parametrize(("name", "longest"), LONGEST.items())
def test_what_the_verifier_makes_of_a_filter_counts(name: str, longest: int) -> None:
    numbers = [mov64_imm(R0, 0)] * (longest - 8)
    assert said(numbers, exit_(), name=name) == "works"
    assert said(numbers, [mov64_imm(R0, 0)] * 8, jeq_imm(R0, 1, 1), mov64_imm(R1, 1), exit_(), name=name) == "open"
