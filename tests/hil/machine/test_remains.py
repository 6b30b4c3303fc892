# SPDX-License-Identifier: MIT
"""What is kept of a guest that died or hangs, and when it is read."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hil.errors import MachineLost
from hil.machine import speed
from hil.machine.ends import Ends
from hil.machine.liveness import GuestPanicked, GuestStopped, Liveness, QemuExited
from hil.machine.monitor import MonitorFailed
from hil.machine.postmortem import CpuState, Death, PostMortem
from hil.machine.remains import Remains

CPU = CpuState(0, "panics in x", {"rax": "0x1", "rbx": "0x2"}, ("0x10 x+0x1", "0x20 y+0x2"), "BPF program 'p'")


class Printed:
    """A console that printed what it is given."""

    restarts = False
    first_trouble = None

    def __init__(self, *lines: str, panic: str | None = None) -> None:
        self.lines, self.panic = lines, panic

    def tail(self, _: int) -> str:
        return "\n".join(self.lines)

    def drain(self, _: float) -> None:
        pass


class Asked:
    """An examiner that counts."""

    def __init__(self) -> None:
        self.deaths: list[Death] = []

    def __call__(self, death: Death) -> PostMortem:
        self.deaths.append(death)
        return PostMortem(death, "CPU 0 panics in x", (CPU,))


class Qmp:
    """A monitor of a guest that ended for a reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.asked: list[str] = []

    def shutdown_reason(self) -> str:
        return self.reason

    def quit(self, _: float) -> None:
        self.asked.append("quit")


class Stuck(Qmp):
    """A monitor that answers no more."""

    def quit(self, _: float) -> None:
        raise MonitorFailed("QEMU did not answer")


def ends(folder: Path, console: Any, reason: str = "guest-reset") -> tuple[Ends, Remains, Asked, Liveness]:
    liveness, remains, examiner = Liveness(), Remains(folder), Asked()
    remains.examiner = examiner
    made = Ends(liveness, remains, lambda: "")
    made.console = console
    made.monitor = Qmp(reason)  # type: ignore[assignment]
    return made, remains, examiner, liveness


def test_a_panic_is_read_before_qemu_ends_and_kept_in_files(tmp_path: Path) -> None:
    made, remains, examiner, liveness = ends(tmp_path, Printed("oops", "Kernel panic", panic="Kernel panic"))
    made.changed_state("shutdown")
    assert examiner.deaths == [Death.CRASH] and liveness.loss is None
    monitor: Any = made.monitor
    assert monitor.asked == ["quit"]
    made.exited(0)
    assert liveness.loss is not None and liveness.loss.error is GuestPanicked
    assert remains.found is not None
    assert remains.found.sentence == "Kernel panic; CPU 0 panics in x"
    assert remains.found.console == ("oops", "Kernel panic")
    assert json.loads((tmp_path / "postmortem.json").read_text())["cpus"][0]["registers"] == {
        "rax": "0x1",
        "rbx": "0x2",
    }
    text = (tmp_path / "postmortem.txt").read_text()
    for line in ("CPU 0: panics in x", "  BPF program 'p'", "  #1 0x20 y+0x2", "   rax 0x1    rbx 0x2", "  oops"):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("panic", "cause", "error", "reason"),
    [
        ("Kernel panic", "guest-reset", GuestPanicked, "the guest's kernel panicked: Kernel panic"),
        (None, "guest-shutdown", GuestStopped, "the guest ended (guest-shutdown), and QEMU does not end: QEMU did not"),
    ],
)
def test_a_qemu_that_does_not_end_when_it_is_asked_loses_its_machine(
    panic: str | None,
    cause: str,
    error: type[MachineLost],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "scale", lambda: 0.01)
    made, remains, _, liveness = ends(tmp_path, Printed(panic=panic), cause)
    made.monitor = Stuck(cause)  # type: ignore[assignment]
    made.changed_state("shutdown")
    assert liveness.loss is not None and liveness.loss.error is error and liveness.loss.reason.startswith(reason)
    assert (remains.found and remains.found.sentence) == (f"{panic}; CPU 0 panics in x" if panic else None)


def test_a_qemu_that_ended_before_it_answered_ended_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, _, liveness = ends(tmp_path, Printed(), "guest-shutdown")

    class Ending(Qmp):
        def quit(self, _: float) -> None:
            threading.Thread(target=made.exited, args=(0,)).start()
            raise MonitorFailed("QMP quit: EOF")

    made.monitor = Ending("guest-shutdown")  # type: ignore[assignment]
    made.changed_state("shutdown")
    assert liveness.loss is not None and liveness.loss.reason == "QEMU ended with status 0 (guest-shutdown)"


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (35, "signal 35")])
def test_a_signal_is_told_by_its_name_or_its_number(number: int, name: str, tmp_path: Path) -> None:
    made, _, _, liveness = ends(tmp_path, Printed())
    made.exited(-number)
    assert liveness.loss is not None and liveness.loss.reason == f"QEMU was killed by {name}"


