# SPDX-License-Identifier: MIT
"""Builds the command line of QEMU from data, without access to the host."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hil import resources
from hil.arch import Architecture
from hil.machine.accelerator import Accelerator
from hil.machine.spec import MachineSpec
from hil.machine.transport import Transport


@dataclass(frozen=True)
class Wiring:
    """The connections of the bench to QEMU: inherited sockets (file descriptors) for the console, QMP and, if any, the
    agent that the guest's init starts, and the gdb stub's socket (a path).

    Inherited sockets exist before QEMU does, so there is no wait for them to appear, no other process can connect to
    them, and no files remain. gdb connects on its own and needs a path.
    """

    console: int
    qmp: int
    gdb: Path
    agent: int | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What QEMU inherits."""
        return (self.console, self.qmp, *(() if self.agent is None else (self.agent,)))


AGENT_ADDRESS = ("10.0.2.100", 4321)
"""The address, in the guest's network, that images/init connects its agent to. The connection needs no driver besides
the network's, is open to nobody on the host, and is part of a saved state (slirp_state_save() of libslirp)."""


@dataclass(frozen=True)
class BootOption:
    """One option of the kernel command line; `images/boot.toml` explains the fields."""

    text: str
    why: str
    architectures: tuple[str, ...] = ()

    def fits(self, arch: Architecture) -> bool:
        return not self.architectures or arch.name in self.architectures


@cache
def boot_options() -> tuple[BootOption, ...]:
    """Every option of `images/boot.toml`, in the order of the file."""
    table = tomllib.loads((resources.folder("images") / "boot.toml").read_text())
    return tuple(
        BootOption(text=row["text"], why=row["why"], architectures=tuple(row.get("architectures", ())))
        for row in table["option"]
    )


def kernel_command_line(arch: Architecture, extra: tuple[str, ...] = ()) -> str:
    """The kernel command line. `extra` comes last, because the last occurrence of an option takes effect."""
    words = [option.text.format(arch=arch) for option in boot_options() if option.fits(arch)]
    return " ".join([*words, *extra])


def qemu_command(
    spec: MachineSpec, accelerator: Accelerator, transport: Transport, wiring: Wiring | None = None
) -> list[str]:
    """The argument list that starts `spec`: with `wiring` for the bench, without for a person at a terminal.

    The options are described in the manual page qemu-system-x86_64(1).
    """
    arch = spec.kernel.arch
    return [
        arch.qemu,
        # No default devices, no configuration of the user, no window.
        *("-nodefaults", "-no-user-config", "-display", "none"),
        # A kernel that panics reboots at once (panic=-1), and this turns the reboot into the end of QEMU.
        "-no-reboot",
        *("-machine", arch.machine, *accelerator.options(arch)),
        *("-smp", str(spec.cpus), "-m", str(spec.memory)),
        *(() if wiring is not None and spec.state else _kernel(spec)),
        *(_AT_A_TERMINAL if wiring is None else _wired(spec, wiring)),
        *(("-plugin", spec.plugin) if spec.plugin and wiring is not None else ()),
        # Without a source of entropy kernels before 5.6 block in getrandom(2), and the SSH server with them.
        *("-device", f"virtio-rng-{transport.suffix}"),
        # `restrict`: the guest has no access to the network. Port 0: the host's kernel picks a free port, so that two
        # benches cannot race for one; `info usernet` shows it.
        *("-netdev", "user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22" + _forwarded_agent(wiring)),
        *("-device", f"virtio-net-{transport.suffix},netdev=net{transport.network}"),
        *(word for serial, path in spec.disks.items() for word in _disk(serial, path, transport)),
    ]


def _kernel(spec: MachineSpec) -> tuple[str, ...]:
    """The options of what is booted. A machine that is restored is started without: it has the kernel in its memory,
    and QEMU would first put another copy there, which takes as long as the rest of its start."""
    command_line = kernel_command_line(spec.kernel.arch, spec.append)
    return "-kernel", str(spec.kernel.image), "-initrd", str(spec.root.initramfs), "-append", command_line


# Ctrl-A C switches between the guest's console and QEMU's monitor, Ctrl-A X ends QEMU.
_AT_A_TERMINAL = ("-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console", "-mon", "console")


def _forwarded_agent(wiring: Wiring | None) -> str:
    if wiring is None or wiring.agent is None:
        return ""
    address, port = AGENT_ADDRESS
    return f",guestfwd=tcp:{address}:{port}-chardev:agent"


def _wired(spec: MachineSpec, wiring: Wiring) -> list[str]:
    append = "on" if spec.state else "off"  # what was printed before the state was saved is in the log already
    return [
        # QEMU writes the log itself, so it is complete even when the bench is killed.
        *("-chardev", f"socket,id=console,fd={wiring.console},logfile={_value(spec.console_log)},logappend={append}"),
        *("-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={wiring.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=stub,path={_value(wiring.gdb)},server=on,wait=off", "-gdb", "chardev:stub"),
        *(() if wiring.agent is None else ("-chardev", f"socket,id=agent,fd={wiring.agent}")),
        # A guest that ends itself stays as it is until the bench has read what is left of it.
        "-no-shutdown",
        *(("-S", "-incoming", "defer") if spec.state else ()),
    ]


def _disk(serial: str, path: Path, transport: Transport) -> tuple[str, ...]:
    """The options of a disk: QEMU keeps what is written to it in a temporary file, so that many machines can use it."""
    drive = f"if=none,id={serial},file={_value(path)},format=raw,snapshot=on"
    return "-drive", drive, "-device", f"virtio-blk-{transport.suffix},drive={serial},serial={serial}"


def _value(path: Path) -> str:
    """A path as a value in a QEMU option, with every comma doubled."""
    return str(path).replace(",", ",,")
