# SPDX-License-Identifier: MIT
"""What a loader of objects has to know of the kernel that it loads them into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.objects.btf.reader import Btf
from harness.objects.kernel_types import from_file
from harness.release import Release
from hil.errors import UserError
from hil.guestroot import guestroot
from hil.kernels.configuration import options_of
from hil.kernels.kernel import Kernel


@dataclass(frozen=True)
class KernelFacts:
    """The facts of one kernel: its architecture as in images/architectures.toml, its LINUX_VERSION_CODE, its
    configuration (`CONFIG_X` to what follows `=`), and the number of possible CPUs of the machine that runs it.
    `read_types` returns its types (BTF), or raises UserError when it has none; `read_file` what a file has in the
    system that runs on it, None for one that is not there."""

    name: str
    arch: str
    version_code: int
    config: Mapping[str, str]
    cpus: int
    read_types: Callable[[], Btf]
    read_file: Callable[[str], bytes | None] = lambda _: None

    @classmethod
    def of(cls, kernel: Kernel, cpus: int) -> KernelFacts:
        """Returns the facts of a kernel in the cache, of which the image is read only when its types are asked for."""
        return cls(
            str(kernel),
            kernel.arch.name,
            kernel.version_code,
            options_of(kernel.config),
            cpus,
            lambda: from_file(kernel.vmlinux or kernel.image),
            lambda path: guestroot.content(kernel.arch, path),
        )

    @property
    def release(self) -> Release:
        """The upstream release, as a pair of numbers."""
        return self.version_code >> 16, self.version_code >> 8 & 0xFF

    @cached_property
    def types(self) -> Btf | None:
        """The kernel's types; None when it has none."""
        try:
            return self.read_types()
        except UserError:
            return None
