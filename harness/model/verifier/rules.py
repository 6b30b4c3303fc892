"""Which refusals of 4.1 later verifiers make too, with the same errno. Their words may differ and are not predicted.

Rows are those of the table of messages (see tests/harness/model/verifier/rejections.py for a program of each). A
refusal that is not here was lifted, loosened, or nobody has read what became of it: uninitialised stack, alignment,
loops, limits, pointers 4.1 forgets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from harness.release import Release


class Pass(Enum):
    """Where 4.1 makes the refusal."""

    SCAN = auto()
    CFG = auto()
    PATH = auto()


class Access(Enum):
    """To what a rule about the context is confined."""

    READ = auto()
    WRITE = auto()
    ATOMIC = auto()


@dataclass(frozen=True)
class Rule:
    """`message` is a regular expression for the line 4.1 prints. `until` is the first release for which the rule is not
    known to hold; `kind` and `access` confine it."""

    row: str
    errno: str
    message: str
    where: Pass = Pass.PATH
    until: Release | None = None
    kind: str | None = None
    access: Access | None = None


RULES: tuple[Rule, ...] = (
    Rule("M-02", "EINVAL", r"R\d+ is invalid"),
    Rule("M-03", "EACCES", r"R\d+ !read_ok"),
    Rule("M-04", "EACCES", r"frame pointer is read only"),
    Rule("M-05", "EACCES", r"invalid size of register spill"),
    Rule("M-08", "EACCES", r"invalid access to map value, .*"),
    # Later contexts of packets have more fields, and narrower pieces of them may be read.
    Rule("M-09", "EACCES", r"invalid bpf_context access .*", kind="kprobe", access=Access.READ),
    # 7.2 loads a kprobe program that writes its context and refuses to attach it (MEM-07); 6.12 was not read.
    Rule("M-09", "EACCES", r"invalid bpf_context access .*", kind="kprobe", access=Access.WRITE, until=(6, 12)),
    Rule("M-09", "EACCES", r"invalid bpf_context access .*", kind="kprobe", access=Access.ATOMIC),
    Rule("M-11", "EACCES", r"invalid stack off=.*"),
    # Not `fp` (any constant distance from R10 may be a base since 4.14) and not `map_ptr` (readable with BTF).
    Rule("M-12", "EACCES", r"R\d+ invalid mem access '(inv|imm)'"),
    # Since 6.14 a constant index inside an array needs no null check: d2102f2f5d75.
    Rule("M-12", "EACCES", r"R\d+ invalid mem access 'map_value_or_null'", until=(6, 14)),
    Rule("M-13", "EINVAL", r"BPF_XADD uses reserved fields"),
    Rule("M-17", "EACCES", r"R\d+ type=\S+ expected=(map_ptr|ctx)"),
    Rule("M-17", "EACCES", r"R\d+ type=(inv|imm|ctx) expected=fp"),
    Rule("M-17", "EACCES", r"R\d+ type=map_value_or_null expected=fp", until=(6, 14)),
    Rule("M-21", "EINVAL", r"invalid func -?\d+"),
    Rule("M-22", "EINVAL", r"unknown func \d+", kind="kprobe"),
    Rule("M-23", "EINVAL", r"cannot call GPL only function from proprietary program"),
    Rule("M-26", "EINVAL", r"BPF_NEG uses reserved fields"),
    Rule("M-27", "EINVAL", r"BPF_END uses reserved fields"),
    Rule("M-28", "EINVAL", r"BPF_MOV uses reserved fields"),
    Rule("M-29", "EINVAL", r"invalid BPF_ALU opcode .*"),
    Rule("M-30", "EINVAL", r"BPF_ALU uses reserved fields"),
    Rule("M-31", "EINVAL", r"div by zero"),
    Rule("M-33", "EINVAL", r"invalid shift -?\d+"),
    Rule("M-34", "EINVAL", r"invalid BPF_JMP opcode .*"),
    Rule("M-35", "EINVAL", r"BPF_JMP uses reserved fields"),
    Rule("M-36", "EINVAL", r"invalid BPF_LD_IMM insn"),
    Rule("M-37", "EINVAL", r"BPF_LD_IMM64 uses reserved fields"),
    Rule("M-38", "EINVAL", r"BPF_LD_ABS\|IND instructions not allowed for this program type"),
    Rule("M-39", "EINVAL", r"BPF_LD_ABS uses reserved fields"),
    Rule("M-40", "EINVAL", r"at the time of BPF_LD_ABS\|IND R6 != pointer to skb"),
    Rule("M-41", "EINVAL", r"jump out of range .*", Pass.CFG),
    Rule("M-45", "EINVAL", r"unreachable insn \d+", Pass.CFG),
    Rule("M-49", "EINVAL", r"BPF_STX uses reserved fields"),
    Rule("M-50", "EINVAL", r"BPF_ST uses reserved fields"),
    Rule("M-51", "EINVAL", r"BPF_CALL uses reserved fields"),
    Rule("M-52", "EINVAL", r"BPF_JA uses reserved fields"),
    Rule("M-53", "EINVAL", r"BPF_EXIT uses reserved fields"),
    Rule("M-54", "EINVAL", r"invalid BPF_LD mode"),
    Rule("M-55", "EINVAL", r"unknown insn class \d"),
    Rule("M-56", "EINVAL", r"BPF_LDX uses reserved fields", Pass.SCAN),
    Rule("M-57", "EINVAL", r"invalid bpf_ld_imm64 insn", Pass.SCAN),
    Rule("M-58", "EINVAL", r"unrecognized bpf_ld_imm64 insn", Pass.SCAN),
    Rule("M-59", "EBADF", r"fd -?\d+ is not pointing to valid bpf_map", Pass.SCAN),
    Rule("M-59", "EINVAL", r"fd -?\d+ is not pointing to valid bpf_map", Pass.SCAN),
    Rule("M-61", "EINVAL", r"", Pass.CFG),
    Rule("M-62", "E2BIG", r"", Pass.SCAN),
)

ADDED: tuple[Rule, ...] = (
    Rule("RBUF-40", "EINVAL", r"Unreleased reference"),
    # None of 4.1's helpers takes a value, so this one takes back a record, and is given none.
    Rule("RBUF-41", "EACCES", r"R\d+ type=\S+ expected=map_value"),
    Rule("RBUF-41.written", "EACCES", r"R\d+ invalid mem access 'record_or_null'"),
    Rule("PTR-05", "EACCES", r"invalid read from stack arg"),
    Rule("PTR-01.add", "EACCES", r"arithmetic on a pointer prohibited"),
    Rule("PTR-02.add", "EACCES", r"arithmetic on map_value_or_null prohibited", until=(6, 14)),
    Rule("MAP-62.read", "EACCES", r"read from map forbidden"),
    Rule("MAP-63.write", "EACCES", r"write into map forbidden"),
    Rule("RBUF-47", "EINVAL", r"cannot pass map_type .*"),
)
"""Refusals 4.1 does not know, made by `harness.model.verifier.records`. Rows are names of clauses."""


def find_rule(errno: str, message: str, release: Release, kind: str, access: Access | None) -> Rule | None:
    """The rule by which `release` makes the refusal that 4.1 words like this."""
    for rule in (*RULES, *ADDED):
        if (
            rule.errno == errno
            and re.fullmatch(rule.message, message)
            and (rule.until is None or release < rule.until)
            and rule.kind in (None, kind)
            and rule.access in (None, access)
        ):
            return rule
    return None
