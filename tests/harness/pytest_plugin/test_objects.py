# SPDX-License-Identifier: MIT
"""Programs of object files in tests: what is told of those that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.isa.assemble import exit_
from harness.objects.reader import read
from harness.pytest_plugin.objects import Loaded, MapHandle, choose, loaded, resolve
from harness.script.operations import CreateKprobe
from hil.errors import UserError
from hil.target import Completed
from tests.fakes import fake_kernel
from tests.harness.objects.building import section
from tests.harness.objects.probes import probe
from tests.harness.programs.elf import Section, object_file

FILE = read(probe())


def test_an_object_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "probe.o").touch()
    assert resolve("probe.o", tmp_path) == tmp_path / "probe.o"
    with pytest.raises(UserError, match=r"no object prob\.o in .* nor in .*did you mean 'probe\.o'"):
        resolve("prob.o", tmp_path)


def test_a_folder_that_an_object_is_not_in_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "probe.o").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        resolve("prob.o", tmp_path)
    assert str(caught.value) == f"there is no object prob.o in {tmp_path.resolve()}; did you mean 'probe.o'?"


def test_a_section_that_is_not_there_is_told_with_the_nearest() -> None:
    assert choose("probe.o", FILE.programs, None).section == "kprobe/cap_task_prctl"
    with pytest.raises(UserError, match="did you mean 'kprobe/cap_task_prctl'"):
        choose("probe.o", FILE.programs, "kprobe/cap_task_prct")


def test_a_number_is_written_in_the_size_of_keys_and_values() -> None:
    hits = MapHandle(FILE.maps[0])
    assert hits.update(1, 2).key == b"\1\0\0\0" and hits.lookup().value_size == 8
    with pytest.raises(UserError, match="does not fit into a key of hits: 4 bytes"):
        hits.delete(1 << 32)


class Guest:
    """What `guest.attach` asks of a guest: its kernel, and what stands in its /proc/kallsyms; it has no other file."""

    KALLSYMS = b"ffffffff81000000 T cap_task_prctl\nffffffff81000100 T __x64_sys_openat\n"

    def __init__(self) -> None:
        self.session = SimpleNamespace(kernel=fake_kernel(arch="x86_64"), target=self)

    def run(self, argv: Sequence[str]) -> Completed:
        if argv[0] == "cat":
            return Completed(1, b"", b"")
        assert argv[0] == "grep" and argv[-1] == "/proc/kallsyms"
        return Completed(0, self.KALLSYMS, b"")


def attached(tmp_path: Path, content: bytes, *sections: str, portable: bool = False, attach: bool = True) -> Loaded:
    (tmp_path / "probe.o").write_bytes(content)
    guest: Any = Guest()
    return loaded(guest, tmp_path / "probe.o", sections, attach=attach, portable=portable)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("kprobe", r"section kprobe, which names no function, cannot be attached here; load it with guest\.load"),
        ("sk_msg", r"section sk_msg, which is for sk_msg, cannot be attached here; load it with guest\.load"),
        ("uprobe//no/such:f", r"probe needs the file /no/such, which the lane does not have"),
    ],
)
def test_a_program_that_cannot_be_attached_is_told(tmp_path: Path, section: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        attached(tmp_path, probe(section))
    assert [type(one).__name__ for one in attached(tmp_path, probe(section), attach=False).steps][-1] == "LoadProgram"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "kprobe/cap_task_prct",
            r"has no function cap_task_prct, which section kprobe/cap_task_prct names; it has cap_",
        ),
        (
            "kretprobe/nobody",
            r"has no function nobody, which section kretprobe/nobody names; look into its /proc/kalls",
        ),
        ("kprobe/sys_openat", r"it has __x64_sys_openat; portable=True takes __x64_sys_openat"),
    ],
)
def test_a_function_that_the_kernel_lacks_is_told_before_anything_runs(tmp_path: Path, section: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        attached(tmp_path, probe(section))


def test_a_portable_program_is_attached_to_the_kernels_own_function(tmp_path: Path) -> None:
    made = attached(tmp_path, probe("kprobe/sys_openat"), portable=True)
    assert [one.symbol for one in made.steps if isinstance(one, CreateKprobe)] == ["__x64_sys_openat"]


def test_a_program_that_is_named_twice_is_attached_once(tmp_path: Path) -> None:
    made = attached(tmp_path, probe(), "probe", "kprobe/cap_task_prctl")
    assert sum(isinstance(one, CreateKprobe) for one in made.steps) == 1
    assert len(made.programs) == 1


@pytest.mark.parametrize(
    ("content", "sections", "said"),
    [
        (b"no object", (), r"probe\.o: the file does not begin as an ELF file; give a BPF object"),
        (probe()[:200], (), r"probe\.o: the object file is damaged: .*; `hil object` tells"),
        (object_file(Section("license", b"GPL\0")), (), r"probe\.o: the object file has no section with instructions"),
        (object_file(section("socket", exit_()), order=">"), (), r"probe\.o: a big-endian BPF .*; compile for bpfel"),
        (probe(), ("kprobe/f",), r"probe\.o has no program in a section 'kprobe/f'; did you mean"),
        (probe("unheard/of"), (), r"probe\.o: the name of section unheard/of tells no type of program; the name of"),
    ],
)
def test_an_object_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes, sections: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        attached(tmp_path, content, *sections)


def test_a_map_that_no_program_uses_is_told_with_the_nearest(tmp_path: Path) -> None:
    made = attached(tmp_path, probe())
    assert made.map("hits").lookup(0).value_size == 8
    with pytest.raises(UserError, match=r"its programs here use no map 'hit'; did you mean 'hits'"):
        made.map("hit")
