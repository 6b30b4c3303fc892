# SPDX-License-Identifier: MIT
"""Searches over kernels that exist in a list only: what is asked, what is said of it, what is kept."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.bisect import answers
from harness.bisect.answers import Answer
from harness.bisect.behaviour import Behaviour
from harness.bisect.bisecting import By, EndSkipped, Result, bisect
from harness.bisect.candidates import between
from harness.bisect.showing import as_data, rows, sentences
from harness.lane import Engine
from harness.named import named
from hil.arch import architecture
from hil.debian.package import Package
from hil.errors import UserError
from hil.kernels.points import Point
from tests.hil.kernels.archive import Archive, debian_archive

__all__ = ["debian_archive"]
ARM64 = architecture("arm64")
VERSIONS = [f"6.12.{number}-1" for number in range(24)]


def point(version: str, kernel: str = "debian-13") -> Point:
    image = Package(f"linux-image-{version}", version, "arm64", "pool/x.deb", 1, f"sha256 of {version}")
    return Point(f"{kernel}@{version}", Archive("trixie", ARM64, ()), image, ())  # type: ignore[arg-type]


def gave(data: str, verdict: str = "agree") -> Answer:
    return Answer(Behaviour(((("value", "0"), ("data", data)),)), verdict)


def search(answer: Callable[[int], Answer], count: int = 24, by: By = By.OUTCOME) -> Result:
    points = [point(version) for version in VERSIONS[:count]]
    return bisect(points, lambda one: (answer(points.index(one)), 1), by)


def test_the_first_that_behaves_otherwise_with_a_table_of_what_was_asked() -> None:
    found = search(lambda number: gave("40" if number < 5 else "c0"))
    assert found.first is not None and found.first.name == "debian-13@6.12.5-1"
    assert found.boots <= 7
    table = [*rows(found, "good")]
    assert [row[0] for row in table] == sorted((row[0] for row in table), key=lambda name: int(name.split(".")[2][:-2]))
    assert {row[2:4] for row in table} == {("bad", "operation 0: data 40"), ("good", "operation 0: data c0")}
    said = [*sentences(found, "good")]
    assert said[0].startswith("the first good release is debian-13@6.12.5-1 (linux-image-6.12.5-1 6.12.5-1), after ")
    assert said[1] == "operation 0: data 40 before, data c0 since"
    assert json.loads(json.dumps(as_data(found, "good")))["first"] == "debian-13@6.12.5-1"


def test_a_regression_is_the_same_the_other_way_round() -> None:
    found = search(lambda number: gave("c0" if number < 20 else "40"))
    assert found.first is not None and found.first.name == "debian-13@6.12.20-1"
    assert next(sentences(found, "bad")).startswith("the first bad release")


def test_kernels_that_cannot_be_asked_are_skipped_and_told() -> None:
    lost = Answer(None, skipped="it does not boot")
    found = search(lambda number: lost if 9 <= number <= 13 else gave("40" if number < 12 else "c0"))
    assert found.first is not None and found.first.name == "debian-13@6.12.14-1"
    assert [one.name for one in found.suspects] == [f"debian-13@6.12.{number}-1" for number in range(9, 14)]
    assert ("skipped", "it does not boot") in {row[2:4] for row in rows(found, "good")}
    assert "one of debian-13@6.12.9-1, " in next(sentences(found, "good"))
    harmless = search(lambda number: lost if number == 3 else gave("40" if number < 12 else "c0"))
    assert not harmless.suspects


def test_an_end_that_cannot_be_asked_is_an_error() -> None:
    with pytest.raises(EndSkipped, match=r"6\.12\.23-1 cannot be asked: gone"):
        search(lambda number: Answer(None, skipped="gone") if number == 23 else gave("40"))


def test_ends_that_behave_alike_leave_nothing_to_search() -> None:
    found = search(lambda _: gave("40"))
    assert found.first is None and len(found.asked) == 2
    assert "behave alike" in next(sentences(found, "good"))
    assert {row[2] for row in rows(found, "good")} == {"alike"}


def test_a_third_way_is_otherwise_and_told_apart() -> None:
    found = search(lambda number: gave("40" if number < 8 else "80" if number < 15 else "c0"))
    assert found.first is not None and found.first.name == "debian-13@6.12.8-1"
    assert "good (a third way)" in {row[2] for row in rows(found, "good")}


def test_by_verdict_only_the_verdict_counts() -> None:
    def answer(number: int) -> Answer:
        return gave(f"{number:02}", "diverge at operation 3" if number < 11 else "agree")

    found = search(answer, by=By.VERDICT)
    assert found.first is not None and found.first.name == "debian-13@6.12.11-1"
    assert [*sentences(found, "good")][1] == "diverge at operation 3 before, agree since"


def names(points: Sequence[Point]) -> list[str]:
    return [one.name for one in points]


def test_between_two_versions_lie_those_of_all_releases_each_once(debian_archive: object) -> None:
    span = between("6.12.107", "6.1.170", ARM64)
    assert span.newer == "6.12.107"
    assert names(span.points) == [
        "debian-12@6.1.170", "debian-11@6.1.172", "debian-12@6.1.192", "debian-12@6.12.43", "debian-12@6.12.100",
        "debian-13@6.12.107",
    ]  # fmt: skip


def test_between_two_of_one_kernel_lie_its_own(debian_archive: object) -> None:
    span = between("debian-12@6.1.170-1", "debian-12@6.12.43", ARM64)
    assert names(span.points) == [
        "debian-12@6.1.170-1", "debian-12@6.1.170", "debian-12@6.1.192", "debian-12@6.12.43",
    ]  # fmt: skip
    assert names(between("debian-12@6.1.170", "debian-12", ARM64).points)[-1] == "debian-12@6.1.192", "its own series"
    assert names(between("debian-11", "debian-sid", ARM64).points)[-1] == "debian-sid@7.2.13"


@pytest.mark.parametrize(
    ("one", "other", "complaint"),
    [
        ("6.1.170", "debian-12@6.1.170", "are one kernel"),
        ("6.1.180", "6.1.170", r"no Linux 6\.1\.180.*debian-11@6\.1\.172 and debian-12@6\.1\.192"),
        ("debian-12@6.1.180", "6.1.170", r"no Linux debian-12@6\.1\.180"),
        ("6.1", "6.1.170", r"no Linux 6\.1 "),
        ("fast", "6.1.170", "'fast' is no kernel with versions"),
        ("linux-4.1", "6.1.170", "'linux-4.1' is no kernel with versions"),
        ("", "6.1.170", "'' is no kernel with versions"),
        ("debian-12@six", "6.1.170", "names no version"),
    ],
)
def test_ends_that_there_are_not(debian_archive: object, one: str, other: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        between(one, other, ARM64)


def test_answers_are_kept_by_kernel_and_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script, other = (named(name, "arm64", "6.12")[1] for name in ("counting", "ISA-57.least32"))
    path = answers.place(point("6.12.1-1"), Engine.JIT, script, 1)
    assert answers.read(path) is None
    answers.keep(path, gave("40", "diverge at operation 7"))
    assert answers.read(path) == gave("40", "diverge at operation 7")
    assert path == answers.place(point("6.12.1-1"), Engine.JIT, named("counting", "arm64", "6.12")[1], 1)
    others = (
        answers.place(point("6.12.2-1"), Engine.JIT, script, 1),
        answers.place(point("6.12.1-1"), Engine.INTERP, script, 1),
        answers.place(point("6.12.1-1"), Engine.JIT, other, 1),
        answers.place(point("6.12.1-1"), Engine.JIT, script, 2),
    )
    assert path not in others and len(set(others)) == 4
    path.write_text("[")
    assert answers.read(path) is None, "what is damaged is asked again"


def test_a_kernel_that_was_lost_is_asked_again_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "answers/x.json"
    answers.keep(path, Answer(Behaviour((), "lost at operation 1"), "lost"))
    answers.keep(path, Answer(None, skipped="it does not boot"))
    assert answers.read(path) is None
