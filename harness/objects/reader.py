# SPDX-License-Identifier: MIT
"""Object files as clang -target bpf makes them and libbpf, gobpf, iproute2 and their kin load them.

What is wrong with a part is told of that part, and the rest is read; only a file that is no object at all is refused
as a whole. Nothing here asks which kernel it is for: what a kernel decides is kept as `Pending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.isa.instruction import MOST_INSTRUCTIONS, SIZE
from harness.objects import elf, externs, functions, linking, maps
from harness.objects.btf import ext
from harness.objects.btf.reader import Btf
from harness.objects.elf import Elf, Section
from harness.objects.functions import TEXT, Function
from harness.objects.object_file import Extern, ObjectFile, ObjectProgram, ObjectSection
from harness.objects.reasons import Reason, Refusal, Refused
from harness.objects.references import Reference, References, ToFunction
from harness.objects.sections import meaning, role
from harness.script.operations import Program

_MOST_LINKED = 4 * MOST_INSTRUCTIONS
"""Instructions of all programs together, each with its own copies of functions."""
_VERSION_SIZE = 4


def read(content: bytes) -> ObjectFile:
    """The object file; Refused when the file as a whole is none."""
    file = elf.read(content)
    refusals: list[Refusal] = []
    types, extension = _types(file, refusals)
    outside, trouble = externs.externs_or_none(file, types)
    defined, wrong = maps.maps(file, types)
    refusals += [*([trouble.refusal] if trouble else []), *wrong]
    version, refused = _version(file)
    refusals += refused
    programs = tuple(_Programs(file, {one.name: one for one in outside}, extension).all())
    config = externs.config_map(outside)
    if not programs:
        refusals.append(Refusal(Reason.NO_PROGRAM, "the object file has no section with instructions"))
    return ObjectFile(
        file.byte_order,
        _license(file),
        version,
        tuple(_sections(file, programs)),
        programs,
        (*defined, config) if config else defined,
        outside,
        tuple(refusals),
        types,
    )


def _types(file: Elf, refusals: list[Refusal]) -> tuple[Btf | None, ext.Extension]:
    """What .BTF and .BTF.ext say; what is damaged is told, and then not there."""
    nothing = ext.Extension()
    types, more = file.content(".BTF"), file.content(".BTF.ext")
    try:
        if types is None:
            return None, nothing
        found = Btf(types)
        return found, ext.read(found, more) if more is not None else nothing
    except Refused as error:
        refusals.append(error.refusal)
        return None, nothing


def _license(file: Elf) -> str | None:
    content = file.content("license")
    return None if content is None else content.split(b"\0", 1)[0].decode("ascii", "replace")


def _version(file: Elf) -> tuple[int | None, list[Refusal]]:
    content = file.content("version")
    if content is None:
        return None, []
    if len(content) != _VERSION_SIZE:
        what, remedy = f"section version has {len(content)} bytes", "it holds a LINUX_VERSION_CODE of 4 bytes"
        return None, [Refusal(Reason.BAD_VERSION, what, "version", remedy=remedy)]
    return int.from_bytes(content, file.byte_order), []


def _sections(file: Elf, programs: Iterable[ObjectProgram]) -> Iterator[ObjectSection]:
    by_section: dict[str, list[ObjectProgram]] = {}
    for program in programs:
        by_section.setdefault(program.section, []).append(program)
    for section in file.sections[1:]:
        inside = tuple(by_section.get(section.name, ())) if section.executable else ()
        if not section.executable:
            what = role(section.name)
        elif not inside:
            what = "functions"
        else:
            said = meaning(section.name)
            what = said.type.name.lower() if said else ""
        yield ObjectSection(section.name, what, len(section.content), inside)


class _Programs:
    """The programs of an object, put together."""

    def __init__(self, file: Elf, outside: dict[str, Extern], extension: ext.Extension) -> None:
        self._file = file
        self._wrong: dict[int, Refused] = {}
        self._found: dict[int, dict[int, Function]] = {}
        self._sections = [section for section in file.sections if section.executable]
        references = References(file, outside)
        named: dict[int, dict[int, Reference | Refused]] = {}
        for section in self._sections:
            try:
                here = functions.functions(file, section)
                self._found[section.index] = {function.start: function for function in here}
                code = {one.start + at: insn for one in here for at, insn in enumerate(one.instructions)}
                named[section.index] = references.of(section, code)
            except Refused as error:
                self._wrong[section.index] = error
        self._called = {
            one.section
            for home, references in named.items()
            for one in references.values()
            if isinstance(one, ToFunction) and one.section != home
        }
        self._parts = linking.Parts(
            self._found,
            named,
            {one.index: {at // SIZE: line for at, line in extension.lines.get(one.name, ())} for one in self._sections},
            {
                one.index: {core.offset // SIZE: core for core in extension.core.get(one.name, ())}
                for one in self._sections
            },
            {section.index: section.name for section in self._sections},
            {
                one.index: {at // SIZE: type for at, type in extension.functions.get(one.name, ())}
                for one in self._sections
            },
        )

    def all(self) -> Iterator[ObjectProgram]:
        """Each program, in the order of the file. What others call is none where there are others."""
        inner = [section for section in self._sections if self._is_called(section)]
        outer = [section for section in self._sections if section not in inner]
        room = _MOST_LINKED
        for section in outer or inner:
            if error := self._wrong.get(section.index):
                yield _refused(section, section.name, error.refusal)
                continue
            for function in self._found[section.index].values():
                made = self._program(section, function)
                room -= len(made.program.instructions)
                if room < 0:
                    what = "all programs of the object together have too many instructions"
                    made = _refused(section, function.name, Refusal(Reason.TOO_LARGE, what, section.name))
                yield made

    def _is_called(self, section: Section) -> bool:
        """Whether it holds functions for others: .text, or a section whose name tells no type and that others call."""
        return section.name == TEXT or (meaning(section.name) is None and section.index in self._called)

    def _program(self, section: Section, function: Function) -> ObjectProgram:
        try:
            linked = linking.link(self._parts, function)
        except Refused as error:
            return _refused(section, function.name, error.refusal)
        return ObjectProgram(
            function.name,
            section.name,
            meaning(section.name),
            linked.program(),
            tuple(linked.functions),
            tuple(linked.lines),
            tuple(linked.pending),
            types=tuple(linked.types),
        )


def _refused(section: Section, name: str, refusal: Refusal) -> ObjectProgram:
    return ObjectProgram(name, section.name, meaning(section.name), Program(()), refusal=refusal)
