# SPDX-License-Identifier: MIT
"""The search: it finds the turn, asks as few as it may, and is honest about those it cannot ask."""

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from harness.bisect.search import Found, first_other, most_asked


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, int, frozenset[int]]:
    """How many there are, which is the first of the new kind, which cannot be told; the ends can."""
    count = draw(st.integers(2, 200))
    turn = draw(st.integers(1, count - 1))
    untold = draw(st.frozensets(st.integers(1, 198), max_size=count))
    return count, turn, frozenset(number for number in untold if number < count - 1)


@given(rows())
def test_the_turn_is_found_with_as_few_questions_as_it_takes(row: tuple[int, int, frozenset[int]]) -> None:
    count, turn, untold = row
    asked: list[int] = []

    def ask(number: int) -> bool | None:
        asked.append(number)
        return None if number in untold else number < turn

    found = first_other(count, ask)
    assert len(asked) == len(set(asked)), "none is asked twice"
    assert {0, count - 1}.isdisjoint(asked), "the ends are known"
    skips = len(untold & set(asked))
    assert 2 + len(asked) <= most_asked(count) + skips
    assert len(asked) <= ceil(log2(count)) + skips
    if not skips:
        assert found == Found(turn, ())
    assert turn == found.first or turn in found.suspects
    assert set(found.suspects) <= untold, "who can be told is no suspect"
    assert found.first not in untold


@given(st.integers(2, 60), st.data())
def test_where_it_turns_more_than_once_one_of_the_turns_is_found(count: int, data: st.DataObject) -> None:
    inner = data.draw(st.lists(st.booleans(), min_size=count - 2, max_size=count - 2))
    row = [True, *inner, False]
    found = first_other(count, row.__getitem__)
    assert row[found.first - 1] and not row[found.first]


def test_seven_are_enough_for_twenty_four() -> None:
    assert most_asked(24) == 7
    assert [most_asked(count) for count in (2, 3, 4, 5, 6)] == [2, 3, 4, 4, 5]
