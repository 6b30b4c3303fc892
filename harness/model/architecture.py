# SPDX-License-Identifier: MIT
"""What differs between architectures, by release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.isa.opcodes import Helper
from harness.model.rules import JitFault
from harness.model.upstream.change import Seen
from harness.release import Release
from hil.errors import UserError


@dataclass(frozen=True)
class ArchitectureRules:
    """The rules of one architecture. `address_bits` are the lowest and the highest of the bits of an address that are
    all 0 in user space and all 1 in the kernel; other addresses are not canonical. `since` is the first release with
    the architecture, if that is not older than 4.1. `kprobes` is the first release with kprobes, and therefore with
    programs on them. `reads_checked` is the release since which kernel reads refuse an address that is not the
    kernel's, None when no release does. `faults` are the errors of its JIT, each with the release that fixed it.
    `jit_helpers` are helpers that only the JIT can call, because the verifier leaves them to it, and since when.
    `deadly_helpers` are helpers whose call may crash the interpreter, each with the last release that was seen to
    survive it and the first release that refuses such programs. `pads` says whether there are landing pads at all.
    `inner_probes_panic` is the first release that survives a hit of a probe inside a function, None when all do.
    `entries_traced` are the first release in which the first instruction of a
    function belongs to ftrace alone, so that it takes no probe, and the first in which it takes one again; None when it
    always takes one. `counts_empty_slots` says whether its JIT counts a tail call before it looks into the slot, also
    in releases in which other JITs no longer do. `tail_calls_of_functions` says since when its JIT takes tail calls in
    programs with functions: bpf_jit_supports_subprog_tailcalls(). `aligned` says whether verifiers may demand aligned
    accesses of maps' values: CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS is not set everywhere.
    """

    address_bits: tuple[int, int]
    kprobes: Release
    since: Release = (4, 1)
    reads_checked: Seen | None = None
    faults: Mapping[JitFault, Release] = field(default_factory=dict, hash=False)
    jit_helpers: Mapping[int, Seen] = field(default_factory=dict, hash=False)
    deadly_helpers: Mapping[int, tuple[Release, Release]] = field(default_factory=dict, hash=False)
    pads: bool = False
    inner_probes_panic: Release | None = None
    entries_traced: tuple[Release, Release] | None = None
    counts_empty_slots: bool = False
    tail_calls_of_functions: Seen | None = None
    aligned: bool = False

    def unchecked(self, release: Release) -> tuple[Seen, ...]:
        """Returns the facts that nobody has looked up for a release, which may or may not hold there."""
        alone = (one for one in (self.reads_checked, self.tail_calls_of_functions) if one)
        windowed = dict.fromkeys((*alone, *self.jit_helpers.values()))
        return tuple(seen for seen in windowed if seen.unchecked(release))


_MIXING = "Programs that the JIT translates may have functions and make tail calls."
_JIT_HELPERS = Seen(
    "Only the JIT can call helpers that it inlines, because the verifier leaves them to it.", (7, 2), (6, 12)
)

ARCHITECTURES: Mapping[str, ArchitectureRules] = {
    "x86_64": ArchitectureRules(
        address_bits=(56, 63),  # canonical addresses with five-level paging, which QEMU's `max` CPU has
        kprobes=(4, 1),
        # arch/x86/mm/maccess.c: copy_from_kernel_nofault_allowed()
        reads_checked=Seen("Kernel reads refuse an address that is not the kernel's.", (5, 10), (4, 1)),
        # arch/x86/net/bpf_jit_comp.c: 68fda450a7df, "bpf: fix 32-bit divide by zero"
        faults={JitFault.DIVISOR: (4, 15)},
        pads=True,
        # arch/x86/kernel/kprobes/core.c: resume_execution() writes the jump back into the instruction slot, whose page
        # 4.1.52 has made read-only (seen at cap_task_prctl+5 and +8, in both engines); "kprobes/x86: Do not modify
        # singlestep buffer while resuming", Masami Hiramatsu, March 2017
        inner_probes_panic=(4, 12),
        tail_calls_of_functions=Seen(
            _MIXING, (5, 10), (5, 10)
        ),  # e411901c0b77, "bpf: allow for tailcalls in BPF subprograms for x64 JIT"
    ),
    "arm64": ArchitectureRules(
        address_bits=(48, 55),  # 48 bit addresses; the byte above may be a tag
        kprobes=(4, 8),  # 2dd0e8d2d2a1, "arm64: Kprobes with single stepping support"
        # arch/arm64/net/bpf_jit_comp.c: "arm64: bpf: fix JIT frame pointer setup", Yang Shi, November 2015; and
        # "bpf, arm64: fix jit branch offset related to ldimm64", Daniel Borkmann, May 2017
        faults={JitFault.STACK: (4, 4), JitFault.TARGET: (4, 12)},
        # bpf_jit_inlines_helper_call(); the interpreter refuses them, seen on 7.2.13, and did not on 6.12.117. 158 is
        # bpf_get_current_task_btf.
        # bpf_get_current_task() and bpf_get_current_task_btf() in 6.12.118: "SP/PC alignment exception" at
        # __bpf_prog_ret0_warn+0xb, since what is called is __bpf_call_base plus the helper's number, which for these is
        # no multiple of 4. do_misc_fixups(), kernel/bpf/verifier.c; 6.1 is fine.
        deadly_helpers=dict.fromkeys((Helper.GET_CURRENT_TASK, 158), ((6, 1), (7, 2))),
        jit_helpers=dict.fromkeys((Helper.GET_SMP_PROCESSOR_ID, Helper.GET_CURRENT_TASK, 158), _JIT_HELPERS),
        # "bpf, arm64: Keep tail call count across bpf2bpf calls"; seen on 6.1.192, and not on 5.10.262
        tail_calls_of_functions=Seen(_MIXING, (6, 1), (5, 10)),
    ),
    "riscv64": ArchitectureRules(
        since=(4, 15),  # fbe934d69eb7, "RISC-V: Build Infrastructure"
        address_bits=(56, 63),  # Sv57, which QEMU's `rv64` CPU has
        kprobes=(5, 12),  # c22b0bcb1dd0, "riscv: Add kprobes supported"
        # No kprobes on ftrace since 7caa9765465f, "ftrace: riscv: move from REGS to ARGS", which the first instruction
        # was for until b2137c3b6d7a, "riscv: ftrace: prepare ftrace for atomic code patching", took the second. Seen at
        # cap_task_prctl, which 6.12.117 refuses and 7.2.13 takes, and at cap_task_prctl+4, where it is the other way
        # round; https://github.com/bpftrace/bpftrace/issues/5093
        entries_traced=((6, 10), (6, 16)),
        # arch/riscv/net/bpf_jit_comp64.c: bpf_jit_inlines_helper_call(); the interpreter refuses them, seen on 7.2.13,
        # and not on 6.12.117
        jit_helpers=dict.fromkeys((Helper.GET_SMP_PROCESSOR_ID, Helper.GET_CURRENT_TASK, 158), _JIT_HELPERS),
        aligned=True,
        counts_empty_slots=True,  # arch/riscv/net/bpf_jit_comp64.c: emit_bpf_tail_call(), seen on 7.2.13
    ),
}


def architecture_rules(name: str) -> ArchitectureRules:
    """Returns the rules of an architecture of images/architectures.toml; raises UserError when there are none."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise UserError(
            f"the model has no rules for architecture {name}", remedy="add its rules to harness/model/architecture.py"
        ) from None
