# SPDX-License-Identifier: MIT
"""Functions of a running kernel, from its /proc/kallsyms: those of one name, and those with the nearest names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

from harness.counting import counted
from hil.target import Target

_TEXT = frozenset("tTwW")
_MOST_NEAR, _MOST_LISTED = 4, 4
_SPECIAL = re.compile(r"[].^$*+?(){}|\\[]")
"""What grep -E does not take for itself."""
_LITERAL = re.compile(r"[^*?]+")
_PREFIXES = re.compile(r"^(?:__(?:x64|ia32|arm64|riscv)_(?:compat_)?sys_|__(?:se|do)_sys_|SyS_|sys_|do_sys_|_+)")


@dataclass(frozen=True)
class Symbol:
    """A function: its address, its name, and the module it is in, empty for the kernel itself."""

    address: int
    name: str
    module: str = ""


@dataclass(frozen=True)
class Found:
    """The functions that have exactly a name, and those with the nearest names, the nearest first."""

    same: tuple[Symbol, ...]
    near: tuple[str, ...]

    @property
    def listed(self) -> str:
        """Returns how many there are, and the first of them."""
        names = [one.name for one in self.same]
        more = ", ..." if len(names) > _MOST_LISTED else ""
        first = f": {', '.join(names[:_MOST_LISTED])}{more}" if names else ""
        return f"{counted(len(names), 'function')}{first}"


def stem(name: str) -> str:
    """Returns what the names of one function have in common on different kernels: `openat` of `__x64_sys_openat`,
    `tcp_close` of `__tcp_close.isra.0`."""
    return _PREFIXES.sub("", name.partition(".")[0])


def find(target: Target, names: Iterable[str]) -> Mapping[str, Found]:
    """Returns what the running kernel has of each name, or near it."""
    names = tuple(dict.fromkeys(names))
    if not names:
        return {}
    patterns = [word for name in names for word in ("-e", stem(name) or name)]
    found = choose(_lines(target, "-F", patterns), names)
    if unknown := [name for name, one in found.items() if not one.same and not one.near]:
        alike = {one.name for one in _lines(target, "-E", [word for one in unknown for word in ("-e", _ends(one))])}
        found |= {name: Found((), _mistyped(name, alike)) for name in unknown}
    return found


def _lines(target: Target, kind: str, patterns: Sequence[str]) -> tuple[Symbol, ...]:
    seen = target.run(["grep", kind, *patterns, "/proc/kallsyms"])
    return parse(seen.stdout.decode(errors="replace"))


def _ends(name: str) -> str:
    """A pattern of kallsyms' lines with names that begin or end as this one, which has a mistake elsewhere; of all the
    100,000 names, too many to be transferred."""
    size = max(2, len(name) // 3)
    begin, end = (_SPECIAL.sub(r"\\\g<0>", part) for part in (name[:size], name[-size:]))
    return f" [tTwW] ({begin}.*|[^ ]*{end}([^A-Za-z0-9_.].*)?)$"


def _mistyped(name: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(get_close_matches(name, sorted(one for one in names if not _artificial(one)), _MOST_NEAR, cutoff=0.8))


def matching(functions: Callable[[str], Sequence[str]], pattern: str) -> Found:
    """Returns the functions that match a pattern; without one, as the nearest, patterns that match some: with the
    beginning, or the end, of names in the place of the pattern's own."""
    if names := functions(pattern):
        return Found(tuple(Symbol(0, name) for name in names), ())
    literal = max(_LITERAL.findall(pattern), key=len, default="")
    begins, size = pattern.startswith(literal), len(literal)
    if not size or not (begins or pattern.endswith(literal)):
        return Found((), ())
    parts = {name[:size] if begins else name[-size:] for name in functions("*")}
    return Found((), tuple(pattern.replace(literal, part) for part in get_close_matches(literal, sorted(parts))))


def parse(text: str) -> tuple[Symbol, ...]:
    """Returns the functions in the lines of kallsyms: `address type name [module]`."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] in _TEXT:
            module = words[3].strip("[]") if len(words) > 3 else ""
            found.append(Symbol(int(words[0], 16), words[2], module))
    return tuple(found)


def choose(symbols: Sequence[Symbol], names: Iterable[str]) -> dict[str, Found]:
    """Returns what `symbols` has of each name, or near it."""
    return {name: _choose(symbols, name) for name in names}


def _choose(symbols: Sequence[Symbol], name: str) -> Found:
    same = tuple(symbol for symbol in symbols if symbol.name == name)
    wanted = stem(name)
    others = {symbol.name for symbol in symbols if symbol.name != name and not _artificial(symbol.name)}
    alike = [other for other in others if stem(other) == wanted or other.startswith(f"{name}.")]
    if not alike:
        alike = [other for other in others if wanted and wanted in other]
    ranked = sorted(alike, key=lambda other: (-SequenceMatcher(None, name, other).ratio(), other))
    return Found(same, tuple(ranked[:_MOST_NEAR]))


def _artificial(name: str) -> bool:
    """Whether it is no function that anybody wrote: padding before a function, a trampoline, a thunk of a check."""
    return name.startswith(("__pfx_", "__cfi_", "bpf_prog_", "__SCT__", "__kstrtab_", "__ksymtab_", "trace_event_raw"))
