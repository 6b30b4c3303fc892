# SPDX-License-Identifier: MIT
"""The modules of a guest root and their order, with modules made in memory."""

from __future__ import annotations

import gzip
import lzma
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.errors import BenchError
from hil.guestroot import modules
from hil.guestroot.recipe import Driver
from hil.kernels.kernel import Kernel

RELEASE = "6.1.0-test"
NET = Driver("virtio_net", "CONFIG_VIRTIO_NET", required=True)
RNG = Driver("virtio_rng", "CONFIG_HW_RANDOM_VIRTIO", required=False)


def module_file(depends: str) -> bytes:
    """The smallest ELF relocatable file with a section .modinfo."""
    names = b"\0.modinfo\0.shstrtab\0"
    info = f"license=GPL\0depends={depends}\0name=x\0".encode()
    table = 64 + len(info) + len(names)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)

    def section(name: int, kind: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0)

    sections = [section(0, 0, 0, 0), section(1, 1, 64, len(info)), section(10, 3, 64 + len(info), len(names))]
    return header + info + names + b"".join(sections)


def kernel(folder: Path, config: str, files: dict[str, bytes]) -> Kernel:
    (folder / "config").write_text(config)
    for name, data in files.items():
        path = folder / "lib" / "modules" / RELEASE / "kernel" / "drivers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Kernel(
        name="test", arch=architecture("x86_64"), folder=folder, image=folder / "image", config=folder / "config",
        modules=folder if files else None, vmlinux=None, system_map=None, release=RELEASE, version="6.1.0",
        era="6.1", provenance={},
    )  # fmt: skip


def names(found: list[modules.Module]) -> list[str]:
    return [module.name for module in found]


def test_built_in_drivers_need_no_module(tmp_path: Path) -> None:
    assert modules.needed(kernel(tmp_path, "CONFIG_VIRTIO_NET=y\n", {}), [NET]) == []


def test_dependencies_come_first_and_once(tmp_path: Path) -> None:
    files = {
        "virtio_net.ko": module_file("net_failover,virtio,virtio_ring"),
        "net_failover.ko": module_file("failover"),
        "failover.ko": module_file(""),
        "virtio.ko": module_file("virtio_ring"),
        "virtio_ring.ko": module_file(""),
        "virtio-rng.ko": module_file("virtio"),
        "unrelated.ko": module_file(""),
    }
    found = modules.needed(kernel(tmp_path, "CONFIG_VIRTIO_NET=m\nCONFIG_HW_RANDOM_VIRTIO=m\n", files), [NET, RNG])
    assert names(found) == ["failover", "net_failover", "virtio_ring", "virtio", "virtio_net", "virtio_rng"]


def test_modprobe_finds_the_whole_closure_backwards(tmp_path: Path) -> None:
    files = {
        "virtio_net.ko": module_file("virtio,b"),
        "virtio.ko": module_file("ring"),
        "b.ko": module_file("ring"),
        "ring.ko": module_file(""),
    }
    found = modules.needed(kernel(tmp_path, "CONFIG_VIRTIO_NET=m\n", files), [NET])
    assert modules.dependency_file(found).decode().splitlines() == [
        "ring.ko:",
        "virtio.ko: ring.ko",
        "b.ko: ring.ko",
        "virtio_net.ko: b.ko virtio.ko ring.ko",
    ]


@pytest.mark.parametrize(("suffix", "compress"), [(".ko", bytes), (".ko.gz", gzip.compress), (".ko.xz", lzma.compress)])
def test_modules_are_unpacked(tmp_path: Path, suffix: str, compress: type[bytes]) -> None:
    plain = module_file("")
    (found,) = modules.needed(
        kernel(tmp_path, "CONFIG_VIRTIO_NET=m\n", {f"virtio_net{suffix}": compress(plain)}), [NET]
    )
    assert found.data == plain


@pytest.mark.skipif(not shutil.which("zstd"), reason="no zstd on this host")
def test_modules_are_unpacked_from_zstd(tmp_path: Path) -> None:
    plain = module_file("")
    packed = subprocess.run(["zstd", "--stdout"], input=plain, capture_output=True, check=True).stdout
    (found,) = modules.needed(kernel(tmp_path, "CONFIG_VIRTIO_NET=m\n", {"virtio_net.ko.zst": packed}), [NET])
    assert found.data == plain


@pytest.mark.parametrize("config", ["# CONFIG_VIRTIO_NET is not set\n", ""])
def test_a_required_driver_that_is_off_is_an_error(tmp_path: Path, config: str) -> None:
    with pytest.raises(BenchError, match="test/x86_64 has no driver virtio_net: CONFIG_VIRTIO_NET is off"):
        modules.needed(kernel(tmp_path, config, {}), [NET])


def test_other_drivers_may_be_off(tmp_path: Path) -> None:
    assert modules.needed(kernel(tmp_path, "", {}), [RNG]) == []


def test_a_promised_module_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="has no module virtio_net, which its configuration has as =m"):
        modules.needed(kernel(tmp_path, "CONFIG_VIRTIO_NET=m\n", {}), [NET])


@pytest.mark.parametrize(
    ("name", "data"), [("virtio_net.ko", b"no ELF"), ("virtio_net.ko.xz", b"no xz"), ("virtio_net.ko.lzo", b"")]
)
def test_a_damaged_module_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(BenchError, match=rf"{name} is not a readable kernel module"):
        modules.needed(kernel(tmp_path, "CONFIG_VIRTIO_NET=m\n", {name: data}), [NET])
