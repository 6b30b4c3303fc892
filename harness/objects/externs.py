# SPDX-License-Identifier: MIT
"""What an object leaves to the kernel: values of its configuration (.kconfig), functions and variables (.ksyms)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.abi.bpf import MapFlag
from harness.objects.btf.reader import Btf
from harness.objects.btf.types import Kind
from harness.objects.elf import Elf
from harness.objects.map_types import NUMBERS
from harness.objects.object_file import Extern, ObjectMap, Origin
from harness.objects.reasons import Refused

CONFIG, SYMBOLS = ".kconfig", ".ksyms"
_TRISTATE = {"n": 0, "y": 1, "m": 2}
"""`enum libbpf_tristate`."""
_VERSION = "LINUX_KERNEL_VERSION"


def externs(elf: Elf, btf: Btf | None) -> tuple[Extern, ...]:
    """Those that a symbol names and BTF describes, .kconfig in its layout: bpf_object__collect_externs(), libbpf."""
    undefined = {symbol.name: symbol for symbol in elf.symbols if symbol.section is None and symbol.name}
    if btf is None:
        return ()
    config: list[tuple[int, Extern]] = []
    symbols: list[Extern] = []
    for section in (CONFIG, SYMBOLS):
        described = btf.sections().get(section)
        for member in described.members if described else ():
            variable = btf.type(member.type)
            if variable.name not in undefined:
                continue
            weak = undefined[variable.name].binding == "WEAK"
            function, text = variable.kind is Kind.FUNC, btf.say(variable.word)
            if section == SYMBOLS:
                symbols.append(Extern(variable.name, text, 0, weak, function=function))
            elif not function:
                size, aligned = btf.size(variable.word), _alignment(btf, variable.word)
                config.append((aligned, Extern(variable.name, text, size, weak)))
    config.sort(key=lambda one: (-one[0], -one[1].size, one[1].name))
    placed, at = [], 0
    for aligned, extern in config:
        at = -(-at // aligned) * aligned
        placed.append(Extern(extern.name, extern.type, extern.size, extern.weak, at))
        at += extern.size
    return (*placed, *symbols)


def _alignment(btf: Btf, number: int) -> int:
    _, found = btf.plain(number)
    if found.kind is Kind.ARRAY:
        return _alignment(btf, found.word)
    return min(btf.size(number), 8) or 1


def config_map(found: Sequence[Extern]) -> ObjectMap | None:
    """The map that holds what is read of the configuration; its content is that of a kernel: `config_content`."""
    last = max((extern.offset + extern.size for extern in found if extern.offset is not None), default=0)
    if not last:
        return None
    flags = int(MapFlag.MMAPABLE | MapFlag.RDONLY_PROG)
    return ObjectMap(CONFIG, Origin.CONFIG, NUMBERS["array"], 4, last, 1, flags)


def config_content(found: Sequence[Extern], config: Mapping[str, str], version: int) -> tuple[bytes, tuple[str, ...]]:
    """The content for a kernel with that configuration, `CONFIG_X` to what stands behind its `=`, and that
    LINUX_VERSION_CODE; and the names of those that must be there and are not."""
    content = bytearray(max((extern.offset + extern.size for extern in found if extern.offset is not None), default=0))
    missing = []
    for extern in found:
        if extern.offset is None:
            continue
        text = str(version) if extern.name == _VERSION else config.get(extern.name)
        value = None if text is None else _encoded(extern, text)
        if value is not None:
            content[extern.offset : extern.offset + extern.size] = value
        elif not extern.weak:
            missing.append(extern.name)
    return bytes(content), tuple(missing)


def _encoded(extern: Extern, text: str) -> bytes | None:
    """set_kcfg_value_tri(), _str() and _num() of libbpf; None for what does not fit the type."""
    if text in _TRISTATE:
        if "bool" in extern.type.lower():
            return None if text == "m" else bytes([text == "y"])
        if extern.type.endswith("libbpf_tristate"):
            return _TRISTATE[text].to_bytes(extern.size, "little")
        return text.encode() if extern.type == "char" else None
    if text.startswith('"'):
        quoted = text.strip('"').encode()[: max(extern.size - 1, 0)]
        return quoted.ljust(extern.size, b"\0") if extern.type.startswith("char[") else None
    try:
        value = int(text, 0)
    except ValueError:
        return None
    fits = -(1 << 8 * extern.size - 1) <= value < 1 << 8 * extern.size
    return (value % (1 << 8 * extern.size)).to_bytes(extern.size, "little") if fits else None


def externs_or_none(elf: Elf, btf: Btf | None) -> tuple[tuple[Extern, ...], Refused | None]:
    """As `externs`, and what is wrong with their types."""
    try:
        return externs(elf, btf), None
    except Refused as error:
        return (), error
