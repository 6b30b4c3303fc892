# SPDX-License-Identifier: MIT
"""File descriptors, and the open files behind them: a file lives until nothing refers to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.model.errno import Errno
from harness.model.interface.objects import Content, File, Mapping, PlainFile, RingMapping, TraceEvent
from harness.model.unpredictable import Unbounded, Unpredictable
from harness.script.operations import Descriptor, Ref
from harness.script.reason import Gap

T = TypeVar("T", bound=Content)
M = TypeVar("M", bound=Mapping)

STANDARD = 3
"""The lowest descriptor that is not one of the calling process's standard streams, which are plain files here."""
SURELY_CLOSED = 512
"""A number of descriptors that no script has open at a time."""


@dataclass(eq=False)
class OpenDescriptor:
    """A descriptor the script made; `file` is None once it was closed, at the time `closed_at`."""

    file: File | None
    closed_at: int = 0
    close_on_exec: bool = True


@dataclass(frozen=True)
class Doubtful:
    """A name whose object is unknown: nothing, or an object of its own, through which operations reach `things`, or
    anything at all with `anything`. `prints` is whether it may be a program that prints, `holds_files` whether it may
    be an array of files. It may have been closed when `closed_at` descriptors had been opened.
    """

    why: str
    things: tuple[Content | TraceEvent | Doubtful, ...] = ()
    anything: bool = False
    prints: bool = False
    holds_files: bool = False
    closed_at: int | None = None


@dataclass(frozen=True)
class Number:
    """A name that stands for a plain, unknown number."""

    of: object


