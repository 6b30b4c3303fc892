# SPDX-License-Identifier: MIT
"""`bpf disas`."""

from __future__ import annotations

from collections.abc import Iterator

import gdb

from harness.debug.inside.loaded import Loaded
from harness.debug.inside.place import here
from harness.debug.inside.told import Command, at_most, say
from harness.debug.inside.until import program


class Disas(Command):
    """Show a BPF program, with the native code of each instruction below it: bpf disas [PROGRAM].

    `=>` marks the instruction that is next, `-` one that the kernel has removed, or made part of another."""

    name = "bpf disas"

    def run(self, words: list[str]) -> None:
        at_most(words, 1, "bpf disas [PROGRAM]")
        loaded = program(self.session, words[0] if words else None)
        place = here(self.session)
        current = place.indexes if place is not None and place.loaded is loaded else ()
        source = dict(loaded.data.source)
        for index, text in loaded.data.text:
            if index in source:
                say(f"; {source[index]}")
            mark = "=>" if index in current else "  " if index in loaded.kept else " -"
            say(f"{mark} {index:>4}: {text}", *_native(loaded, index))


def _native(loaded: Loaded, index: int) -> Iterator[str]:
    """Yields the native code of an instruction; nothing for one that shares it with the next."""
    start = loaded.address_of(index)
    if not loaded.native or start is None or loaded.by_address[start][-1] != index:
        return
    image = next((one for one in loaded.images if start in one), None)
    if image is None:
        return
    end = min((one for one in loaded.by_address if start < one < image.stop), default=image.stop)
    for row in gdb.selected_frame().architecture().disassemble(start, end - 1):
        yield f"           {row['addr']:#x}: {' '.join(row['asm'].split())}"
        if row["asm"].startswith("ret"):
            return  # what follows fills the image up
