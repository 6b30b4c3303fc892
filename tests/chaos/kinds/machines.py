# SPDX-License-Identifier: MIT
"""Machines that die: the run continues with another one, and reports why the first one was lost."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence

import psutil

from hil.machine.waits import BOOT, QMP_ANSWER
from tests.chaos import guest
from tests.chaos.kind import LEAVING, THROUGH, Kind, check_record, verdicts
from tests.chaos.trial import Trial

_WATCHED = ("round 1 of", "round 2 of")


def run(trial: Trial) -> list[str]:
    """The arguments of a run that takes long enough to inject a fault, and ends by itself."""
    return ["run", "--lanes", trial.lane(), "--scripts", "a*", "--repeat", "15"]


def short(trial: Trial) -> list[str]:
    """The arguments of a run of a single script."""
    return ["run", "--lanes", trial.lane(), "--scripts", "lookup"]


class QemuKilled(Kind):
    """A signal ends QEMU at any time after its start."""

    name = "qemu-killed"
    weight = 3
    bound = 10.0
    """The end of a process is noticed at once; the rest is for a busy host."""

    def inject(self, trial: Trial) -> None:
        number = trial.random.choice((signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM))
        trial.facts["signal"] = number
        trial.start(run(trial))
        trial.moment("booting", "booted", *_WATCHED, span=4.0)
        (machine, *_) = trial.machines()
        trial.strike()
        with contextlib.suppress(psutil.NoSuchProcess):  # the run may have ended meanwhile
            machine.send_signal(number)
        trial.notice("QEMU")

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return lost(trial, codes[0])


class InGuest(Kind):
    """A shell command in the guest that ends the guest or the agent."""

    command: str
    words = "lost"
    bound = 30.0

    def inject(self, trial: Trial) -> None:
        trial.start(run(trial))
        trial.moment(*_WATCHED, span=2.0)
        guest.do(trial, self.command)
        trial.notice(self.words)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return lost(trial, codes[0])


class GuestPanics(InGuest):
    """The guest's kernel panics."""

    name = "guest-panics"
    weight = 2
    command = "echo c >/proc/sysrq-trigger"
    words = "panic"


class GuestReboots(InGuest):
    """The guest reboots itself."""

    name = "guest-reboots"
    command = "echo b >/proc/sysrq-trigger"


class GuestPowersOff(InGuest):
    """The guest powers itself off."""

    name = "guest-powers-off"
    command = "echo o >/proc/sysrq-trigger"


class AgentKilled(InGuest):
    """The agent is killed: its script is lost, and the machine is used further."""

    name = "agent-killed"
    command = "killall -9 hil-agent"


class QemuStopped(Kind):
    """QEMU is stopped (SIGSTOP) while its guest boots or works: it is lost within the deadlines, and the error says
    so."""

    name = "qemu-stopped"
    patient = True
    bound = BOOT.seconds + QMP_ANSWER.seconds + LEAVING
    """The longest of the deadlines; those while the guest works are shorter."""

    def prepare(self, trial: Trial) -> None:
        trial.environment["HIL_TIME_SCALE"] = "1"  # on a busy host this would be the campaign's longest trial

    def inject(self, trial: Trial) -> None:
        trial.start(run(trial))
        trial.moment("booting", *_WATCHED, span=2.0)
        (machine, *_) = trial.machines()
        trial.strike()
        machine.suspend()

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return lost(trial, codes[0])


class InGuestSurvived(Kind):
    """A shell command in the guest that exhausts a resource: the run continues, or the machine is lost and reported."""

    command: str
    bound = THROUGH + LEAVING

    def inject(self, trial: Trial) -> None:
        trial.start(run(trial))
        trial.moment(*_WATCHED, span=2.0)
        guest.do(trial, self.command)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] not in (0, 3):
            yield f"exit status {codes[0]}"
        counts = verdicts(trial)
        if strange := set(counts) - {"agree", "lost", "flaky"}:
            yield f"verdicts {strange}"
        if codes[0] == 3 and not counts.get("lost"):
            yield f"nothing is lost: {counts}"
        yield from check_record(trial, codes[0])


class OutOfMemory(InGuestSurvived):
    """Programs in the guest allocate all memory, until the kernel kills them."""

    name = "guest-out-of-memory"
    command = "for n in 1 2 3; do tail /dev/zero; done"


class ForkBomb(InGuestSurvived):
    """A fork bomb in the guest."""

    name = "guest-fork-bomb"
    patient = True
    command = "b() { b | b & }; b"


class PanicText(Kind):
    """A program in the guest prints the message of a panic: this gives a warning only."""

    name = "panic-text"
    bound = THROUGH

    def inject(self, trial: Trial) -> None:
        place = trial.random.choice(("kmsg", "console"))
        trial.facts["place"] = place
        urgent = "<0>" if place == "kmsg" else ""  # otherwise the console would not print it
        trial.start(run(trial))
        trial.moment(*_WATCHED, span=2.0)
        guest.do(trial, f"echo '{urgent}Kernel panic - not syncing: not at all' >/dev/{place}")

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0]:
            yield f"exit status {codes[0]}"
        if "not at all" not in trial.child.output:
            yield "it does not warn of the message"
        yield from check_record(trial, codes[0])


def lost(trial: Trial, code: int) -> Iterator[str]:
    """Yield what is wrong with a run that lost a machine or an agent, which some verdict must say."""
    if code != 3:
        yield f"exit status {code}"
    counts = verdicts(trial)
    if not counts.get("lost"):
        yield f"nothing is lost: {counts}"
    if strange := set(counts) - {"agree", "lost", "flaky"}:
        yield f"verdicts {strange}"
    yield from check_record(trial, code)


KINDS = (
    QemuKilled,
    GuestPanics,
    GuestReboots,
    GuestPowersOff,
    AgentKilled,
    QemuStopped,
    OutOfMemory,
    ForkBomb,
    PanicText,
)
