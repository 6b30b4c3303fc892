# SPDX-License-Identifier: MIT
"""What lowering one script needs to know and keeps: the batch under construction and what its names stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from harness.abi import bpf
from harness.abi.layout import Layout
from harness.abi.numbers import AT_FDCWD, O_RDWR, O_WRONLY, PROT_NONE
from harness.abi.system_calls import number
from harness.release import release
from harness.script.operations import Buffer, Descriptor, Program, Ref, SampleType
from harness.script.outcome import Outcome
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult, Status
from hil.agent.steps import Address, Operand, Result
from hil.errors import BenchError
from hil.kernels.kernel import Kernel

Reader = Callable[[BatchResult], Outcome]
"""Makes an operation's observation from the results of its steps."""

GROUP = "hil"
"""Of all trace events that scripts make."""


@dataclass(frozen=True)
class Guest:
    """Facts of the target that lowering depends on; `tracing` is where tracefs is mounted, `cpus` how many are
    possible, `tells_engine` whether the kernel says what runs a program; `era` as in `harness.model.eras`, "" where
    nothing hangs on it; `kernel` is the name and `release` the `uname -r` of what should run, "" where anything may."""

    arch: str
    version_code: int
    page_size: int = 4096
    tracing: str = "/tracing"
    cpus: int = 1
    tells_engine: bool = True
    era: str = ""
    kernel: str = ""
    release: str = ""

    @classmethod
    def of(cls, kernel: Kernel) -> Guest:
        """Before it runs; its agent knows the rest."""
        tells_engine = release(kernel.era) >= bpf.TELLS_ENGINE
        return cls(
            kernel.arch.name,
            kernel.version_code,
            tells_engine=tells_engine,
            era=kernel.era,
            kernel=kernel.name,
            release=kernel.release,
        )

    def check_release(self, running: str) -> None:
        """BenchError when what booted, and calls itself `running`, is another kernel: no prediction would be for it."""
        if self.release and running != self.release:
            raise BenchError(
                f"{self.kernel}/{self.arch} should be {self.release}, but what booted calls itself {running}",
                remedy=f"fetch or import it again: hil kernels remove {self.kernel} --arch {self.arch}",
            )


@dataclass(frozen=True)
class Mapped:
    """Something mapped over `length` bytes of the arena from `start` on, so that every address in it is known
    beforehand; `mapped` is the step that did it, and is skipped where one before it failed."""

    mapped: Result
    start: Address
    length: int

    def failed(self, results: BatchResult) -> bool:
        """Whether there is nothing then; NotCarriedOut when its process did not come to it."""
        result = results[self.mapped]
        skipped = result is not None and result.status is Status.SKIPPED
        return skipped or bool(results.done(self.mapped).errno)


@dataclass(frozen=True)
class Sampling:
    """What an event's samples hold; with `output` their raw payload is a program's, not a trace event's record."""

    type: SampleType
    output: bool = False


@dataclass(frozen=True)
class Ring(Mapped):
    """A perf event's ring buffer: the control page, then `size` bytes of `data`."""

    data: Address
    size: int
    sampling: Sampling


@dataclass(frozen=True)
class RingBuffer(Mapped):
    """A map of type RINGBUF: the pages of consumer and of producer, then `size` bytes of `data`, twice."""

    producer: Address
    data: Address
    size: int


@dataclass(frozen=True)
class Setting:
    """A file below /proc/sys that was written to, and where its `length` bytes from before are."""

    path: str
    before: Address
    length: Result


@dataclass(frozen=True)
class _Parent:
    """What a process that waits for its child goes on with: its names, descriptors and mappings."""

    child: Result
    block: AbstractContextManager[Result]
    names: dict[str, Operand | int]
    descriptors: list[Operand]
    mappings: dict[str, Mapped]
    mapped: list[Mapped]
    null_device: Result | None
    settings: list[Setting]


