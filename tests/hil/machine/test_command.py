# SPDX-License-Identifier: MIT
"""Complete command lines compared with files, and their variable parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hil.arch import architecture, architectures
from hil.machine.accelerator import KVM, TCG
from hil.machine.command import BootOption, Wiring, boot_options, kernel_command_line, qemu_command
from hil.machine.transport import MMIO, PCI, Transport, choose
from tests.hil.machine.conftest import MakeSpec

_GOLDEN = Path(__file__).parent / "golden"
_WIRING = Wiring(console=5, qmp=7, gdb=Path("/run/user/1/hil-x/gdb"))


@pytest.mark.parametrize("arch", list(architectures()))
def test_command_line_is_the_recorded_one(arch: str, make_spec: MakeSpec) -> None:
    # One argument on each line. To change it on purpose, copy the text of the failure into the file.
    command = qemu_command(make_spec(arch, Path("/runs/1")), TCG, PCI, _WIRING)
    assert "\n".join(command) + "\n" == (_GOLDEN / f"{arch}.txt").read_text()


def test_a_command_for_a_person_needs_nothing_of_the_bench(make_spec: MakeSpec) -> None:
    command = qemu_command(make_spec("arm64", Path("/runs/1")), TCG, PCI)
    assert not any("fd=" in word or "/runs/1" in word for word in command)
    wired = qemu_command(make_spec("arm64", Path("/runs/1")), TCG, PCI, _WIRING)
    own = {word for word in command if word not in wired}
    assert own == {"stdio,id=console,mux=on,signal=off", "console"}


def test_a_restored_machine_is_started_without_what_it_has_in_its_memory(make_spec: MakeSpec) -> None:
    booted = make_spec("arm64", Path("/runs/1"))
    restored = replace(booted, state=Path("/states/1"))
    command = qemu_command(restored, TCG, PCI, _WIRING)
    assert not {"-kernel", "-initrd", "-append"}.intersection(command) and "-incoming" in command
    # the machine that it is, by which its state is found, and the command for a person, are that which boots
    assert qemu_command(restored, TCG, PCI) == qemu_command(booted, TCG, PCI)


def test_kvm_uses_the_host_cpu(make_spec: MakeSpec) -> None:
    command = qemu_command(make_spec("arm64"), KVM, PCI, _WIRING)
    assert command[command.index("-cpu") + 1] == "host"
    assert command[command.index("-accel") + 1] == "kvm"


def test_memory_and_cpus_come_from_the_spec(make_spec: MakeSpec) -> None:
    command = qemu_command(make_spec("x86_64", memory=1536, cpus=3), TCG, PCI, _WIRING)
    assert command[command.index("-m") + 1] == "1536"
    assert command[command.index("-smp") + 1] == "3"


def test_a_disk_is_known_by_its_serial_number_and_not_written(make_spec: MakeSpec) -> None:
    command = qemu_command(make_spec("arm64", disks={"root": Path("/cache/a,b")}), TCG, MMIO, _WIRING)
    assert command[command.index("-drive") + 1] == "if=none,id=root,file=/cache/a,,b,format=raw,snapshot=on"
    assert command[-1] == "virtio-blk-device,drive=root,serial=root"


def test_comma_in_a_path_does_not_end_the_option(make_spec: MakeSpec) -> None:
    command = qemu_command(make_spec("x86_64", Path("/runs/a,b")), TCG, PCI, _WIRING)
    assert any("logfile=/runs/a,,b/console.log," in argument for argument in command)


def test_a_kernel_that_finds_no_pci_gets_its_devices_on_the_mmio_bus(make_spec: MakeSpec) -> None:
    command = qemu_command(make_spec("arm64"), TCG, MMIO, _WIRING)
    assert [argument for argument in command if argument.startswith("virtio-")] == [
        "virtio-rng-device",
        "virtio-net-device,netdev=net",
    ]


@pytest.mark.parametrize(
    ("arch", "line", "transport"),
    [
        ("arm64", "CONFIG_PCI_HOST_GENERIC=y", PCI),
        ("arm64", "# CONFIG_PCI_HOST_GENERIC is not set", MMIO),
        ("arm64", "CONFIG_PCI=y", MMIO),
        ("x86_64", "CONFIG_PCI=y", PCI),
    ],
)
def test_the_configuration_decides_on_the_bus(
    arch: str, line: str, transport: Transport, make_spec: MakeSpec, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(f"CONFIG_ARM64=y\n{line}\n")
    assert choose(replace(make_spec(arch).kernel, config=config)) == transport


def test_extra_options_come_last() -> None:
    assert kernel_command_line(architecture("x86_64"), ("panic=5", "debug")).endswith(" panic=5 debug")


def test_console_is_the_one_of_the_architecture() -> None:
    assert "console=ttyS0" in kernel_command_line(architecture("x86_64")).split()
    assert "console=ttyAMA0" in kernel_command_line(architecture("arm64")).split()


def test_options_of_one_architecture_stay_there() -> None:
    option = BootOption(text="noapic", why="for the test", architectures=("x86_64",))
    assert option.fits(architecture("x86_64"))
    assert not option.fits(architecture("arm64"))


@pytest.mark.parametrize("option", boot_options(), ids=lambda option: option.text)
def test_every_option_has_a_reason_and_known_architectures(option: BootOption) -> None:
    assert len(option.why) > 10
    assert set(option.architectures) <= set(architectures())
    assert " " not in option.text
