"""File descriptors, and the files behind them: a file lives until nothing refers to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.model.errno import Errno
from harness.model.interface.objects import Content, File, Mapping, PlainFile, TraceEvent
from harness.model.maps import Map
from harness.model.value import Unpredictable
from harness.script.operations import Descriptor, Ref

T = TypeVar("T", bound=Content)
M = TypeVar("M", bound=Mapping)

STANDARD = 3
"""Descriptors below are the calling process's standard streams, which are plain files here."""
SURELY_CLOSED = 512
"""No script has so many descriptors open at a time."""


@dataclass(eq=False)
class OpenDescriptor:
    """A descriptor the script made; `file` is None once it was closed, at the time `closed_at`."""

    file: File | None
    closed_at: int = 0


@dataclass(frozen=True)
class Doubtful:
    """A name of which nobody knows what it stands for; perhaps a program, which would reach these `maps`."""

    why: str
    maps: tuple[Map, ...] = ()


class Names:
    """What the script's names stand for. `release` is told of contents that nothing refers to any more."""

    def __init__(self, release: Callable[[Content], None]) -> None:
        self._release = release
        self._named: dict[str, OpenDescriptor | TraceEvent | Mapping | Doubtful] = {}
        self._opened = 0

    def open(self, name: str, content: Content) -> File:
        """A new descriptor of a new file."""
        file = File(content)
        self.bind(name, file)
        return file

    def bind(self, name: str, file: File) -> None:
        """A new descriptor of a file that is open."""
        self._opened += 1
        self._named[name] = OpenDescriptor(file)

    def put(self, name: str, thing: TraceEvent | Mapping | Doubtful) -> None:
        """A name for what is not a descriptor."""
        self._named[name] = thing

    def forget(self, name: str) -> None:
        """Making what has this name failed; what had it before is open still, but has no name any more."""
        self._named.pop(name, None)

    def close(self, descriptor: Descriptor) -> None:
        """close(2); Errno EBADF."""
        file = self.file(descriptor)
        if not isinstance(descriptor, Ref):
            raise Unpredictable("the script closes a descriptor it did not make")
        named = self._named[descriptor.name]
        if isinstance(named, OpenDescriptor):
            named.file, named.closed_at = None, self._opened
        self.drop(file)

    def drop(self, file: File) -> None:
        """Let go of one reference."""
        file.references -= 1
        if file.references == 0:
            self._release(file.content)

    def file(self, descriptor: Descriptor) -> File:
        """The file behind a descriptor; Errno EBADF."""
        if isinstance(descriptor, int):
            return _standard(descriptor)
        named = self._named.get(descriptor.name)
        if isinstance(named, Doubtful):
            raise Unpredictable(named.why)
        if isinstance(named, OpenDescriptor):
            if named.file is not None:
                return named.file
            if named.closed_at != self._opened:
                raise Reused(f"the number of {descriptor.name}, which was closed, may be another descriptor's by now")
        elif named is not None:
            raise Unpredictable(f"{descriptor.name} is not a descriptor")
        raise Errno("EBADF")

    def content(self, descriptor: Descriptor, kind: type[T], otherwise: str) -> T:
        """What the descriptor's file is, if it is of this kind; Errno EBADF, or `otherwise` for another kind."""
        content = self.file(descriptor).content
        if isinstance(content, kind):
            return content
        raise Errno(otherwise)

    def trace_event(self, name: str) -> TraceEvent | None:
        """The trace event of this name, None when its making failed."""
        named = self._named.get(name)
        if isinstance(named, Doubtful):
            raise Unpredictable(named.why)
        return named if isinstance(named, TraceEvent) else None

    def mapping(self, name: str, kind: type[M]) -> M:
        """The mapping of this name; EBADF, as executors say it, when its making failed or it is of another kind."""
        named = self._named.get(name)
        if isinstance(named, kind):
            return named
        if isinstance(named, Doubtful):
            raise Unpredictable(named.why)
        raise Errno("EBADF")

    def peek(self, name: str) -> Content | TraceEvent | Doubtful | None:
        """What a name may stand for, without any check."""
        named = self._named.get(name)
        if isinstance(named, OpenDescriptor):
            return named.file.content if named.file else None
        if isinstance(named, Mapping):
            return named.file.content
        return named


class Reused(Unpredictable):
    """The operation may have met any of the script's descriptors, so nothing after it is certain."""


def _standard(number: int) -> File:
    if 0 <= number < STANDARD:
        return File(PlainFile("a standard stream"))
    if STANDARD <= number < SURELY_CLOSED:
        raise Unpredictable(f"whether the calling process has a descriptor {number}")
    raise Errno("EBADF")
