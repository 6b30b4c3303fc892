# SPDX-License-Identifier: MIT
"""The state of lowering one script: the batch under construction and what its names stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from harness.abi import bpf
from harness.abi.layout import Layout
from harness.abi.numbers import AT_FDCWD, O_RDWR, O_WRONLY, PROT_NONE
from harness.abi.system_calls import number
from harness.isa.instruction import encode
from harness.lowering.watch import Watch
from harness.release import release
from harness.script.operations import Buffer, Descriptor, Pointers, Program, Ref, SampleType
from harness.script.outcome import Outcome
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult, Status
from hil.agent.steps import Address, Operand, Result
from hil.errors import BenchError
from hil.kernels.kernel import Kernel

Reader = Callable[[BatchResult], Outcome]
"""Makes an operation's observation from the results of its steps."""

GROUP = "hil"
"""The group of all trace events that scripts make."""


@dataclass(frozen=True)
class Guest:
    """Facts of the target that lowering depends on; `tracing` is where tracefs is mounted, `cpus` how many are
    possible, `tells_engine` whether the kernel reports the engine of a program; `era` as in `harness.model.eras`, ""
    where nothing depends on it; `kernel` is the name and `release` the `uname -r` of the kernel that should run, ""
    where any may; `functions` finds those that may be traced, by a pattern (`harness.lowering.traceable`).
    """

    arch: str
    version_code: int
    page_size: int = 4096
    tracing: str = "/tracing"
    cpus: int = 1
    tells_engine: bool = True
    era: str = ""
    kernel: str = ""
    release: str = ""
    functions: Callable[[str], tuple[str, ...]] = lambda _: ()

    @classmethod
    def of(cls, kernel: Kernel) -> Guest:
        """Returns what is known before the kernel runs; its agent knows the rest."""
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
        """Raises BenchError when the kernel that booted, whose release is `running`, is another one: no prediction
        would be for it."""
        if self.release and running != self.release:
            raise BenchError(
                f"{self.kernel}/{self.arch} should be {self.release}, but the kernel that booted is {running}",
                remedy=f"fetch or import it again: hil kernels remove {self.kernel} --arch {self.arch}",
            )


@dataclass(frozen=True)
class Mapped:
    """A mapping of `length` bytes of the arena from `start` on, so that every address in it is known beforehand;
    `mapped` is the step that makes it, which is skipped where one before it failed."""

    mapped: Result
    start: Address
    length: int

    def failed(self, results: BatchResult) -> bool:
        """Returns whether the mapping was not made; raises NotCarriedOut when its process did not come to it."""
        result = results[self.mapped]
        skipped = result is not None and result.status is Status.SKIPPED
        return skipped or bool(results.done(self.mapped).errno)


@dataclass(frozen=True)
class Sampling:
    """The fields of an event's samples; with `output` their raw payload is a program's, not a trace event's record."""

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
    """A file below /proc/sys that was written to, and the address of the `length` bytes it had before."""

    path: str
    before: Address
    length: Result


