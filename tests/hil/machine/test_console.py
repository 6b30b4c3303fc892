# SPDX-License-Identifier: MIT
"""The console's reaction to messages of the kernel, with a socket pair instead of QEMU."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from hil.machine import console
from hil.machine.console import Console, diagnose, symptoms
from hil.machine.liveness import Liveness


class Wire:
    """A console and the end that QEMU writes to."""

    def __init__(self) -> None:
        self.liveness = Liveness()
        ours, self.qemu = socket.socketpair()
        self.console = Console(ours, self.liveness)

    def prints(self, data: bytes) -> None:
        self.qemu.sendall(data)

    def end(self) -> None:
        self.qemu.close()
        self.console.drain(10)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.end()


@pytest.mark.parametrize(
    ("line", "symptom"),
    [
        ("[    1.2] Kernel panic - not syncing: Attempted to kill init!", "Kernel panic - not syncing"),
        ("[12345.678901][    T1] Kernel panic - not syncing: x", "Kernel panic - not syncing"),
        ("Kernel panic - not syncing: without a time", "Kernel panic - not syncing"),
        ("[    3.141592] BUG: kernel NULL pointer dereference, address: 0000000000000000", "BUG: "),
        ("[    3.1] Oops: 0002 [#1] PREEMPT SMP", "Oops"),
        ("[    3.1] Internal error: Oops: 96000044 [#1] SMP", "Internal error: "),
        ("[    3.1] Unable to handle kernel NULL pointer dereference at virtual address 0", "Unable to handle kernel "),
        ("[    3.1] kernel BUG at kernel/bpf/core.c:12!", "kernel BUG at "),
    ],
)
def test_trouble_is_recognised(line: str, symptom: str) -> None:
    found = diagnose(line)
    assert found is not None
    assert found.text == symptom


@pytest.mark.parametrize(
    "line",
    [
        "[    0.000000] Kernel command line: panic=-1 oops=panic",
        "[    1.0] printk: the words Kernel panic - not syncing inside a line",
        "[    1.0] Debugging: nothing",
        "",
    ],
)
def test_harmless_lines_are_no_trouble(line: str) -> None:
    assert diagnose(line) is None


def test_every_symptom_has_a_reason() -> None:
    assert all(len(symptom.why) > 10 for symptom in symptoms())
    assert {symptom.kind for symptom in symptoms()} == set(console.Kind)


def test_text_is_seen_though_its_line_has_not_ended(wire: Wire) -> None:
    wire.prints(b"[ 1.0] init\r\nhil: re")
    wire.prints(b"ady")
    assert wire.liveness.wait(lambda: wire.console.shows("hil: ready"), 10)
    assert wire.console.lines == ["[ 1.0] init", "hil: ready"]


def test_the_message_of_a_panic_loses_nothing(wire: Wire) -> None:
    wire.prints(b"[ 1.0] Kernel panic - not syncing: says a program\n")
    wire.end()
    assert wire.liveness.loss is None
    assert wire.console.panic == "Kernel panic - not syncing: says a program"


def test_panic_names_the_first_trouble_too(wire: Wire) -> None:
    wire.prints(b"[ 1.0] BUG: first thing\n[ 1.1] Oops: second\n[ 1.2] Kernel panic - not syncing: Fatal exception\n")
    wire.end()
    assert wire.console.panic == "Kernel panic - not syncing: Fatal exception (first: BUG: first thing)"


def test_an_oops_alone_is_no_panic(wire: Wire) -> None:
    wire.prints(b"[ 1.0] Oops: 0002 [#1]\n")
    wire.end()
    assert wire.console.panic is None


def test_an_orderly_reboot_is_no_panic_whatever_was_printed_before(wire: Wire) -> None:
    wire.prints(b"[ 1.0] Kernel panic - not syncing: x\n[ 9.0] reboot: Restarting system\n")
    wire.end()
    assert wire.console.panic is None


def test_a_panic_in_the_last_unended_line_counts(wire: Wire) -> None:
    wire.prints(b"[ 1.0] Kernel panic - not syncing: cut o")
    wire.end()
    assert wire.console.panic is not None


@pytest.mark.parametrize(
    ("behind", "shown", "first"), [(10, 39, "line 72"), (80, 81, "Kernel panic"), (500, 199, "r 301")]
)
def test_the_tail_of_a_panic_begins_with_its_message(wire: Wire, behind: int, shown: int, first: str) -> None:
    before = "".join(f"line {number}\n" for number in range(100))
    after = "".join(f"r {number}\n" for number in range(behind))
    wire.prints(f"{before}Kernel panic - not syncing: why\n{after}".encode())
    wire.end()
    lines = wire.console.tail().splitlines()
    assert len(lines) == shown and lines[0].startswith(first)


def test_garbage_is_kept_readable(wire: Wire) -> None:
    wire.prints(b"a\xff\xfeb\n")
    wire.end()
    assert wire.console.tail() == "a��b"


def test_a_line_without_end_is_cut(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_LONGEST_LINE", 1000)
    wire.prints(b"x" * 1001)
    assert wire.liveness.wait(lambda: sum(map(len, wire.console.lines)) == 1001, 30)
    wire.prints(b"y")
    assert wire.liveness.wait(lambda: wire.console.lines[-1] == "y", 30)


def test_only_the_last_lines_are_kept(wire: Wire) -> None:
    wire.prints(b"\n" * (console._MOST_LINES + 10) + b"the end")
    assert wire.liveness.wait(lambda: wire.console.shows("the end"), 30)
    assert len(wire.console.lines) == console._MOST_LINES
