# SPDX-License-Identifier: MIT
"""What gdb's commands have to know of a lane and a script: written before gdb starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

from harness.abi import bpf
from harness.abi.bpf import MapType, ProgramType
from harness.debug.debuggee import Debuggee
from harness.debug.hooks import arguments_of
from harness.debug.inside import data
from harness.debug.subject import Subject
from harness.debug.traced import runs
from harness.isa.instruction import encode
from harness.isa.text import listing
from harness.lane import Engine
from harness.lockstep import dispatch
from harness.lockstep.inside import INTERPRETERS
from harness.lockstep.loads import loads
from harness.lockstep.registers import jit_register_names, private_stack_register, register_names
from harness.objects.btf.reader import Btf
from harness.objects.btf.types import COMPOSITE
from harness.objects.kernel_facts import KernelFacts
from harness.release import release
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    LoadProgram,
    OpenEvent,
    Operation,
    Ref,
    Script,
)
from hil.errors import BenchError
from hil.gdb.registers import register_file

LOADED, UNLOADED = "bpf_prog_kallsyms_add", "bpf_prog_free"
"""The functions of the kernel that get each program that was loaded, since 4.11 (74451e66d516), and each that is to be
freed."""
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "bpf_prog": ("len", "aux", "bpf_func", "insnsi", "jited_len"),
    "bpf_prog_aux": ("used_maps", "used_map_cnt", "linfo", "nr_linfo", "jited_linfo", "func_cnt", "func"),
    "bpf_map": ("map_type", "key_size", "value_size", "max_entries"),
    "bpf_array": ("value", "pptrs", "elem_size"),
    "bpf_htab": ("buckets", "n_buckets"),
    "htab_elem": ("hash_node", "key"),
    "bucket": ("raw_lock",),
}


def prepare(debuggee: Debuggee, subject: Subject, symbol: str, folder: Path, past: str = "") -> Path:
    """Writes the data for a script that will stop at `symbol` into a folder, and returns their file. `past` is
    as in SessionData.

    The guest must run. Raises UserError or BenchError for a kernel whose interpreter or compiler is not known.
    """
    file = folder / "bpf.json"
    data.write(file, replace(_data(debuggee, subject, symbol), past=past))
    return file


def _data(debuggee: Debuggee, subject: Subject, symbol: str) -> data.SessionData:
    script = subject.script
    kernel, arch = debuggee.kernel, debuggee.lane.arch
    compiled = debuggee.lane.engine is Engine.JIT
    expected, without = runs(debuggee.environment, script)
    return data.SessionData(
        lane=str(debuggee.lane),
        arch=arch,
        era=kernel.era,
        version=kernel.version,
        config=str(kernel.config),
        compiled=compiled,
        registers=jit_register_names(arch, kernel.era),
        private=private_stack_register(arch, kernel.era),
        load=_load(debuggee, compiled),
        unload=_address(debuggee, UNLOADED),
        hook=symbol,
        hook_arguments=arguments_of(symbol, kernel.era),
        programs=[_program(subject, one) for one in script.operations if isinstance(one, LoadProgram)],
        maps=[_map(one) for one in script.operations if isinstance(one, CreateMap)],
        interpreter=None if compiled else _interpreter(debuggee),
        offsets=dict(_offsets(KernelFacts.of(kernel, 1).types)),
        runs=expected,
        model=without,
    )


def _program(subject: Subject, one: LoadProgram) -> data.ProgramData:
    return data.ProgramData(
        one.name,
        int(one.type),
        _name(ProgramType, one.type),
        encode(one.program.instructions).hex(),
        listing(one.program),
        sorted(subject.source.get(one.name, {}).items()),
        maps=list(dict.fromkeys(ref.name for _, ref in sorted(one.program.maps, key=lambda pair: pair[0]))),
        attached=list(_attached(subject.script, one.name)),
    )


def _map(one: CreateMap) -> data.MapData:
    return data.MapData(one.name, _name(MapType, one.type), one.key_size, one.value_size, one.max_entries)


def _name(kinds: type[MapType] | type[ProgramType], kind: int) -> str:
    return kinds(kind).name if kind in [*kinds] else f"type {int(kind)}"


def _attached(script: Script, program: str) -> Iterator[str]:
    """Yields what a program is attached to, or passed to otherwise."""
    made = {one.name: one for one in script.operations if isinstance(one, (CreateKprobe, OpenEvent))}
    for operation in script.operations:
        if isinstance(operation, LoadProgram) or Ref(program) not in _values(operation):
            continue
        event = made.get(_name_of(operation.event)) if isinstance(operation, Attach) else None
        probe = made.get(_name_of(event.config)) if isinstance(event, OpenEvent) else None
        if isinstance(probe, CreateKprobe):
            kind = "return of" if probe.returns else "entry of"
            yield f"{kind} {probe.symbol}" + (f"+{probe.offset:#x}" if probe.offset else "")
        else:
            yield type(operation).__name__


def _values(operation: Operation) -> list[object]:
    return [getattr(operation, field.name) for field in fields(operation)]


def _name_of(value: object) -> str:
    return value.name if isinstance(value, Ref) else ""


def _load(debuggee: Debuggee, compiled: bool) -> data.LoadData:
    arch, era = debuggee.lane.arch, debuggee.kernel.era
    if release(era) >= bpf.TELLS_LINES:
        return data.LoadData(_address(debuggee, LOADED), register_file(arch).arguments[0])
    found = loads(arch, era, debuggee.table, debuggee.machine.memory, compiled=compiled)
    names = [register_names(arch)[number] for number in found.group.registers]
    return data.LoadData(found.place, names[-1], tells_nothing=True, ends=names[0] if compiled else "")


def _interpreter(debuggee: Debuggee) -> data.InterpreterData:
    arch = debuggee.lane.arch
    name = next((one for one in INTERPRETERS if debuggee.table.address(one) is not None), None)
    if name is None:
        raise BenchError(f"{debuggee.lane} has no symbol {' or '.join(INTERPRETERS)}")
    start = _address(debuggee, name)
    function = debuggee.table.function_at(start)
    found = dispatch.find(arch, start, function.size if function else 0, debuggee.machine.memory)
    names = register_names(arch)
    return data.InterpreterData(
        start,
        found.labels,
        names[found.instruction],
        names[found.array],
        found.offset,
        given_context=name == INTERPRETERS[-1],
    )


def _address(debuggee: Debuggee, symbol: str) -> int:
    found = debuggee.table.address(symbol)
    if found is None:
        raise BenchError(
            f"{debuggee.kernel} has no symbol {symbol}, so its programs are not seen",
            remedy="its kernel needs CONFIG_KALLSYMS, or a vmlinux",
        )
    return found


def _offsets(types: Btf | None) -> Iterator[tuple[str, int]]:
    """Yields where the fields are that the commands need, as far as the kernel's own types have them."""
    if types is None:
        return
    for structure, names in _FIELDS.items():
        number = next((one for one in types.named(structure) if types.type(one).kind in COMPOSITE), None)
        if number is None:
            continue
        found = dict(_members(types, number, 0))
        yield from ((f"{structure}.{name}", found[name]) for name in names if name in found)


def _members(types: Btf, number: int, base: int) -> Iterator[tuple[str, int]]:
    """Yields the members of a structure and their places in bytes, also those in a structure without a name."""
    for member in types.type(number).members:
        place = base + member.offset // 8
        if member.name:
            yield member.name, place
            continue
        inner, kind = types.plain(member.type)
        if kind.kind in COMPOSITE:
            yield from _members(types, inner, place)
