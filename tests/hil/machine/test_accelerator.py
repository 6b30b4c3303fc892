# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hil.arch import architecture
from hil.errors import UserError
from hil.machine.accelerator import KVM, TCG, choose, kvm_usable


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    return path


def _cpuinfo(tmp_path: Path, flags: str) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse2\n")
    return path


@pytest.mark.parametrize("flag", ["vmx", "svm"])
def test_usable_with_hardware_virtualisation(flag: str, device: Path, tmp_path: Path) -> None:
    cpuinfo = _cpuinfo(tmp_path, flag)
    assert kvm_usable(architecture("x86_64"), machine=lambda: "x86_64", device=device, cpuinfo=cpuinfo)


def test_not_usable_without_it_though_the_device_opens(device: Path, tmp_path: Path) -> None:
    cpuinfo = _cpuinfo(tmp_path, "hypervisor")
    assert not kvm_usable(architecture("x86_64"), machine=lambda: "x86_64", device=device, cpuinfo=cpuinfo)


def test_not_usable_for_another_architecture(device: Path, tmp_path: Path) -> None:
    cpuinfo = _cpuinfo(tmp_path, "vmx")
    assert not kvm_usable(architecture("arm64"), machine=lambda: "x86_64", device=device, cpuinfo=cpuinfo)
    assert kvm_usable(architecture("arm64"), machine=lambda: "aarch64", device=device, cpuinfo=cpuinfo)


def test_not_usable_without_the_device(tmp_path: Path) -> None:
    cpuinfo = _cpuinfo(tmp_path, "vmx")
    absent = tmp_path / "absent"
    assert not kvm_usable(architecture("x86_64"), machine=lambda: "x86_64", device=absent, cpuinfo=cpuinfo)


def test_environment_decides() -> None:
    assert choose(architecture("arm64"), {"HIL_ACCELERATOR": "kvm"}) is KVM
    assert choose(architecture("x86_64"), {"HIL_ACCELERATOR": "tcg"}) is TCG
    with pytest.raises(UserError, match="is not an accelerator"):
        choose(architecture("x86_64"), {"HIL_ACCELERATOR": "hvf"})