class Names:
    """The meaning of the script's names in one process: its table of descriptors, its mappings, and names that belong
    to no process. `release` is called with contents that nothing refers to any more."""

    def __init__(self, release: Callable[[Content], None]) -> None:
        self._release = release
        self._named: dict[str, OpenDescriptor | TraceEvent | Mapping | Number | Doubtful] = {}
        self._descriptors: list[OpenDescriptor] = []
        """All descriptors that were made, also those that lost their name."""
        self._opened = 0
        self._null_device = False

    def forked(self) -> Names:
        """Returns a child's names: copies of all descriptors, and no mapping: those of perf events are VM_DONTCOPY
        (perf_mmap() in kernel/events/core.c), and executors leave others to the parent, too. They may have opened
        something for themselves there.
        """
        child = Names(self._release)
        child._opened, child._null_device = self._opened + 1, self._null_device
        copies = {id(descriptor): replace(descriptor) for descriptor in self._descriptors}
        child._descriptors = list(copies.values())
        for descriptor in child._descriptors:
            if descriptor.file is not None:
                descriptor.file.references += 1
        for name, named in self._named.items():
            match named:
                case OpenDescriptor():
                    child._named[name] = copies[id(named)]
                case Mapping():
                    child._named[name] = replace(named, unmapped=True)
                case _:
                    child._named[name] = named
        return child

    def exit(self, parent: Names) -> None:
        """Ends the process: its descriptors are closed and its mappings are removed; probes it made stay."""
        self.execute(all_descriptors=True)
        for name, named in self._named.items():
            if isinstance(named, TraceEvent) and named.symbol is not None:
                parent.put(name, named)

    def execute(self, *, all_descriptors: bool = False) -> None:
        """execve(2): closes the descriptors that are marked for it, and removes mappings."""
        for descriptor in self._descriptors:
            if descriptor.file is not None and (all_descriptors or descriptor.close_on_exec):
                file, descriptor.file = descriptor.file, None
                self.drop(file)
        for named in self._named.values():
            if isinstance(named, Mapping):
                self.unmap(named)

    def unmap(self, mapping: Mapping) -> None:
        """Removes a mapping, which held the file open; with its last mapping a ring is freed."""
        if not mapping.unmapped:
            mapping.unmapped = True
            if isinstance(mapping, RingMapping):
                mapping.ring.mappings -= 1
                if mapping.ring.mappings == 0:
                    mapping.event.ring = None
            self.drop(mapping.file)

    def open(self, name: str, content: Content, *, close_on_exec: bool = True) -> File:
        """Binds a name to a new descriptor of a new file."""
        file = File(content)
        self.bind(name, file, close_on_exec=close_on_exec)
        return file

    def bind(self, name: str, file: File, *, close_on_exec: bool = True) -> None:
        """Binds a name to a new descriptor of a file that is open."""
        self._opened += 1
        descriptor = OpenDescriptor(file, close_on_exec=close_on_exec)
        self._named[name] = descriptor
        self._descriptors.append(descriptor)

    def put(self, name: str, thing: TraceEvent | Mapping | Number | Doubtful) -> None:
        """Binds a name to something that is not a descriptor."""
        self._named[name] = thing

    def disturb(self) -> None:
        """Records that some descriptor without a name here may have been opened, with any free number."""
        self._opened += 1

    def open_null_device(self) -> None:
        """Opens /dev/null, once for the process, for the calls that take it."""
        if not self._null_device:
            self._null_device = True
            self.disturb()

    def doubt(self, name: str, why: str) -> None:
        """Records that what the name stands for may be gone."""
        named = self._named.get(name)
        match named:
            case TraceEvent():
                named.unsure = named.unsure or why
            case Doubtful():
                self._named[name] = replace(named, closed_at=self._opened)
            case OpenDescriptor(file=File() as file):
                self._named[name] = Doubtful(why, (file.content,), closed_at=self._opened)
            case Mapping():
                self._named[name] = Doubtful(why, (named.file.content,))

    def forget(self, name: str) -> None:
        """Unbinds a name because making its object failed; what had the name before is still open, but has no name any
        more."""
        self._named.pop(name, None)

    def close(self, descriptor: Descriptor) -> None:
        """close(2); raises Errno EBADF."""
        file = self.file(descriptor)
        if not isinstance(descriptor, Ref):
            raise Unbounded("the script closes a descriptor it did not make")
        named = self._named[descriptor.name]
        if isinstance(named, OpenDescriptor):
            named.file, named.closed_at = None, self._opened
        self.drop(file)

    def drop(self, file: File) -> None:
        """Drops one reference to a file."""
        file.references -= 1
        if file.references == 0:
            self._release(file.content)

    def file(self, descriptor: Descriptor) -> File:
        """Returns the file behind a descriptor; raises Errno EBADF."""
        if isinstance(descriptor, int):
            return _standard(descriptor)
        named = self._named.get(descriptor.name)
        if isinstance(named, Doubtful):
            if named.closed_at not in (None, self._opened):
                raise AnyDescriptor(
                    f"whether {descriptor.name} was closed, and its number is another's by now", Gap.NUMBER
                )
            raise Unpredictable(named.why)
        if isinstance(named, OpenDescriptor):
            if named.file is not None:
                return named.file
            if named.closed_at != self._opened:
                raise AnyDescriptor(
                    f"the number of {descriptor.name}, which was closed, may be another descriptor's by now", Gap.NUMBER
                )
        elif named is not None:
            raise Unpredictable(f"{descriptor.name} is not a descriptor")
        raise Errno("EBADF")

    def closed(self, name: str) -> bool:
        """Returns whether it was a descriptor whose number no other has yet."""
        named = self._named.get(name)
        return isinstance(named, OpenDescriptor) and named.file is None and named.closed_at == self._opened

    def content(self, descriptor: Descriptor, kind: type[T], otherwise: str) -> T:
        """Returns the content of the descriptor's file, if it is of this kind; raises Errno EBADF, or `otherwise` for
        another kind."""
        content = self.file(descriptor).content
        if isinstance(content, kind):
            return content
        raise Errno(otherwise)

    def trace_event(self, name: str) -> TraceEvent | None:
        """Returns the trace event of this name, None when its making failed."""
        named = self._named.get(name)
        if isinstance(named, Doubtful):
            raise Unpredictable(named.why)
        if isinstance(named, TraceEvent) and named.unsure:
            raise Unpredictable(named.unsure)
        if isinstance(named, OpenDescriptor | Number):
            raise Unpredictable(f"whether a trace event has the number of {name}")
        return named if isinstance(named, TraceEvent) else None

    def number(self, name: str) -> object:
        """Returns the object that the number of this name belongs to, None when there is none."""
        named = self._named.get(name)
        return named.of if isinstance(named, Number) else None

    def mapping(self, name: str, kind: type[M]) -> M:
        """Returns the mapping of this name; raises EBADF, as executors report it, when its making failed, when it is of
        another kind, or when it is not or no longer mapped in this process."""
        named = self._named.get(name)
        if isinstance(named, kind) and not named.unmapped:
            return named
        if isinstance(named, Doubtful):
            raise Unpredictable(named.why)
        raise Errno("EBADF")

    def peek(self, name: str) -> Content | TraceEvent | Doubtful | None:
        """Returns what a name may stand for, without any check."""
        named = self._named.get(name)
        if isinstance(named, OpenDescriptor):
            return named.file.content if named.file else None
        if isinstance(named, Mapping):
            return named.file.content
        return None if isinstance(named, Number) else named


class AnyDescriptor(Unpredictable):
    """The operation may have used any of the script's descriptors."""


def _standard(number: int) -> File:
    if 0 <= number < STANDARD:
        return File(PlainFile("a standard stream"))
    if STANDARD <= number < SURELY_CLOSED:
        raise AnyDescriptor(f"whether the calling process has a descriptor {number}", Gap.NUMBER)
    raise Errno("EBADF")
