# SPDX-License-Identifier: MIT
"""Parts of a machine without a kernel, for tests of pure functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.guestroot.guestroot import Contents, GuestRoot
from hil.kernels.kernel import Kernel
from hil.machine import MachineSpec

MakeSpec = Callable[..., MachineSpec]


def descriptors() -> set[str]:
    """The open descriptors of this process, among them the one that the list is read by."""
    return {one.name for one in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """A function that makes a spec for an architecture by name; its files do not exist."""

    def make(arch: str, folder: Path = tmp_path, **fields: object) -> MachineSpec:
        cache = Path("/cache/k")
        kernel = Kernel(
            name="debian-12",
            arch=architecture(arch),
            folder=cache,
            image=cache / "image",
            config=cache / "config",
            modules=None,
            vmlinux=None,
            system_map=None,
            release="6.1.0-56-cloud",
            version="6.1.192",
            era="6.1",
            provenance={},
        )
        contents = Contents(sha256="0" * 64, agent="0" * 64, packages={}, modules=())
        root = GuestRoot(Path("/cache/g/initramfs"), Path("/state/key"), "ssh-ed25519 AAAA", contents)
        return MachineSpec(kernel, root, folder, **fields)  # type: ignore[arg-type]

    return make