@dataclass
class Lowering:
    """One script on its way to one batch. `tag` makes the names of its trace events unique on the target."""

    guest: Guest
    tag: str
    builder: BatchBuilder
    names: dict[str, Operand | int] = field(default_factory=dict)
    descriptors: list[Operand] = field(default_factory=list)
    """Everything that was opened, also what lost its name to something later."""
    mappings: dict[str, Mapped] = field(default_factory=dict)
    """What is mapped under each name in this process; no other address may be read or written to."""
    mapped: list[Mapped] = field(default_factory=list)
    samplings: dict[str, Sampling] = field(default_factory=dict)
    probes: dict[str, Result | None] = field(default_factory=dict)
    """Trace events that were made, and the step that was to remove each, which may have failed."""
    settings: list[Setting] = field(default_factory=list)
    """What this process has changed."""
    _null_device: Result | None = None
    _parents: list[_Parent] = field(default_factory=list)

    def call(self, name: str, *arguments: Operand | int) -> Result:
        """A system call by name."""
        return self.builder.syscall(number(self.guest.arch, name), *arguments)

    def opened(self, name: str, descriptor: Operand) -> None:
        """Give a new descriptor its name."""
        self.names[name] = descriptor
        self.descriptors.append(descriptor)

    def event(self, name: str) -> str:
        """What the target calls the script's trace event of this name."""
        return f"{GROUP}/{self.tag}_{name}"

    def operand(self, descriptor: Descriptor) -> Operand | int:
        """What a descriptor stands for; a name whose making failed is negative."""
        return self.names[descriptor.name] if isinstance(descriptor, Ref) else descriptor

    def map_over(self, name: str, mapped: Mapped) -> Reader:
        """Remember a mapping under its name; the observation of making it."""
        self.mappings[name] = mapped
        self.mapped.append(mapped)
        self.names[name] = mapped.mapped
        return first_failure([mapped.mapped], value=0)

    def buffer(self, buffer: Buffer) -> Address:
        """The bytes in the arena, guarded if they are to be."""
        return self.guarded(buffer.content) if buffer.guarded else self.builder.alloc(buffer.content)

    def guarded(self, content: bytes) -> Address:
        """Bytes in pages of their own, which end where these end: the page behind them cannot be touched. Each such
        buffer has its own guard, however many a script has."""
        page = self.guest.page_size
        before = -len(content) % page
        room = self.builder.alloc(before + len(content) + page, align=page)
        address = room + before
        self.call("mprotect", address + len(content), page, PROT_NONE)
        if content:
            self.builder.write(address, content)
        return address

    def text(self, text: str) -> Address:
        """A NUL-terminated string in the arena."""
        return self.builder.alloc(text.encode() + b"\0", align=1)

    def structure(self, layout: Layout, values: Mapping[str, Operand | int]) -> Address:
        """A structure in the arena; fields that only the target knows are stored by steps of their own."""
        known = {name: value for name, value in values.items() if isinstance(value, int)}
        address = self.builder.alloc(layout.pack(known))
        for name, value in values.items():
            if not isinstance(value, int):
                self.builder.store(address + layout.fields[name].offset, layout.fields[name].size, value)
        return address

    def program(self, program: Program) -> Address:
        """The instructions, with map descriptors stored where the program refers to maps."""
        address = self.builder.alloc(b"".join(instruction.encode() for instruction in program.instructions))
        for index, reference in program.maps:
            self.builder.store(address + 8 * index + 4, 4, self.operand(reference))
        return address

    def open(self, path: str, flags: int) -> Result:
        return self.call("openat", AT_FDCWD, self.text(path), flags)

    def null_device(self) -> Result:
        """A descriptor of /dev/null, opened once a script."""
        if self._null_device is None:
            self._null_device = self.open("/dev/null", O_RDWR)
        return self._null_device

    def forget_null_device(self) -> None:
        """Close it, when it was opened."""
        if self._null_device is not None:
            self.call("close", self._null_device)

    def enter_child(self) -> Result:
        """What follows is done by a forked process, whose number this is."""
        block = self.builder.process()
        child = block.__enter__()
        kept = dict(self.names), list(self.descriptors), self.mappings, list(self.mapped)
        self._parents.append(_Parent(child, block, *kept, self._null_device, self.settings))
        self.mappings = {}  # not all kernels copy all mappings: VM_DONTCOPY
        self.settings = []
        return child

    def leave_child(self) -> Result:
        """What follows is the parent's again, to which nothing is known of what the child opened; but a probe's id is a
        number for everybody."""
        self.put_settings_back()
        parent = self._parents.pop()
        self.settings = parent.settings
        parent.block.__exit__(None, None, None)
        probes = {name: number for name, number in self.names.items() if self.event(name) in self.probes}
        self.names, self.descriptors = {**parent.names, **probes}, parent.descriptors
        self.mappings, self.mapped = parent.mappings, parent.mapped
        self._null_device = parent.null_device
        return parent.child

    def put_settings_back(self) -> None:
        """What was changed last is put back first; what could not be read was not changed."""
        while self.settings:
            setting = self.settings.pop()
            with self.builder.unless_failed(setting.length):
                opened = self.open(setting.path, O_WRONLY)
                self.call("write", opened, setting.before, setting.length)
                self.call("close", opened)

    def write_to(self, path: str, text: str, flags: int) -> tuple[Result, Result]:
        """Open, write, close; the results of opening and of writing."""
        content = text.encode()
        descriptor = self.open(path, flags)
        with self.builder.unless_failed(descriptor):
            written = self.call("write", descriptor, self.builder.alloc(content, align=1), len(content))
            self.call("close", descriptor)
        return descriptor, written


def returned(step: Result) -> Reader:
    """The plain observation of one system call: its value, or its errno."""
    return first_failure([step])


def first_failure(steps: Iterable[Result], value: int | None = None) -> Reader:
    """Of several steps that build on each other: the first errno; or, when none failed, `value` or the last one's."""
    steps = tuple(steps)

    def read(results: BatchResult) -> Outcome:
        for step in steps:
            result = results.done(step)
            if result.errno:
                return Outcome(errno=result.error)
        return Outcome(value=results.done(steps[-1]).value if value is None else value)

    return read
