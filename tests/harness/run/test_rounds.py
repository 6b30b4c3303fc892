# SPDX-License-Identifier: MIT
"""What is made of a script's rounds, without any guest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.compare import Verdict
from harness.run.results import OperationReport, ScriptResult
from harness.run.rounds import numbers, summed
from tests.harness.reports import ATTACH, LANES, result

OK, NO, KNOWN, LOST = (
    result(LANES[0], "counting", verdict) for verdict in (Verdict.AGREE, Verdict.DIVERGE, Verdict.KNOWN, Verdict.LOST)
)


def one(*rounds: ScriptResult) -> ScriptResult:
    (made,) = summed(rounds)
    return made


def saw(observation: str, of: ScriptResult = NO) -> ScriptResult:
    """A divergence with another observation."""
    return replace(of, operation=replace(ATTACH, observation=observation))


def unpredicted(observation: str) -> ScriptResult:
    return replace(OK, unpredicted=(OperationReport(1, "Close(event=e)", "unpredicted: no rule", observation),))


def test_one_round_is_what_it_was() -> None:
    assert one(NO) == NO


def test_rounds_that_are_alike_are_one_result_with_the_median_of_their_times() -> None:
    rounds = (replace(OK, seconds=seconds) for seconds in (1.0, 9.0, 2.0))
    assert one(*rounds) == replace(OK, seconds=2.0, rounds=3)


@pytest.mark.parametrize(
    "rounds",
    [
        (OK, NO),
        (NO, OK, OK),
        (OK, KNOWN),
        (KNOWN, NO),
        (saw("1"), saw("2")),
        (NO, replace(NO, operation=replace(ATTACH, index=5))),
        (unpredicted("0"), unpredicted("EEXIST")),
        (unpredicted("0, data 00"), unpredicted("0, data 01")),
    ],
)
def test_rounds_that_differ_are_flaky(rounds: tuple[ScriptResult, ...]) -> None:
    made = one(*rounds)
    assert (made.verdict, made.rounds, len(made.sightings)) == (Verdict.FLAKY, len(rounds), 2)


@pytest.mark.parametrize(
    "rounds",
    [
        (saw("1", KNOWN), saw("2", KNOWN)),  # an entry excuses an operation, whatever was seen there
        (unpredicted("EACCES, log 'map at 0x1'"), unpredicted("EACCES, log 'map at 0x2'")),
        (saw("EACCES, log 'map at 0x1'"), saw("EACCES, log 'map at 0x2'")),
        (LOST, replace(LOST, reason="it died of something else")),
    ],
)
def test_what_may_vary_from_round_to_round(rounds: tuple[ScriptResult, ...]) -> None:
    assert one(*rounds) == replace(rounds[0], rounds=2)


def test_every_sighting_tells_its_rounds_and_what_was_seen() -> None:
    made = one(OK, OK, NO, OK, saw("7"))
    assert [(seen.rounds, seen.verdict, seen.operation) for seen in made.sightings] == [
        ((1, 2, 4), Verdict.AGREE, None),
        ((3,), Verdict.DIVERGE, ATTACH),
        ((5,), Verdict.DIVERGE, replace(ATTACH, observation="7")),
    ]
    assert made.reason.startswith("agree in rounds 1-2, 4; diverge in round 3: operation 4, Attach: differs; ")
    assert made.operation == ATTACH


def test_what_varied_of_an_unpredicted_operation_is_said() -> None:
    assert one(unpredicted("0"), unpredicted("EEXIST")).reason == (
        "agree in round 1: operation 1, Close(event=e): unpredicted; saw 0; "
        "agree in round 2: operation 1, Close(event=e): unpredicted; saw EEXIST"
    )


def test_a_round_that_was_lost_outranks_what_the_others_gave() -> None:
    made = one(OK, LOST, NO)
    assert made.verdict is Verdict.LOST
    assert [seen.verdict for seen in made.sightings] == [Verdict.AGREE, Verdict.LOST, Verdict.DIVERGE]
    assert "lost in round 2: why it is lost" in made.reason


def test_a_hundred_different_rounds_have_a_short_reason() -> None:
    made = one(*(saw(str(number)) for number in range(100)))
    assert len(made.sightings) == 100
    assert len(made.reason) < 500 and made.reason.endswith("; 96 other things in other rounds")


def test_results_keep_the_order_of_the_first_round() -> None:
    places = [(lane, script) for lane in LANES for script in ("b", "a")]
    made = summed([result(*place) for _ in range(3) for place in places])
    assert [(seen.lane, seen.script) for seen in made] == places


@pytest.mark.parametrize(
    ("rounds", "words"), [((3,), "round 3"), ((1, 2, 3), "rounds 1-3"), ((1, 3, 4, 6), "rounds 1, 3-4, 6")]
)
def test_rounds_in_words(rounds: tuple[int, ...], words: str) -> None:
    assert numbers(rounds) == words
