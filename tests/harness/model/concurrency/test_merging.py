"""What several orders predict is one prediction that admits each of them, and nothing far from them."""

import pytest

from harness.compare import admits
from harness.model.concurrency.merging import merge
from harness.script.outcome import Bytes, Either, Lost, Outcome, Prediction, Sample, Unknown, Unpredicted


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
            (Outcome(value=0, branches=((Outcome(value=1),),)), Outcome(value=0, branches=((Outcome(value=3),),))),
            Outcome(value=0, branches=((Outcome(value=2),),)),
            Outcome(value=0, branches=((Outcome(value=4),),)),
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
        return Outcome(value=0, branches=((first,), (second,)))

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
