# SPDX-License-Identifier: MIT
from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from hil import resources
from hil.agent import build
from hil.arch import Architecture, architecture, architectures
from hil.errors import BenchError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.directories.cache", lambda: tmp_path)


def available(arch: Architecture) -> Architecture:
    if shutil.which(arch.gcc) is None:
        pytest.skip(f"{arch.gcc} is not installed")
    return arch


@pytest.mark.parametrize("name", architectures())
def test_binary_is_static_and_of_its_architecture(name: str) -> None:
    arch = available(architecture(name))
    with build.agent_binary(arch).open("rb") as file:
        elf = ELFFile(file)
        assert elf["e_machine"] == arch.elf_machine
        kinds = {segment["p_type"] for segment in elf.iter_segments()}
        assert "PT_LOAD" in kinds
        assert not kinds & {"PT_INTERP", "PT_DYNAMIC"}


@pytest.mark.parametrize("name", architectures())
def test_sources_are_free_of_warnings(name: str, tmp_path: Path) -> None:
    arch = available(architecture(name))
    build.compile_agent(arch.gcc, tmp_path / "agent", resources.folder("guest"), *build.LINK, "-Werror")


def test_second_call_takes_the_cached_binary() -> None:
    arch = available(architecture("x86_64"))
    first = build.agent_binary(arch)
    built = first.stat().st_mtime_ns
    assert build.agent_binary(arch) == first
    assert first.stat().st_mtime_ns == built
    assert sorted(path.name for path in first.parent.iterdir()) == ["hil-agent", "sha256sums"]


def test_changed_sources_are_another_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = available(architecture("x86_64"))
    first = build.agent_binary(arch)
    copy = tmp_path / "guest"
    shutil.copytree(resources.folder("guest"), copy)
    with (copy / "main.c").open("a") as file:
        file.write("/* changed */\n")
    monkeypatch.setattr("hil.resources.folder", lambda name: copy)
    assert build.agent_binary(arch) != first


def test_missing_compiler_names_the_package() -> None:
    arch = dataclasses.replace(architecture("arm64"), gcc="no-such-gcc")
    with pytest.raises(BenchError, match="install the Debian package gcc-aarch64-linux-gnu"):
        build.agent_binary(arch)


def test_failing_compiler_shows_its_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = available(architecture("x86_64"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/main.c").write_text("int main(void) { return nothing; }\n")
    (tmp_path / "bad/flags").write_text("-O0\n")
    monkeypatch.setattr("hil.resources.folder", lambda name: tmp_path / "bad")
    with pytest.raises(BenchError) as caught:
        build.agent_binary(arch)
    assert "nothing" in caught.value.details
    assert not list(tmp_path.glob("agent/*/*/hil-agent"))
