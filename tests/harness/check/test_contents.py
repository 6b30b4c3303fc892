# SPDX-License-Identifier: MIT
"""What programs left in their maps, as it is recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.check.contents import contents
from harness.objects.loading import Stage, Step
from harness.run.checked import Element, MapContent
from harness.script.operations import LoadProgram, LookupElement, Operation, ReadElements, Ref
from harness.script.outcome import Outcome
from tests.harness.check.trying import failing, fared, trial
from tests.harness.objects.probes import probe

MAP = Ref("hits")
LONG = bytes(range(1, 101))


def left(operation: Operation, outcome: Outcome) -> tuple[MapContent, ...]:
    return contents(replace(trial(probe()), steps=(Step(Stage.READ, operation, "hits"),)), [outcome])


@pytest.mark.parametrize(
    ("operation", "value", "data", "expected"),
    [
        (LookupElement(MAP, bytes(4), 8), 0, (0x123).to_bytes(8, "little"), [("0", "291 (0x123)")]),
        (LookupElement(MAP, b"\x07\0\0\0", 16), 0, bytes(15) + b"\1", [("7", "00 " * 15 + "01")]),
        (LookupElement(MAP, bytes(4), 4, True), 0, b"\3" + bytes(7) + b"\4" + bytes(7), [("0", "3 | 4")]),
        (LookupElement(MAP, bytes(4), 100), 0, LONG, [("0", LONG[:64].hex(" ") + "... (100 bytes)")]),
        (ReadElements(MAP, 4, 8), 2, b"\1" + bytes(11) + b"\2" + bytes(3) + b"\5" + bytes(7), [("1", "0"), ("2", "5")]),
        (ReadElements(MAP, 4, 8), 0, b"", []),
    ],
)
def test_elements_are_told(operation: Operation, value: int, data: bytes, expected: list[tuple[str, str]]) -> None:
    (found,) = left(operation, Outcome(value=value, data=data))
    assert found == MapContent("hits", tuple(Element(*one) for one in expected))


def test_zeros_of_an_array_are_counted() -> None:
    assert left(LookupElement(MAP, bytes(4), 8), Outcome(value=0, data=bytes(8))) == (MapContent("hits", (), 1),)


def test_what_could_not_be_read_is_left_out() -> None:
    assert left(LookupElement(MAP, bytes(4), 8), Outcome(errno="EBADF")) == ()
    assert fared(trial(probe()), failing(LoadProgram, "EINVAL")).maps == ()


def test_a_program_comes_with_what_it_left() -> None:
    def says(operation: Operation) -> Outcome:
        return Outcome(value=0, data=b"\3" + bytes(7)) if isinstance(operation, LookupElement) else Outcome(value=0)

    assert fared(trial(probe()), says).maps == (MapContent("hits", (Element("0", "3"),)),)
