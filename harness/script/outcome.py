"""What an executor says of one operation, and how a prediction admits an observation.

Observation and prediction have one shape. In a prediction any leaf may be an `Unknown`: a value the model cannot know
(time, a kernel address, a descriptor's number), which still says what it does know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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

    def admits(self, value: int, returned: Mapping[str, int]) -> bool:
        """Whether `value` may be it, given what the script's named operations returned."""
        if self.same_as is not None and value != returned.get(self.same_as, -1) * self.times:
            return False
        if value < returned.get(self.not_before or "", value) or value > returned.get(self.not_after or "", value):
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def admits_any(self, numbers: range, returned: Mapping[str, int]) -> bool:
        """Whether it may be one of `numbers`, of which there may be too many to look at each."""
        if self.same_as is not None:
            least = returned.get(self.same_as, -1) * self.times
            return least in numbers and self.admits(least, returned)
        rising = numbers if numbers.step > 0 else numbers[::-1]
        bounds = (rising.start, self.least, returned.get(self.not_before or ""))
        least = max(bound for bound in bounds if bound is not None)
        first = least + (rising.start - least) % rising.step
        return first in rising and self.admits(first, returned)


DESCRIPTOR = Unknown("a new file descriptor", least=0, most=(1 << 31) - 1)
KERNEL_SPACE = 1 << 63
KERNEL_ADDRESS = Unknown("a kernel address", least=KERNEL_SPACE, most=(1 << 64) - 1)

Value = int | Unknown


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

    def admits(self, observed: bytes, returned: Mapping[str, int]) -> bool:
        """Whether `observed` has the same length, equal known bytes, and admissible unknown pieces."""
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
    """One of several byte strings, where the kernel leaves open which: the keys of a hash map have no order."""

    choices: tuple[bytes, ...]

    def admits(self, observed: bytes, returned: Mapping[str, int]) -> bool:
        """Whether `observed` is one of them."""
        return observed in self.choices


@dataclass(frozen=True)
class Addresses:
    """A call chain as the kernel stores it: at least one kernel address of 8 bytes, then zeros up to `size` bytes."""

    size: int

    def admits(self, observed: bytes, _: Mapping[str, int]) -> bool:
        """Whether `observed` is of that form and size."""
        found = [int.from_bytes(observed[at : at + 8], "little") for at in range(0, len(observed), 8)]
        while found and found[-1] == 0:
            found.pop()
        return len(observed) == self.size and bool(found) and all(address >= KERNEL_SPACE for address in found)


@dataclass(frozen=True)
class PerCpu:
    """A value of a per-CPU map as system calls pass it: `first` is CPU 0's, `others` that of each further possible CPU
    (None: the same), all of one size and each with zeros up to a multiple of eight bytes behind it."""

    first: bytes
    others: bytes | None = None

    def __post_init__(self) -> None:
        both = (self.first, self.first if self.others is None else self.others)
        if not all(isinstance(one, bytes) for one in both) or len(both[0]) != len(both[1]) or not self.first:
            raise Malformed(
                f"{self.first!r} and {self.others!r} are no values for CPUs", remedy="give bytes of one size"
            )

    def on(self, cpus: int) -> bytes:
        """The bytes where there are so many CPUs."""
        padding = bytes(-len(self.first) % 8)
        others = self.first if self.others is None else self.others
        return self.first + padding + (others + padding) * (cpus - 1)

    def of_size(self, size: int) -> bytes:
        """The bytes for as many CPUs as `size` bytes are for."""
        return self.on(max(1, size // (len(self.first) + -len(self.first) % 8)))


class Text(Protocol):
    """Text of which some may be unknown; `str` shows it, unknown parts in angle brackets."""

    def admits(self, observed: str) -> bool:
        """Whether the kernel may have written `observed`."""


@dataclass(frozen=True)
class Withheld:
    """Stands for a log that was not asked for, in observation and prediction alike, and says `why`."""

    why: str

    def __str__(self) -> str:
        return f"(not asked for: {self.why})"


@dataclass(frozen=True)
class Sample:
    """A PERF_RECORD_SAMPLE, by the fields the event's sample_type asked for (else None).

    Of a kprobe event, `trace_event` is common_type of the raw payload, that is the event's id, `common_pid` the thread
    that reached the probe, and `probe_ip` the first word behind the common fields (for a return probe the address of
    the function); see kernel/trace/trace_kprobe.c.
    Of an event for bpf_perf_event_output, `raw` is what the program handed over, with the kernel's padding behind it.
    """

    ip: Value | None = None
    pid: Value | None = None
    tid: Value | None = None
    time: Value | None = None
    cpu: Value | None = None
    period: Value | None = None
    trace_event: Value | None = None
    common_pid: Value | None = None
    probe_ip: Value | None = None
    raw: bytes | Bytes | None = None


@dataclass(frozen=True)
class Message:
    """A record of a map of type RINGBUF. `page` is pg_off of its header: how many pages it lies behind the beginning of
    the kernel's `struct bpf_ringbuf`, kernel/bpf/ringbuf.c."""

    data: bytes | Bytes
    page: Value
    discarded: bool = False


@dataclass(frozen=True)
class Lost:
    """A PERF_RECORD_LOST: so many records did not fit."""

    count: Value


@dataclass(frozen=True)
class Other:
    """A record of any other `kind` (`enum perf_event_type`), or one that breaks off; no script asks for any."""

    kind: int


@dataclass(frozen=True)
class Line:
    """What bpf_trace_printk put into the trace buffer, apart from its text: who called, and where."""

    tid: Value | None
    cpu: Value | None


Record = Line | Sample | Message | Lost | Other


@dataclass(frozen=True)
class Outcome:
    """Of one operation: the value returned, or the errno's name; and what it read, if it reads anything.

    Exactly one of `value` and `errno` is set. `data` is bytes in an observation, and in a prediction `Bytes`, `OneOf`
    or `Addresses` where some are unknown. `log` is the verifier's text, or why it was not asked for although the
    operation wants it; in a prediction perhaps a `Text`, and None there means that the model does not predict it.
    `threads` are what the operations of each thread of a `RunThreads` gave.
    """

    value: Value | None = None
    errno: str | None = None
    data: bytes | Bytes | OneOf | Addresses | None = None
    log: str | Text | Withheld | None = None
    records: tuple[Record, ...] | None = None
    threads: tuple[tuple[Prediction, ...], ...] | None = None


@dataclass(frozen=True)
class Either:
    """One of several outcomes, where concurrent operations leave open which."""

    outcomes: tuple[Outcome, ...]


NOT_CARRIED_OUT = "(not carried out)"
"""The errno of an observation that could not be made: the child that was to make it died before."""


@dataclass(frozen=True)
class Unpredicted:
    """The model has no rule for this operation in this era; `reason` says which rule is missing. `deadly` says that it
    is a fault the kernel may die of, at this operation or a later one."""

    reason: str
    deadly: bool = False


Prediction = Outcome | Either | Unpredicted
