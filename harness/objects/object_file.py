# SPDX-License-Identifier: MIT
"""What is in an object file, as data: sections, programs, maps, and what it wants to know of a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.objects.btf.ext import CoreRelocation
from harness.objects.btf.reader import Btf
from harness.objects.elf import ByteOrder
from harness.objects.map_types import NUMBERS, type_name
from harness.objects.reasons import Line, Reason, Refusal
from harness.objects.sections import Meaning
from harness.script.operations import CreateMap, Program

RUNNING_KERNEL = 0xFFFFFFFE
"""What stands in the section `version` for the running kernel's own: gobpf's useCurrentKernelVersion, and
internal.MagicKernelVersion of github.com/cilium/ebpf."""


class Origin(StrEnum):
    """Where a map of an object comes from."""

    LEGACY = "maps"
    ONE_A_SECTION = "maps/NAME"
    BTF = ".maps"
    DATA = "data"
    CONFIG = ".kconfig"
    OPERATIONS = ".struct_ops"
    ARENA = ".addr_space.1"


@dataclass(frozen=True)
class ObjectMap:
    """A map that the object defines. `content` is the value of the only element of a map of data. `slots` are maps and
    functions that are put into elements by their names before anything is loaded; `inner` is what a map of maps holds.
    `told` says what a definition has beyond what bpf(BPF_MAP_CREATE) takes: pinning, a node of memory."""

    name: str
    origin: Origin
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    content: bytes | None = None
    inner: ObjectMap | None = None
    slots: tuple[tuple[int, str], ...] = ()
    key: str = ""
    value: str = ""
    told: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def type_name(self) -> str:
        """`hash`, also of types that no operation here makes."""
        return type_name(self.type)

    @property
    def frozen(self) -> bool:
        """Whether loaders freeze it when it has its content, so that the verifier may rely on that."""
        return self.origin is Origin.CONFIG or (self.origin is Origin.DATA and self.name.startswith(".rodata"))

    def create(self, cpus: int = 1) -> CreateMap:
        """As it is made. An event array without a size has an element for each of `cpus`, as libbpf makes it."""
        entries = self.max_entries
        if not entries and self.type == NUMBERS["perf_event_array"]:
            entries = cpus
        return CreateMap(self.name, self.type, self.key_size, self.value_size, entries, self.flags)


@dataclass(frozen=True)
class Extern:
    """Something that a kernel, not the object, defines. `type` as C names it, `size` in bytes. `weak`: it may be
    missing. `offset` is its place in the map .kconfig; None of a function or a variable of the kernel (.ksyms)."""

    name: str
    type: str
    size: int
    weak: bool
    offset: int | None = None
    function: bool = False


@dataclass(frozen=True)
class Pending:
    """Something at `instruction` that only a kernel decides; `relocation` where its types do."""

    reason: Reason
    instruction: int
    what: str
    relocation: CoreRelocation | None = None


@dataclass(frozen=True)
class FunctionType:
    """The type of the function that begins at `instruction`, as a number of the object's types. A `hidden` function is
    verified together with its callers also where the types say that it is global, as libbpf does: its symbol has that
    visibility."""

    instruction: int
    number: int
    hidden: bool = False


@dataclass(frozen=True)
class ObjectProgram:
    """A program with all functions that it calls behind it, as a loader hands it over; of one that is refused there is
    only the beginning of the story. `functions` and `lines` are by the index of the instruction they begin with."""

    name: str
    section: str
    meaning: Meaning | None
    program: Program
    functions: tuple[tuple[int, str], ...] = ()
    lines: tuple[tuple[int, Line], ...] = ()
    pending: tuple[Pending, ...] = ()
    refusal: Refusal | None = None
    types: tuple[FunctionType, ...] = ()

    def line(self, instruction: int) -> Line | None:
        """The line of the source that an instruction is of, None where the object does not tell."""
        best, start = None, max((at for at, _ in self.functions if at <= instruction), default=0)
        for at, line in self.lines:
            if start <= at <= instruction:
                best = line
        return best

    def function(self, instruction: int) -> str:
        """The name of the function that an instruction is of."""
        return next((name for at, name in reversed(self.functions) if at <= instruction), self.name)

    @property
    def needs(self) -> tuple[Reason, ...]:
        """What of a kernel must be known before it can be loaded, each once."""
        found = [pending.reason for pending in self.pending]
        if self.meaning and self.meaning.by_type:
            found.append(Reason.NEEDS_ATTACH_TYPE)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class ObjectSection:
    """One section: what it is, and how many programs and bytes are in it; `refusals` of itself and its programs."""

    name: str
    role: str
    nbytes: int
    programs: tuple[ObjectProgram, ...] = ()

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(program.refusal for program in self.programs if program.refusal)


@dataclass(frozen=True)
class ObjectFile:
    """An object file. `version` is the LINUX_VERSION_CODE as it stands there; `refusals` are of the object and of its
    maps, programs have their own."""

    byte_order: ByteOrder
    license: str | None
    version: int | None
    sections: tuple[ObjectSection, ...]
    programs: tuple[ObjectProgram, ...]
    maps: tuple[ObjectMap, ...]
    externs: tuple[Extern, ...]
    refusals: tuple[Refusal, ...] = ()
    btf: Btf | None = None

    @property
    def kern_version(self) -> int | None:
        """What a loader puts into kern_version; None is the running kernel's own."""
        return None if self.version == RUNNING_KERNEL else self.version

    def map(self, name: str) -> ObjectMap | None:
        """The map of that name."""
        return next((map for map in self.maps if map.name == name), None)
