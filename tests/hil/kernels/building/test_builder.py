# SPDX-License-Identifier: MIT
"""Builds from the server into the cache, with toy sources: the results, and the errors."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.cache import Unusable
from hil.errors import BenchError, HilError, UserError
from hil.kernels import catalogue, importing, store
from hil.kernels.building import builder, recipe
from hil.kernels.building.job import Failed
from hil.kernels.entry import Parts
from hil.kernels.kernel import Kernel

from .conftest import Recorder, Server, sources

X86_64 = architecture("x86_64")


@pytest.fixture
def toy(server: Server, host: Path) -> Callable[..., Kernel]:
    """A function that builds sources from the server: `toy(sources(...), again=True)`."""

    def build(content: bytes = b"", *, arch: str = "x86_64", sha256: str = "", **options: object) -> Kernel:
        server.content = content or server.content or sources()
        return builder.build(server.entry(sha256), architecture(arch), **options)  # type: ignore[arg-type]

    return build


def left_over(cached: Path) -> list[str]:
    """The files in the cache of kernels, without locks."""
    return sorted(str(path.relative_to(cached)) for path in cached.glob("*/*") if path.suffix != ".lock")


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_a_kernel_comes_out(toy: Callable[..., Kernel], cached: Path, server: Server, arch: str) -> None:
    recorder = Recorder()
    kernel = toy(arch=arch, jobs=2, progress=recorder)
    assert kernel == store.find("linux-4.1", architecture(arch))
    assert (kernel.release, kernel.version, kernel.era) == ("4.1.52", "4.1.52", "4.1")
    assert kernel.modules is not None
    assert (kernel.modules / "lib/modules/4.1.52/kernel/lib/test_bpf.ko").read_text() == "module\n"
    assert kernel.vmlinux is not None and kernel.vmlinux.read_bytes().startswith(b"\x7fELF")
    assert kernel.system_map is not None
    assert "CONFIG_BPF_SYSCALL=y" in kernel.config.read_text()
    assert left_over(cached) == [f"linux-4.1/{arch}"]
    assert [step.split()[0] for step in recorder.steps if "known to work" not in step] == [
        "downloading",
        "unpacking",
        "configuring",
        "compiling,",
        "installing",
        "copying",
    ]


def test_the_provenance_has_all_to_repeat_the_build(toy: Callable[..., Kernel], server: Server) -> None:
    provenance = toy(jobs=3).provenance
    assert provenance["source"] == "built"
    assert provenance["tarball"] == {"url": server.url, "sha256": hashlib.sha256(server.content).hexdigest()}
    assert "-fcf-protection=none" in provenance["flags"]["CC"]
    assert len(provenance["fragment"]["sha256"]) == 64
    assert "gcc" in provenance["compiler"]
    assert set(provenance["sha256"]) == {"image", "config"}
    compiling = provenance["commands"][3]
    assert compiling.startswith("make -j3 bzImage modules ARCH=x86_64 CROSS_COMPILE=x86_64-linux-gnu- ")
    assert "'KBUILD_BUILD_TIMESTAMP=Mon May 28 09:33:20 UTC 2018'" in compiling
    assert [command.split()[0] for command in provenance["commands"]] == ["tar"] + ["make"] * 4


def test_the_log_is_kept(toy: Callable[..., Kernel], tmp_path: Path) -> None:
    toy()
    assert "  CC      toy/init.o\n" in (tmp_path / "state/hil/builds/linux-4.1-x86_64.log").read_text()


def test_what_was_made_the_same_way_is_not_made_again(
    toy: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    toy()
    toy(progress=recorder)
    assert recorder.steps == []
    toy(progress=recorder, again=True)
    assert recorder.steps[-1] == "copying into the cache"
    recorder.steps.clear()
    first = recipe.load("linux-4.1", X86_64)
    monkeypatch.setattr("hil.kernels.building.recipe.load", lambda *_: recipe_without(first, "TEST_BPF"))
    toy(progress=recorder)
    assert recorder.steps[-1] == "copying into the cache"


def recipe_without(known: recipe.Recipe, name: str) -> recipe.Recipe:
    options = tuple(option for option in known.options if option.name != name)
    return recipe.Recipe(**{**vars(known), "options": options})


def test_a_users_environment_changes_nothing(toy: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "--dry-run")
    monkeypatch.setenv("KCFLAGS", "-O0")
    assert toy(sources(rule='test -z "$$KCFLAGS"')).vmlinux is not None


def test_an_imported_kernel_is_left_alone(toy: Callable[..., Kernel], build: Callable[..., Parts]) -> None:
    imported = importing.add("linux-4.1", build())
    with pytest.raises(UserError, match=r"linux-4.1/x86_64 was imported; first `hil kernels remove"):
        toy()
    assert store.find("linux-4.1", X86_64) == imported


def damage(kernel: Kernel) -> None:
    kernel.image.chmod(0o644)
    kernel.image.write_bytes(b"rubbish")


def test_an_imported_kernel_is_left_alone_even_when_damaged(
    toy: Callable[..., Kernel], build: Callable[..., Parts]
) -> None:
    damage(importing.add("linux-4.1", build()))
    with pytest.raises(UserError, match="was imported"):
        toy()
    with pytest.raises(BenchError, match="and import it again"):
        store.find("linux-4.1", X86_64)


def test_a_damaged_kernel_is_built_again(toy: Callable[..., Kernel]) -> None:
    before = toy()
    damage(before)
    with pytest.raises(BenchError, match=r"is damaged: .* and build it again"):
        store.find("linux-4.1", X86_64)
    assert toy().provenance["sha256"] == before.provenance["sha256"]


def test_a_package_is_not_built() -> None:
    with pytest.raises(
        UserError, match="debian-12 comes as a package, it is not built from source; use `hil kernels fetch"
    ):
        builder.build(catalogue.entry("debian-12"), X86_64)


# Each error: the sources, or the fault of the host, and the message. No partial entry and no build tree is left.


@pytest.mark.parametrize(
    ("content", "error", "message", "details"),
    [
        (
            sources(rule="echo 'toy/init.c:1: error: no such luck' && exit 1"),
            Failed,
            r"`make -j\d+ bzImage modules` ended with status 2; see the whole log, .*linux-4.1-x86_64.log",
            "error: no such luck",
        ),
        (
            sources(rule="echo 'as: toy.o: No space left on device' && exit 1"),
            Unusable,
            r"cannot use the cache at .*: No space left on device; free space there",
            "",
        ),
        (
            sources(olddefconfig="sed -i /CONFIG_KPROBE/d .config"),
            BenchError,
            r"2 options of the configuration do not have the requested value; adapt options.toml",
            "KPROBES is not set, not y\nKPROBE_EVENT is not set, not y",
        ),
    ],
    ids=["compiler", "space", "option"],
)
def test_trouble(
    toy: Callable[..., Kernel],
    cached: Path,
    content: bytes,
    error: type[HilError],
    message: str,
    details: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        toy(content)
    assert details in caught.value.details
    assert left_over(cached) == []


def test_a_failing_build_keeps_the_old_kernel(toy: Callable[..., Kernel], cached: Path) -> None:
    before = toy()
    with pytest.raises(Failed):
        toy(sources(rule="false"))
    assert store.find("linux-4.1", X86_64) == before
    assert left_over(cached) == ["linux-4.1/x86_64"]


def test_a_build_that_makes_no_image(toy: Callable[..., Kernel], cached: Path) -> None:
    with pytest.raises(
        BenchError, match=r"without making sources/linux-4.1.52/arch/x86/boot/bzImage; see the whole log,"
    ):
        toy(sources(rule="cp toy/init.c vmlinux; cp vmlinux System.map; exit 0\n\ntail:"))
    assert left_over(cached) == []


def test_wrong_hash(toy: Callable[..., Kernel], cached: Path) -> None:
    with pytest.raises(BenchError, match="is not what the catalogue names"):
        toy(sha256="0" * 64)
    assert left_over(cached) == []


def test_a_truncated_download_is_resumed(toy: Callable[..., Kernel], server: Server) -> None:
    server.breaks = [100]
    assert toy().release == "4.1.52"
    assert server.ranges == ["", "bytes=100-"]


def test_the_users_tarball(toy: Callable[..., Kernel], server: Server, tmp_path: Path) -> None:
    own = tmp_path / "mine.tar.xz"
    own.write_bytes(sources())
    assert toy(own=own).release == "4.1.52"
    assert server.ranges == []


def test_every_missing_program_is_named(
    toy: Callable[..., Kernel], host: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("make", "tar", "xz", "gzip", "gcc"):
        (host / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(host))
    (host / "bc").unlink()
    with pytest.raises(
        BenchError,
        match=r"for arm64: bc, aarch64-linux-gnu-gcc not installed; .*apt-get install bc gcc-aarch64-linux-gnu$",
    ):
        toy(arch="arm64")
    assert server.ranges == []


def test_no_room(
    toy: Callable[..., Kernel], small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk("1m")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    with pytest.raises(Unusable, match=f"cannot use the cache at {disk}.*No space left on device"):
        toy()
    assert left_over(disk / "hil/kernels") == []


def test_a_disk_that_fills_up_while_building(
    toy: Callable[..., Kernel], small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk("1m")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    monkeypatch.setattr("hil.cache.ensure_room", lambda *_: None)
    with pytest.raises(Unusable, match=f"cannot use the cache at {disk}.*No space left on device"):
        toy(sources(rule="dd if=/dev/zero of=big bs=1M count=2"))
    assert left_over(disk / "hil/kernels") == []


def test_an_interrupt_leaves_nothing(toy: Callable[..., Kernel], cached: Path) -> None:
    class Impatient(Recorder):
        def advance(self, done: int, total: int | None = None) -> None:
            if self.steps[-1].startswith("compiling"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy(sources(rule="sleep 600"), progress=Impatient())
    assert left_over(cached) == []


def test_a_path_that_make_cannot_take(
    toy: Callable[..., Kernel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my cache"))
    with pytest.raises(BenchError, match=r"make takes no path with spaces .*; set XDG_CACHE_HOME"):
        toy()


def test_an_unknown_compiler_is_tried(toy: Callable[..., Kernel], host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = host / "x86_64-linux-gnu-gcc"
    real = shutil.which("x86_64-linux-gnu-gcc")
    compiler.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "gcc (Toy) 99.1.0" && exit\nexec {real} "$@"\n')
    compiler.chmod(0o755)
    recorder = Recorder()
    assert toy(progress=recorder).provenance["compiler"] == "gcc (Toy) 99.1.0"
    assert any(step.startswith("trying gcc (Toy) 99.1.0; GCC 12") for step in recorder.steps)


def test_what_a_killed_build_left_is_removed(toy: Callable[..., Kernel], cached: Path) -> None:
    rubble = cached / "linux-4.1/.x86_64.build/sources/linux-4.1.52"
    rubble.mkdir(parents=True)
    (rubble / "Makefile").write_text("rubble")
    os.chmod(rubble, 0o500)  # noqa: PTH101 - as tar may have left it
    toy()
    assert left_over(cached) == ["linux-4.1/x86_64"]