def test_a_guest_that_restarts_or_powers_off_in_order_is_not_read(tmp_path: Path) -> None:
    console = Printed()
    console.restarts = True
    for reason in ("guest-reset", "guest-shutdown"):
        made, remains, examiner, _ = ends(tmp_path, console, reason)
        made.changed_state("shutdown")
        monitor: Any = made.monitor
        assert (examiner.deaths, remains.found, monitor.asked) == ([], None, ["quit"])
    assert not list(tmp_path.iterdir())


def test_a_qemu_that_was_killed_leaves_a_note(tmp_path: Path) -> None:
    made, remains, examiner, liveness = ends(tmp_path, Printed("last words"))
    made.exited(-9)
    assert not examiner.deaths and liveness.loss is not None and liveness.loss.error is QemuExited
    assert remains.found is not None and remains.found.death is Death.GONE
    assert remains.found.notes == ("registers and stacks: not known, since the guest's memory ended with it",)
    assert remains.found.console == ("last words",)


def test_a_machine_that_the_bench_stopped_leaves_nothing(tmp_path: Path) -> None:
    made, remains, _, liveness = ends(tmp_path, Printed())
    liveness.lose(SimpleNamespace(reason="stopped", error=QemuExited))  # type: ignore[arg-type]
    made.exited(-15)
    made.silent(stopped=False)
    assert remains.found is None


def test_a_hang_is_looked_at_once_and_a_later_death_as_well(tmp_path: Path) -> None:
    made, remains, examiner, _ = ends(tmp_path, Printed(panic="Kernel panic"))
    made.silent(stopped=False)
    made.silent(stopped=False)
    made.changed_state("shutdown")
    assert examiner.deaths == [Death.HANG, Death.CRASH]
    assert remains.found is not None and remains.found.death is Death.CRASH


def test_every_hang_is_looked_at_and_keeps_its_files(tmp_path: Path) -> None:
    made, remains, examiner, _ = ends(tmp_path, Printed("first"))
    made.silent(stopped=False)
    first = remains.found
    remains.answered()
    assert remains.found is None, "a loss that comes now has nothing to do with that hang"
    made.console = Printed("second")  # type: ignore[assignment]
    made.silent(stopped=False)
    assert examiner.deaths == [Death.HANG, Death.HANG]
    assert first is not None and remains.found is not None
    for left, printed in ((first, "first"), (remains.found, "second")):
        text = (tmp_path / f"{left.file}.txt").read_text()
        assert left.console == (printed,) and text.endswith(f"{printed}\n")
        assert f"{left.file}.txt" in list(left.short())[-1]
    remains.answered()
    made.exited(-9)
    assert remains.found is not None and remains.found.death is Death.GONE, "what is later is not told by a hang"


def test_a_death_is_not_over_by_an_answer(tmp_path: Path) -> None:
    made, remains, _, _ = ends(tmp_path, Printed(panic="Kernel panic"))
    made.changed_state("shutdown")
    remains.answered()
    assert remains.found is not None and remains.found.death is Death.CRASH


def test_a_stopped_qemu_is_not_asked(tmp_path: Path) -> None:
    made, remains, examiner, _ = ends(tmp_path, Printed())
    made.silent(stopped=True)
    assert not examiner.deaths and remains.found is not None
    assert "the QEMU process is stopped, as by SIGSTOP" in remains.found.notes[0]


@pytest.mark.parametrize("error", [MonitorFailed("QMP: EOF"), ZeroDivisionError("in an unwinder")])
def test_an_examination_that_fails_is_told_and_hides_no_death(error: Exception, tmp_path: Path) -> None:
    made, remains, _, liveness = ends(tmp_path, Printed(panic="Kernel panic"))

    def fail(_: Death) -> PostMortem:
        raise error

    remains.examiner = fail
    made.changed_state("shutdown")
    made.exited(0)
    assert liveness.loss is not None and liveness.loss.error is GuestPanicked
    assert remains.found is not None and str(error) in remains.found.notes[0]


def test_a_folder_that_cannot_be_written_hides_nothing(tmp_path: Path) -> None:
    made, remains, _, _ = ends(tmp_path / "gone", Printed(panic="Kernel panic"))
    made.changed_state("shutdown")
    assert remains.found is not None


def test_without_an_examiner_nothing_is_kept(tmp_path: Path) -> None:
    made, remains, _, _ = ends(tmp_path, Printed(panic="Kernel panic"))
    remains.examiner = None
    made.changed_state("shutdown")
    made.exited(-9)
    assert remains.found is None