@dataclass(frozen=True)
class _Parent:
    """The state to which a process returns after waiting for its child: its names, descriptors and mappings."""

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
    """Lowers one script to one batch. `tag` makes the names of its trace events unique on the target."""

    guest: Guest
    tag: str
    builder: BatchBuilder
    names: dict[str, Operand | int] = field(default_factory=dict)
    descriptors: list[Operand] = field(default_factory=list)
    """All descriptors that were opened, also those that lost their name to something later."""
    mappings: dict[str, Mapped] = field(default_factory=dict)
    """The mapping under each name in this process; no other address may be read or written to."""
    mapped: list[Mapped] = field(default_factory=list)
    samplings: dict[str, Sampling] = field(default_factory=dict)
    probes: dict[str, Result | None] = field(default_factory=dict)
    """The trace events that were made, and the step that was to remove each, which may have failed."""
    settings: list[Setting] = field(default_factory=list)
    """The settings that this process has changed."""
    watch: Watch | None = None
    kept: Mapping[str, int] = field(default_factory=dict)
    """The ids of trace events that are there, by function; the script uses them instead of making its own."""
    btf: Result | None = None
    """The BTF that the script's programs have lines by, with `watch`."""
    _null_device: Result | None = None
    _parents: list[_Parent] = field(default_factory=list)

    def call(self, name: str, *arguments: Operand | int) -> Result:
        """Adds a system call by name."""
        return self.builder.syscall(number(self.guest.arch, name), *arguments)

    def opened(self, name: str, descriptor: Operand) -> None:
        """Gives a new descriptor its name."""
        self.names[name] = descriptor
        self.descriptors.append(descriptor)

    def event(self, name: str) -> str:
        """Returns the target's name of the script's trace event."""
        return f"{GROUP}/{self.tag}_{name}"

    def operand(self, descriptor: Descriptor) -> Operand | int:
        """Returns the operand for a descriptor; a name whose making failed is negative."""
        return self.names[descriptor.name] if isinstance(descriptor, Ref) else descriptor

    def map_over(self, name: str, mapped: Mapped) -> Reader:
        """Keeps a mapping under its name; returns the reader of its observation."""
        self.mappings[name] = mapped
        self.mapped.append(mapped)
        self.names[name] = mapped.mapped
        return first_failure([mapped.mapped], value=0)

    def buffer(self, buffer: Buffer) -> Address:
        """Puts the bytes into the arena, guarded if they are to be."""
        return self.guarded(buffer.content) if buffer.guarded else self.builder.alloc(buffer.content)

    def pointers(self, pointers: Pointers) -> Address:
        """Puts an array of addresses into the arena, and what they point to."""
        address = self.builder.alloc(bytes(8 * len(pointers.buffers)))
        for index, buffer in enumerate(pointers.buffers):
            self.builder.store(address + 8 * index, 8, self.buffer(buffer))
        return address

    def guarded(self, content: bytes) -> Address:
        """Puts bytes into pages of their own, which end where these end: the page behind them cannot be accessed. Each
        such buffer has its own guard page, however many a script has."""
        page = self.guest.page_size
        before = -len(content) % page
        room = self.builder.alloc(before + len(content) + page, align=page)
        address = room + before
        self.call("mprotect", address + len(content), page, PROT_NONE)
        if content:
            self.builder.write(address, content)
        return address

    def text(self, text: str) -> Address:
        """Puts a NUL-terminated string into the arena."""
        return self.builder.alloc(text.encode() + b"\0", align=1)

    def structure(self, layout: Layout, values: Mapping[str, Operand | int]) -> Address:
        """Puts a structure into the arena; fields that only the target knows are stored by steps of their own."""
        known = {name: value for name, value in values.items() if isinstance(value, int)}
        address = self.builder.alloc(layout.pack(known))
        for name, value in values.items():
            if not isinstance(value, int):
                self.builder.store(address + layout.fields[name].offset, layout.fields[name].size, value)
        return address

    def load_btf(self, content: bytes) -> Result:
        """Adds the steps that load type information; returns its descriptor."""
        attr = self.structure(bpf.BTF_LOAD, {"btf": self.builder.alloc(content), "btf_size": len(content)})
        return self.call("bpf", bpf.Command.BTF_LOAD, attr, bpf.BTF_LOAD.size)

    def program(self, program: Program) -> Address:
        """Puts the instructions into the arena, with map descriptors stored where the program refers to maps."""
        address = self.builder.alloc(encode(program.instructions))
        for index, reference in program.maps:
            self.builder.store(address + 8 * index + 4, 4, self.operand(reference))
        return address

    def open(self, path: str, flags: int) -> Result:
        return self.call("openat", AT_FDCWD, self.text(path), flags)

    def null_device(self) -> Result:
        """Returns a descriptor of /dev/null, opened once in a script."""
        if self._null_device is None:
            self._null_device = self.open("/dev/null", O_RDWR)
        return self._null_device

    def forget_null_device(self) -> None:
        """Closes it, if it was opened."""
        if self._null_device is not None:
            self.call("close", self._null_device)

    def enter_child(self) -> Result:
        """Lets a forked process do what follows; returns its number."""
        block = self.builder.process()
        child = block.__enter__()
        kept = dict(self.names), list(self.descriptors), self.mappings, list(self.mapped)
        self._parents.append(_Parent(child, block, *kept, self._null_device, self.settings))
        self.mappings = {}  # not all kernels copy all mappings: VM_DONTCOPY
        self.settings = []
        return child

    def end_child(self) -> Result:
        """Lets the parent do what follows, which knows nothing of what the child opened; but a probe's id is a number
        for every process."""
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
        """Restores settings: what was changed last is restored first; what could not be read was not changed."""
        while self.settings:
            setting = self.settings.pop()
            with self.builder.unless_failed(setting.length):
                opened = self.open(setting.path, O_WRONLY)
                self.call("write", opened, setting.before, setting.length)
                self.call("close", opened)

    def write_to(self, path: str, text: str, flags: int) -> tuple[Result, Result]:
        """Opens, writes, closes; returns the results of opening and of writing."""
        content = text.encode()
        descriptor = self.open(path, flags)
        with self.builder.unless_failed(descriptor):
            written = self.call("write", descriptor, self.builder.alloc(content, align=1), len(content))
            self.call("close", descriptor)
        return descriptor, written


def returned(step: Result) -> Reader:
    """Returns the reader of the plain observation of one system call: its value, or its errno."""
    return first_failure([step])


def first_failure(steps: Iterable[Result], value: int | None = None) -> Reader:
    """Returns the reader of several steps that build on each other: the first errno; or, when none failed, `value` or
    the last one's."""
    steps = tuple(steps)

    def read(results: BatchResult) -> Outcome:
        for step in steps:
            result = results.done(step)
            if result.errno:
                return Outcome(errno=result.error)
        return Outcome(value=results.done(steps[-1]).value if value is None else value)

    return read
