# SPDX-License-Identifier: MIT
"""Long values on a line: both ends stay, and what is left out is counted."""

from harness.script.brief import brief


def test_short_values_stay_as_they_are() -> None:
    assert brief(f"0, data {'00' * 32}") == f"0, data {'00' * 32}"


def test_long_bytes_are_cut_in_their_middle_and_what_is_behind_them_stays() -> None:
    said = brief(f"RunSocketFilter(program=p, packet={'00' * 511}07): predicted 1; saw 2")
    assert said == f"RunSocketFilter(program=p, packet={'0' * 32}...512 bytes...{'0' * 14}07): predicted 1; saw 2"


def test_anything_else_is_cut_in_its_middle() -> None:
    said = brief(f"log '{'x' * 1000}' ends here", 90)
    assert said.startswith("log 'xxx") and said.endswith("xxx' ends here")
    assert " 926 characters " in said and len(said) < 130


def test_bytes_within_a_word_are_no_bytes() -> None:
    assert brief(f"name{'ab' * 40}", 1000) == f"name{'ab' * 40}"
