# SPDX-License-Identifier: MIT
"""What several orders predict is one prediction that admits each of them, and nothing far from them."""

import pytest

from harness.model.concurrency.merging import merge
from harness.script.matching import admits
from harness.script.outcome import (
    Bytes,
    Either,
    Lost,
    Message,
    Outcome,
    Piece,
    Prediction,
    Sample,
    Unknown,
    Unpredicted,
)


def merged(*outcomes: Prediction) -> Outcome | Either:
    found = merge(outcomes)
    assert not isinstance(found, Unpredicted)
    return found


@pytest.mark.parametrize(
    ("outcomes", "between", "beyond"),
    [
        ((Outcome(value=3), Outcome(value=7)), Outcome(value=5), Outcome(value=8)),
        (
            (Outcome(value=0, data=b"\x01" + bytes(7)), Outcome(value=0, data=b"\x09" + bytes(7))),
            Outcome(value=0, data=b"\x05" + bytes(7)),
            Outcome(value=0, data=b"\x0a" + bytes(7)),
        ),
        (
            (Outcome(value=1, records=(Sample(cpu=0, pid=5),)), Outcome(value=1, records=(Sample(cpu=1, pid=5),))),
            Outcome(value=1, records=(Sample(cpu=1, pid=5),)),
            Outcome(value=1, records=(Sample(cpu=0, pid=6),)),
        ),
        (
            (Outcome(value=0, threads=((Outcome(value=1),),)), Outcome(value=0, threads=((Outcome(value=3),),))),
            Outcome(value=0, threads=((Outcome(value=2),),)),
            Outcome(value=0, threads=((Outcome(value=4),),)),
        ),
        (
            (Outcome(value=Unknown("a number", least=3)), Outcome(value=1)),
            Outcome(value=1 << 40),
            Outcome(value=0),
        ),
    ],
)
def test_numbers_may_lie_between(outcomes: tuple[Outcome, ...], between: Outcome, beyond: Outcome) -> None:
    together = merged(*outcomes)
    for outcome in (*outcomes, between):
        settled = outcome if isinstance(outcome.value, int) else Outcome(value=3)
        assert admits(together, settled, {})
    assert not admits(together, beyond, {})


def test_numbers_next_to_each_other_are_merged_one_by_one() -> None:
    together = merged(Outcome(value=0, data=bytes(15) + b"\x01"), Outcome(value=0, data=bytes(16)))
    assert isinstance(together, Outcome) and isinstance(together.data, Bytes)
    assert [(piece.offset, piece.size) for piece in together.data.unknown] == [(8, 8)]


def test_what_goes_together_stays_together() -> None:
    """Of two that want the same thing one gets it: both or neither is not among the outcomes."""

    def pair(first: Outcome, second: Outcome) -> Outcome:
        return Outcome(value=0, threads=((first,), (second,)))

    got, late = Outcome(value=0), Outcome(errno="EEXIST")
    together = merged(pair(got, late), pair(late, got), pair(got, late))
    assert isinstance(together, Either) and len(together.outcomes) == 2
    assert admits(together, pair(late, got), {}) and admits(together, pair(got, late), {})
    assert not admits(together, pair(got, got), {}) and not admits(together, pair(late, late), {})


def test_records_of_another_kind_or_number_are_another_outcome() -> None:
    together = merged(Outcome(value=1, records=(Lost(1),)), Outcome(value=1, records=(Sample(),)))
    assert isinstance(together, Either)


def test_equal_predictions_are_left_as_they_are_and_a_missing_one_is_missing() -> None:
    one = Outcome(value=Unknown("a number"))
    assert merge([one, Outcome(value=Unknown("a number"))]) == one
    assert merge([Outcome(value=1), Unpredicted("no rule")]) == Unpredicted("no rule")


def test_what_records_hold_is_merged_number_by_number() -> None:
    padding = (Piece(8, 4, Unknown("padding of a sample")),)

    def ring(*numbers: int) -> Outcome:
        return Outcome(value=2, records=tuple(Message(bytes([number, *bytes(7)]), page=3) for number in numbers))

    def samples(*numbers: int) -> Outcome:
        raw = (Bytes(bytes([number, *bytes(11)]), padding) for number in numbers)
        return Outcome(value=2, records=tuple(Sample(raw=one) for one in raw))

    assert admits(merged(ring(1, 2), ring(2, 1)), ring(2, 1), {})
    assert not admits(merged(ring(1, 2), ring(2, 1)), ring(1, 3), {})
    seen = Outcome(value=2, records=(Sample(raw=b"\2" + bytes(11)), Sample(raw=b"\1" + bytes(7) + b"pads")))
    assert admits(merged(samples(1, 2), samples(2, 1)), seen, {})
    assert not admits(merged(samples(1, 2), samples(1, 1)), seen, {})


def test_records_of_another_length_are_another_outcome() -> None:
    short, long = (Outcome(value=1, records=(Message(bytes(size), page=3),)) for size in (8, 16))
    assert admits(merged(short, long), long, {})
    assert not admits(merged(short, long), Outcome(value=1, records=(Message(bytes(12), page=3),)), {})


def test_lines_of_texts_may_come_in_any_order_and_are_judged_all_the_same() -> None:
    texts = [Outcome(value=3, log=log) for log in ("a\na\nb\n", "b\na\na\n")]
    assert admits(merged(*texts), Outcome(value=3, log="a\nb\na\n"), {})
    assert not admits(merged(*texts), Outcome(value=3, log="a\nb\nb\n"), {})
    assert isinstance(merge([*texts, Outcome(value=3, log="a\nc\nb\n")]), Unpredicted)
