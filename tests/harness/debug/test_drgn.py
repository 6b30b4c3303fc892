# SPDX-License-Identifier: MIT
"""`hil drgn` with a stand-in for drgn, which is an extra, and for QEMU."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.debug import drgn_commands
from harness.debug.in_drgn import Layout, layout, of_script, program, require_drgn, run
from hil.arch import architecture
from hil.errors import BenchError, HilError, UserError
from hil.target import Completed

IOMEM = """\
00001000-0009fbff : System RAM
000a0000-000fffff : Reserved
00100000-00100fff : System RAM
  00100000-001007ff : Kernel code
"""
TEXT = b"OSRELEASE=6.1.0\nPAGESIZE=4096\n"
NOTE = struct.pack("<3I", 11, len(TEXT), 0) + b"VMCOREINFO\0\0" + TEXT
AT = 0x2000
LAYOUT = Layout([(0x1000, 0x9FC00), (0x100000, 0x101000)], (AT, len(NOTE)))


class Program:
    """A drgn.Program that notes what it gets."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.segments: list[tuple[int, int, Any, bool]] = []

    def add_memory_segment(self, *segment: Any) -> None:
        self.segments.append(segment)

    def set_linux_kernel_custom(self, description: bytes, live: bool) -> None:
        self.description, self.live = description, live

    def load_debug_info(self, paths: list[str]) -> None:
        self.paths = paths


class Machine:
    """A machine whose memory is its own address in every word of 4 bytes, and a note at AT."""

    arch = architecture("arm64")

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.qmp = self

    def execute(self, command: str, val: int, size: int, filename: str) -> None:
        assert command == "pmemsave"
        memory = bytearray(b"".join(struct.pack("<I", at) for at in range(val, val + size, 4)))
        memory[AT - val : AT - val + len(NOTE)] = NOTE
        Path(filename).write_bytes(memory)

    def run(self, argv: list[str], **_: Any) -> Completed:
        text = self.files.get(argv[1])
        return Completed(1, b"", b"No such file") if text is None else Completed(0, text.encode(), b"")


@pytest.fixture
def drgn(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Puts a drgn in place; returns the default programs that were set."""
    defaults: list[object] = []
    fake: Any = SimpleNamespace(
        Program=Program,
        Platform=lambda architecture: architecture,
        Architecture={"AARCH64": "AARCH64"},
        set_default_prog=defaults.append,
    )
    monkeypatch.setitem(sys.modules, "drgn", fake)
    return defaults


def test_a_guest_tells_where_its_memory_and_its_description_are() -> None:
    files = {"/proc/iomem": IOMEM, "/sys/kernel/vmcoreinfo": "2000 3d\n"}
    machine: Any = Machine(files)
    assert layout(machine) == Layout(LAYOUT.parts, (0x2000, 0x3D))
    del files["/sys/kernel/vmcoreinfo"]
    with pytest.raises(HilError, match="CONFIG_KEXEC, or CONFIG_VMCORE_INFO"):
        layout(machine)
    machine.files = {"/proc/iomem": "", "/sys/kernel/vmcoreinfo": "2000 3d\n"}
    with pytest.raises(BenchError, match="shows no memory"):
        layout(machine)


@pytest.mark.usefixtures("drgn")
def test_drgn_reads_the_memory_by_its_physical_address(tmp_path: Path) -> None:
    machine: Any = Machine({})
    with program(machine, LAYOUT, Path("/vmlinux"), tmp_path) as made:
        found: Any = made
        assert (found.platform, found.paths, found.live) == ("AARCH64", ["/vmlinux"], False)
        assert found.description == TEXT
        assert [(start, size, physical) for start, size, _, physical in found.segments] == [
            (0x1000, 0x9EC00, True),
            (0x100000, 0x1000, True),
        ]
        read = found.segments[1][2]
        assert read(0x100010, 8, 0x10, True) == struct.pack("<2I", 0x100010, 0x100014)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("drgn")
def test_the_memory_is_removed_whatever_happens(tmp_path: Path) -> None:
    machine: Any = Machine({})
    with pytest.raises(ZeroDivisionError), program(machine, LAYOUT, Path("/vmlinux"), tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_script_has_the_program_other_names_and_its_arguments(drgn: list[object], tmp_path: Path) -> None:
    script, kept = tmp_path / "look.py", []
    (tmp_path / "beside.py").write_text("WORD = 'beside'\n")
    script.write_text("import sys, beside\nkept.append((prog, stopped, sys.argv[1:], beside.WORD, __name__))\n")
    before = list(sys.argv), list(sys.path)
    made: Any = Program("AARCH64")
    run(made, [str(script), "one", "-two"], {"stopped": 5, "kept": kept})
    assert kept == [(made, 5, ["one", "-two"], "beside", "__main__")]
    assert drgn == [made, None] and (sys.argv, sys.path) == before
    script.write_text("def divide():\n    1 / 0\ndivide()\n")
    with pytest.raises(ZeroDivisionError) as caught:
        run(made, [str(script)], {})
    part = of_script(caught.value, str(script))
    assert part is not None and part.tb_lineno == 3, "the script's own part begins where it calls"
    assert drgn[-1] is None and (sys.argv, sys.path) == before


def test_what_is_missing_is_told_before_anything_boots(monkeypatch: pytest.MonkeyPatch, drgn: list[object]) -> None:
    del drgn
    with pytest.raises(UserError, match="drgn reads no memory of riscv64 guests; choose x86_64 or arm64"):
        require_drgn("riscv64")
    require_drgn("arm64")
    monkeypatch.setattr(drgn_commands, "require_gdb", lambda: None)
    assert "there is no file /none.py" in refused("debian-12/x86_64", "--", "/none.py")
    monkeypatch.setitem(sys.modules, "drgn", None)
    assert "pip install 'hil[drgn]'" in refused("debian-12/x86_64")


def refused(*arguments: str) -> str:
    result: Result = CliRunner().invoke(drgn_commands.drgn, arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)
