# SPDX-License-Identifier: MIT
"""Operations that load programs, and those that run programs of sockets."""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi.bpf import ProgramType
from harness.script.values import Descriptor, Program, Types


@dataclass(frozen=True)
class LoadProgram:
    """bpf(BPF_PROG_LOAD). `kern_version` None is the running kernel's own LINUX_VERSION_CODE.

    With `log_level` the outcome's text is the verifier's log. `attach_type` is what the program is for
    (expected_attach_type), `attach_to` the number of a function or tracepoint in the kernel's types (attach_btf_id),
    `flags` are prog_flags; `types` are those of its functions, which a program with `functions` of its own has already.
    """

    name: str
    type: ProgramType | int
    program: Program
    license: str = "GPL"
    kern_version: int | None = None
    log_level: int = 0
    log_size: int = 65536
    attach_type: int = 0
    attach_to: int = 0
    flags: int = 0
    types: Types | None = None

    @property
    def log_nbytes(self) -> int:
        """Returns the size in bytes of the buffer for the verifier's log; 0 where the operation asks for none."""
        return self.log_size if self.log_level else 0


@dataclass(frozen=True)
class ReadRuns:
    """bpf(BPF_OBJ_GET_INFO_BY_FD) of a program: the value is how often the kernel ran it while somebody had it count
    runs (BPF_ENABLE_STATS); the outcome's data is how many runs it left out because the program ran already on that
    CPU, as 64 bits."""

    program: Descriptor


@dataclass(frozen=True)
class RunSocketFilter:
    """Attaches a socket filter (SO_ATTACH_BPF) to one end of a datagram socket pair and sends `packet` to it.

    The outcome's value is how many bytes arrived, that is the program's verdict cut to the packet's length; 0 when the
    program dropped the packet. This runs a program where there are no kprobes.
    """

    program: Descriptor
    packet: bytes
