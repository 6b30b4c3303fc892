# SPDX-License-Identifier: MIT
"""The two files that the bench shares with the plugin: what is to be recorded, and the records.

`recorder.c` has the same layouts.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil.arch import Architecture
from hil.errors import BenchError
from hil.recorder.build import plugin

MOST_REGISTERS, MOST_WINDOWS, MOST_GROUPS, MOST_RANGES = 16, 4, 4, 8192
_WORD = 8
_RECORDING, _WANTED, _ARMED, _LOST, _FAILED, _FRONT, _GROUPS = range(0, 7 * _WORD, _WORD)
_GROUP_WORDS = 1 + MOST_REGISTERS + 1 + 3 * MOST_WINDOWS
_GROUP_START = 7 * _WORD
_RANGES_START = _GROUP_START + MOST_GROUPS * _GROUP_WORDS * _WORD
_CONTROL_BYTES = _RANGES_START + _WORD + 3 * MOST_RANGES * _WORD
_HEADER = struct.Struct("<4Q")
_STALE, _CPU_SHIFT, _BYTE = 1 << 63, 8, 0xFF
_NUDGES = 50
"""Commands in the guest after which it must have run: each makes a halted CPU resume."""


@dataclass(frozen=True)
class Window:
    """Memory of a record: `size` bytes (a multiple of 8) at the address in word `word` of the record plus `offset`."""

    word: int
    offset: int
    size: int


@dataclass(frozen=True)
class Group:
    """The content of a record, in words of 64 bits: the instruction's address, the registers (by gdb's numbers), and
    each window's bytes. A window's address may be in a window before it."""

    registers: tuple[int, ...]
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Place:
    """Instructions that are recorded: at `start` and behind it, before `end`; as the group of that number."""

    start: int
    end: int
    group: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One executed instruction. `order` counts all records; `stale` means that the registers may be those of an earlier
    instruction; `missing` has the numbers of windows that could not be read as a whole: pages that were not there are
    zero."""

    order: int
    group: int
    cpu: int
    stale: bool
    missing: frozenset[int]
    words: tuple[int, ...]


class Recorder:
    """The bench's side of one machine's plugin. Nothing is recorded before `arm`."""

    def __init__(self, arch: Architecture, folder: Path, *, mebibytes: int = 256) -> None:
        """Builds the plugin (errors as `hil.recorder.build.plugin`) and makes its files in `folder`; the one for
        records takes up space only as it is filled."""
        self.plugin, self.interface = plugin(arch)
        folder.mkdir(parents=True, exist_ok=True)
        self._files = folder / "recorder.control", folder / "recorder.records"
        self._control = _map(self._files[0], _CONTROL_BYTES)
        self._records = _map(self._files[1], mebibytes << 20)

    @property
    def option(self) -> str:
        """Returns the value of QEMU's option -plugin."""
        file, control, records = (str(path).replace(",", ",,") for path in (self.plugin, *self._files))
        return f"{file},control={control},records={records}"

    @property
    def size(self) -> int:
        """Returns the bytes of all records."""
        return self._get(_FRONT)

    @property
    def lost(self) -> int:
        """Returns how many records found no room."""
        return self._get(_LOST)

    @property
    def failed(self) -> int:
        """Returns how many registers could not be read."""
        return self._get(_FAILED)

    def arm(self, groups: Sequence[Group], places: Sequence[Place], nudge: Callable[[], object]) -> None:
        """Chooses what is recorded from now on. `nudge` makes the guest do anything, so that its CPUs notice.

        Raises BenchError when there are more places than the plugin has room for, or the guest does not run.
        """
        ordered = sorted(places, key=lambda place: place.start)
        if len(ordered) > MOST_RANGES:
            raise BenchError(f"{len(ordered)} places to record, at most {MOST_RANGES} are possible")
        for number, group in enumerate(groups):
            windows = [value for window in group.windows for value in (window.word, window.offset, window.size)]
            room = [0] * (MOST_REGISTERS - len(group.registers))
            words = [len(group.registers), *group.registers, *room, len(group.windows), *windows]
            self._put(_GROUP_START + number * _GROUP_WORDS * _WORD, words)
        self._put(_GROUPS, [len(groups)])
        self._put(_RANGES_START, [len(ordered)])
        self._put(_RANGES_START + _WORD, [one for place in ordered for one in (place.start, place.end, place.group)])
        wanted = self._get(_WANTED) + 1
        self._put(_WANTED, [wanted])
        for _ in range(_NUDGES):
            nudge()
            if self._get(_ARMED) == wanted:
                return
        raise BenchError(
            "QEMU's plugin did not take up what it is to record, although the guest runs",
            remedy="this is an error of the bench or of this version of QEMU; report it with the run folder",
        )

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Records while the block runs, beginning with no records."""
        self._put(_FRONT, [0])
        self._put(_LOST, [0])
        self._put(_FAILED, [0])
        self._put(_RECORDING, [1])
        try:
            yield
        finally:
            self._put(_RECORDING, [0])

    def records(self) -> list[Record]:
        """Returns the records of the last `recording`, in their order."""
        return list(parse(self._records[: self.size]))

    def close(self) -> None:
        """Gives up the mappings and removes the records, which may be large."""
        self._control.close()
        self._records.close()
        for file in self._files:
            file.unlink(missing_ok=True)

    def _get(self, at: int) -> int:
        (value,) = struct.unpack_from("<Q", self._control, at)
        return int(value)

    def _put(self, at: int, words: Sequence[int]) -> None:
        struct.pack_into(f"<{len(words)}Q", self._control, at, *(word % (1 << 64) for word in words))


def parse(content: bytes) -> Iterator[Record]:
    """Yields the records in a file's content; one that is cut off, as by the end of QEMU, is left out."""
    at = 0
    while at + _HEADER.size <= len(content):
        size, order, where, missing = _HEADER.unpack_from(content, at)
        if size < _HEADER.size or at + size > len(content):
            return
        words = struct.unpack_from(f"<{(size - _HEADER.size) // _WORD}Q", content, at + _HEADER.size)
        cpu = (where & ~_STALE) >> _CPU_SHIFT
        numbers = frozenset(number for number in range(MOST_WINDOWS) if missing >> number & 1)
        yield Record(order, where & _BYTE, cpu, bool(where & _STALE), numbers, words)
        at += size


def _map(file: Path, size: int) -> mmap.mmap:
    with file.open("w+b") as opened:
        opened.truncate(size)
        return mmap.mmap(opened.fileno(), size)
