# SPDX-License-Identifier: MIT
"""drgn (https://drgn.readthedocs.io) on a stopped guest: the kernel's objects as Python, in a shell or a script.

drgn reads physical memory, and walks the kernel's page tables itself. The guest stands still, so QEMU writes all of its
memory to a file once (QMP, pmemsave), and what drgn reads is a part of that file.
"""

from __future__ import annotations

import mmap
import re
import runpy
import signal
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from hil import cache
from hil.errors import BenchError, UserError
from hil.machine import Machine
from hil.target import read_file

if TYPE_CHECKING:
    import drgn

_RAM = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", re.MULTILINE)
_NOTE = struct.Struct("<3I")
_REMEDY = "was its kernel built with CONFIG_KEXEC, or CONFIG_VMCORE_INFO?"
_ARCHITECTURES = {"x86_64": "X86_64", "arm64": "AARCH64"}
"""Those whose page tables drgn walks in memory of its user's, as drgn.Architecture names them."""


@dataclass(frozen=True)
class Layout:
    """Where a guest's kernel has its memory: the physical addresses of its parts, first and behind the last, and the
    address and size of the note that describes the kernel to debuggers (VMCOREINFO)."""

    parts: Sequence[tuple[int, int]]
    note: tuple[int, int]


def require_drgn(arch: str) -> None:
    """Raises UserError when drgn is not installed, or has no support for the architecture."""
    try:
        import drgn  # noqa: F401  # an extra
    except ImportError as error:
        raise UserError(f"hil drgn needs drgn: {error}", remedy="pip install 'hil[drgn]'") from error
    if arch not in _ARCHITECTURES:
        raise UserError(f"drgn reads no memory of {arch} guests", remedy=f"choose {' or '.join(_ARCHITECTURES)}")


def layout(machine: Machine) -> Layout:
    """Returns the layout of a running guest; raises BenchError when its kernel does not tell it."""
    note = read_file(machine, "/sys/kernel/vmcoreinfo", remedy=_REMEDY)
    memory = read_file(machine, "/proc/iomem", remedy="was its kernel built with CONFIG_PROC_FS?").decode()
    parts = [(int(first, 16), int(last, 16) + 1) for first, last in _RAM.findall(memory)]
    address, size = (int(word, 16) for word in note.split())
    if not parts:
        raise BenchError("the guest's /proc/iomem shows no memory", remedy="report this with the kernel's version")
    return Layout(parts, (address, size))


@contextmanager
def program(machine: Machine, where: Layout, vmlinux: Path, folder: Path) -> Iterator[drgn.Program]:
    """Gives drgn's program of a stopped guest, with the debug information in `vmlinux`; its memory is a file in
    `folder` until the end of the block."""
    import drgn

    start, end = min(where.parts)[0], max(where.parts)[1]
    file = folder / "memory"
    cache.ensure_room(folder, end - start)
    machine.qmp.execute("pmemsave", val=start, size=end - start, filename=str(file))
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as memory:

            def read(address: int, count: int, offset: int, physical: bool) -> bytes:
                return memory[address - start : address - start + count]

            note = read(where.note[0], where.note[1], 0, True)
            found = drgn.Program(drgn.Platform(drgn.Architecture[_ARCHITECTURES[machine.arch.name]]))
            for first, last in where.parts:
                found.add_memory_segment(first, last - first, read, True)
            found.set_linux_kernel_custom(_description(note), False)
            found.load_debug_info([str(vmlinux)])
            yield found
    finally:
        file.unlink(missing_ok=True)


def shell(found: drgn.Program, names: Mapping[str, object]) -> None:
    """Opens drgn's shell on this terminal, with more names; Ctrl-C ends what it computes."""
    from drgn.cli import run_interactive

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run_interactive(found, globals_func=lambda known: {**known, **names})
    finally:
        signal.signal(signal.SIGINT, before)


def run(found: drgn.Program, words: Sequence[str], names: Mapping[str, object]) -> None:
    """Runs a script with its arguments as drgn does: `prog` is the program, and there are more names. Raises what the
    script raises."""
    from drgn import set_default_prog

    arguments, path = sys.argv, list(sys.path)
    sys.argv, sys.path[0:0] = list(words), [str(Path(words[0]).resolve().parent)]
    set_default_prog(found)
    try:
        runpy.run_path(words[0], init_globals={"prog": found, **names}, run_name="__main__")
    finally:
        set_default_prog(None)
        sys.argv, sys.path[:] = arguments, path


def of_script(error: BaseException, script: str) -> TracebackType | None:
    """Returns the part of an error's traceback that is of a script, all of it where none is."""
    part = error.__traceback__
    while part is not None and part.tb_frame.f_code.co_filename != script:
        part = part.tb_next
    return part or error.__traceback__


def _description(note: bytes) -> bytes:
    """Returns the text in an ELF note."""
    name, length, _ = _NOTE.unpack_from(note)
    start = _NOTE.size + -(-name // 4) * 4
    return note[start : start + length]
