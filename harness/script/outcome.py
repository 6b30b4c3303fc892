# SPDX-License-Identifier: MIT
"""The outcome of one operation: observed by an executor, predicted by the model, or expected by a clause.

All three have one shape, `Outcome`. In an observation every leaf is a value. In a prediction or an expectation a leaf
may be a pattern: an `Unknown`, which is a value nobody can know (time, a kernel address, a descriptor's number) with
what is known of it, a range, one of several, `ANY`. `harness.script.matching` holds one against the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from harness.script.malformed import Malformed


@dataclass(frozen=True)
class Unknown:
    """A value that cannot be predicted. `why` names its source; `least` and `most` bound it; `same_as` says that it
    is `times` what the operation of that name returned, `not_before` and `not_after` that it is no less or no more than
    what operations of these names returned, if they have."""

    why: str
    least: int | None = None
    most: int | None = None
    same_as: str | None = None
    times: int = 1
    not_before: str | None = None
    not_after: str | None = None

    def numbers(self, returned: Mapping[str, int]) -> range:
        """Returns all numbers that it may be, given what the script's named operations returned."""
        least, most = -_FAR if self.least is None else self.least, _FAR if self.most is None else self.most
        if self.not_before is not None:
            least = max(least, returned.get(self.not_before, least))
        if self.not_after is not None:
            most = min(most, returned.get(self.not_after, most))
        if self.same_as is not None:
            only = returned.get(self.same_as, -1) * self.times
            least, most = max(least, only), min(most, only)
        return range(least, most + 1)

    def admits(self, value: int, returned: Mapping[str, int]) -> bool:
        """Returns whether `value` may be it."""
        return value in self.numbers(returned)


_FAR = 1 << 128
"""A bound that exceeds every number of a kernel."""
DESCRIPTOR = Unknown("a new file descriptor", least=0, most=(1 << 31) - 1)
KERNEL_SPACE = 1 << 63
KERNEL_ADDRESS = Unknown("a kernel address", least=KERNEL_SPACE, most=(1 << 64) - 1)

Value = int | Unknown


class Anything(Enum):
    """The leaf that matches anything; its only member is `ANY`."""

    ANY = "anything"


ANY: Final = Anything.ANY


@dataclass(frozen=True)
class Piece:
    """A run of bytes inside a prediction that form one unknown little-endian number."""

    offset: int
    size: int
    value: Unknown


@dataclass(frozen=True)
class Bytes:
    """Bytes of which some may be unknown. Bytes inside a `Piece` do not count in `content`."""

    content: bytes
    unknown: tuple[Piece, ...] = ()

    @property
    def gaps(self) -> frozenset[int]:
        """Returns the offsets of the bytes that are unknown."""
        return frozenset(at for piece in self.unknown for at in range(piece.offset, piece.offset + piece.size))

    def admits(self, observed: bytes, returned: Mapping[str, int]) -> bool:
        """Returns whether `observed` has the same length, equal known bytes, and admissible unknown pieces."""
        if len(observed) != len(self.content):
            return False
        position = 0
        for piece in sorted(self.unknown, key=lambda piece: piece.offset):
            end = piece.offset + piece.size
            if observed[position : piece.offset] != self.content[position : piece.offset]:
                return False
            if not piece.value.admits(int.from_bytes(observed[piece.offset : end], "little"), returned):
                return False
            position = end
        return observed[position:] == self.content[position:]


@dataclass(frozen=True)
class OneOf:
    """One of several byte strings, where the kernel leaves the choice open: the keys of a hash map have no order."""

    choices: tuple[bytes, ...]


@dataclass(frozen=True)
class Addresses:
    """A call chain as the kernel stores it: at least one kernel address of 8 bytes, then zeros up to `size` bytes."""

    size: int

    def admits(self, observed: bytes, _: Mapping[str, int]) -> bool:
        """Returns whether `observed` is of that form and size."""
        found = [int.from_bytes(observed[at : at + 8], "little") for at in range(0, len(observed), 8)]
        while found and found[-1] == 0:
            found.pop()
        return len(observed) == self.size and bool(found) and all(address >= KERNEL_SPACE for address in found)


