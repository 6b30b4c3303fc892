# SPDX-License-Identifier: MIT
"""The plugin for the host's QEMU: which interface it has, and what is said when nothing can be built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.errors import BenchError
from hil.recorder import build
from hil.recorder.build import INTERFACES, NoRecorder, compile_plugin, interface, interface_of, plugin

OFFICIAL, INTERNAL = INTERFACES
PLUGINS = {"qemu_plugin_register_vcpu_insn_exec_cb", "qemu_plugin_reset"}


def test_the_official_interface_comes_first() -> None:
    assert interface(PLUGINS | OFFICIAL.needs | INTERNAL.needs | INTERNAL.one_of, "qemu") is OFFICIAL
    assert interface(PLUGINS | INTERNAL.needs | {"aarch64_cpu_gdb_read_register"}, "qemu") is INTERNAL


@pytest.mark.parametrize(
    ("exported", "why"),
    [
        ({"main"}, "built without plugins"),
        (PLUGINS, "neither an interface by which they read registers nor the functions"),
        (PLUGINS | INTERNAL.needs, "neither"),
        (PLUGINS | {"qemu_plugin_read_register"}, "neither"),  # QEMU 9.0 and 9.1: no memory
    ],
)
def test_a_qemu_without_it_is_told(exported: set[str], why: str) -> None:
    with pytest.raises(NoRecorder, match=why) as told:
        interface(exported, "/usr/bin/qemu-system-x86_64")
    assert "/usr/bin/qemu-system-x86_64" in told.value.what and told.value.remedy


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "qemu").write_text("#!/bin/sh\n")
    with pytest.raises(NoRecorder, match="cannot be read as a program"):
        interface_of(tmp_path / "qemu")
    with pytest.raises(NoRecorder, match="cannot be read as a program"):
        interface_of(tmp_path / "none")


def test_a_program_without_plugins_is_told() -> None:
    with pytest.raises(NoRecorder, match="without plugins"):
        interface_of(Path(shutil.which("sh") or "/bin/sh").resolve())


@pytest.mark.parametrize("chosen", INTERFACES)
def test_the_plugin_compiles_without_a_warning(chosen: build.Interface, tmp_path: Path) -> None:
    compile_plugin("cc", tmp_path / "recorder.so", chosen, "-Werror")
    assert (tmp_path / "recorder.so").stat().st_size > 1000


@pytest.mark.parametrize(("status", "said"), [(4, "status 4$|status 4;"), (0, "status 0 and without a file")])
def test_a_compiler_that_fails_is_told(status: int, said: str, tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(f"#!/bin/sh\necho no such header >&2\nexit {status}\n")
    compiler.chmod(0o755)
    with pytest.raises(NoRecorder, match=f"cannot be compiled: .*{said}") as told:
        compile_plugin(str(compiler), tmp_path / "out.so", OFFICIAL)
    assert "no such header" in told.value.details


def test_a_missing_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "_COMPILER", "no-such-compiler")
    with pytest.raises(BenchError, match="no C compiler"):
        plugin(architecture("x86_64"))


def test_it_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, _ = plugin(architecture("x86_64"))
    second, _ = plugin(architecture("arm64"))
    assert first == second and first.is_file()
