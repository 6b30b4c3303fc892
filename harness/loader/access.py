# SPDX-License-Identifier: MIT
"""How a running machine is reached over SSH by a person's own client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.loader.task import FOLDER
from hil.machine import Machine
from hil.rootfs import mounting


@dataclass(frozen=True)
class Access:
    """The port on this host, the private key, the guest's public key, and the file of known hosts that has it; `rooted`
    says whether there is a root file system to work in."""

    port: int
    key: str
    host_key: str
    known_hosts: str
    rooted: bool = False

    @classmethod
    def of(cls, machine: Machine, folder: Path, *, rooted: bool) -> Access:
        """The access to a machine; writes the file of known hosts in `folder`."""
        host, port = machine.address
        known = folder.resolve() / "known_hosts"
        known.write_text(f"[{host}]:{port} {machine.spec.root.host_key}\n")
        return cls(port, str(machine.spec.root.key), machine.spec.root.host_key, str(known), rooted)

    @property
    def ssh(self) -> tuple[str, ...]:
        """Returns the command that logs in."""
        options = (f"UserKnownHostsFile={self.known_hosts}", "StrictHostKeyChecking=yes", "LogLevel=ERROR")
        named = [word for option in options for word in ("-o", option)]
        login = ("ssh", "-p", str(self.port), "-i", self.key, *named, "root@127.0.0.1")
        if not self.rooted:
            return login
        return (*login, "-t", f"exec chroot {mounting.PLACE} /bin/sh -c 'cd {FOLDER}; exec bash --login'")