@dataclass(frozen=True)
class PerCpu:
    """A value of a per-CPU map as system calls pass it: `first` is CPU 0's, `others` that of each further possible CPU
    (None: the same), all of one size and each with zeros behind it up to a multiple of eight bytes."""

    first: bytes
    others: bytes | None = None

    def __post_init__(self) -> None:
        both = (self.first, self.first if self.others is None else self.others)
        if not all(isinstance(one, bytes) for one in both) or len(both[0]) != len(both[1]) or not self.first:
            raise Malformed(
                f"{self.first!r} and {self.others!r} are no values for CPUs", remedy="give bytes of one size"
            )

    def on(self, cpus: int) -> bytes:
        """Returns the bytes for `cpus` CPUs."""
        padding = bytes(-len(self.first) % 8)
        others = self.first if self.others is None else self.others
        return self.first + padding + (others + padding) * (cpus - 1)

    def of_size(self, size: int) -> bytes:
        """Returns the bytes for as many CPUs as `size` bytes are for."""
        return self.on(max(1, size // (len(self.first) + -len(self.first) % 8)))


class Text(Protocol):
    """Text of which some may be unknown; `str` shows it, unknown parts in angle brackets."""

    def admits(self, observed: str) -> bool:
        """Returns whether the kernel may have written `observed`."""


@dataclass(frozen=True)
class Containing:
    """Text that contains `part`, of any length."""

    part: str

    def admits(self, observed: str) -> bool:
        """Returns whether it is in `observed`."""
        return self.part in observed


@dataclass(frozen=True)
class Withheld:
    """Stands for a log that was not asked for, in observation and prediction alike, and says `why`."""

    why: str

    def __str__(self) -> str:
        return f"(not asked for: {self.why})"


@dataclass(frozen=True)
class Sample:
    """A PERF_RECORD_SAMPLE, by the fields that the event's sample_type asked for (else None).

    For a kprobe event, `trace_event` is common_type of the raw payload, that is the event's id, `common_pid` the thread
    that reached the probe, and `probe_ip` the first word after the common fields (for a return probe the address of the
    function); see kernel/trace/trace_kprobe.c. For an event for bpf_perf_event_output, `raw` is what the program
    passed, with the kernel's padding behind it.
    """

    ip: Value | Anything | None = None
    pid: Value | Anything | None = None
    tid: Value | Anything | None = None
    time: Value | Anything | None = None
    cpu: Value | Anything | None = None
    period: Value | Anything | None = None
    trace_event: Value | Anything | None = None
    common_pid: Value | Anything | None = None
    probe_ip: Value | Anything | None = None
    raw: bytes | Bytes | Anything | None = None


@dataclass(frozen=True)
class Message:
    """A record of a map of type RINGBUF. `page` is pg_off of its header: the distance in pages from the beginning of
    the kernel's `struct bpf_ringbuf`, kernel/bpf/ringbuf.c."""

    data: bytes | Bytes
    page: Value
    discarded: bool = False


@dataclass(frozen=True)
class Lost:
    """A PERF_RECORD_LOST: the number of records that did not fit."""

    count: Value


@dataclass(frozen=True)
class Other:
    """A record of any other `kind` (`enum perf_event_type`), or one that is cut off; no script asks for any."""

    kind: int


@dataclass(frozen=True)
class Line:
    """The trace buffer's record of a bpf_trace_printk, apart from its text: the calling thread and its CPU."""

    tid: Value | Anything | None
    cpu: Value | Anything | None


Record = Line | Sample | Message | Lost | Other
Number = Value | range | Anything | None
Data = bytes | Bytes | OneOf | Addresses | PerCpu | range
"""Bytes, or what is known of them; a range is of little-endian numbers."""
Log = str | Text | Withheld | Anything | None
Records = tuple[Record | Anything, ...] | Anything | None


@dataclass(frozen=True)
class Outcome:
    """The outcome of one operation: the value returned, or the errno's name; and what it read, if it reads anything.

    Exactly one of `value` and `errno` is set. A leaf that is None says that there is none, unlike `ANY`. `log` is the
    verifier's text, or why it was not asked for although the operation wants it. `threads` are the outcomes of the
    operations of each thread of a `RunThreads`.

    In an observation `value` is a number, `data` bytes, and `log` a string or `Withheld`; patterns occur only in
    predictions and expectations.
    """

    value: Number = None
    errno: str | None = None
    data: Data | Anything | None = None
    log: Log = None
    records: Records = None
    threads: tuple[tuple[Prediction, ...], ...] | Anything | None = None

    @property
    def each_thread(self) -> tuple[tuple[Prediction, ...], ...]:
        """Returns `threads`, as far as they are given."""
        return self.threads if isinstance(self.threads, tuple) else ()


@dataclass(frozen=True)
class Either:
    """One of several outcomes, where the choice depends on the order of concurrent operations, or on something
    unknown."""

    outcomes: tuple[Outcome, ...]


NOT_CARRIED_OUT = "(not carried out)"
"""The errno of an observation that could not be made: the child that was to make it died before."""


@dataclass(frozen=True)
class Unpredicted:
    """The model has no rule for this operation in this era; `reason` says which rule is missing. `deadly` says that the
    kernel has a fault that may crash it, at this operation or a later one."""

    reason: str
    deadly: bool = False


Prediction = Outcome | Either | Unpredicted | Anything
"""A prediction or an expectation: `Unpredicted` means that nobody can predict the outcome, `ANY` that it does not
matter."""
Threads = tuple[tuple[Prediction, ...], ...] | Anything | None
