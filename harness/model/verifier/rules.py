# SPDX-License-Identifier: MIT
"""The rules by which verifiers refuse a program: every refusal carries its rule.

Rules of 4.1 are its messages, M-01 the first in kernel/bpf/verifier.c, and after them two refusals without a message;
tests/harness/model/verifier/rejections.py has a program for each. Where later verifiers changed only part of a rule,
its parts are rules of their own, distinguished by a word after the dot. Rules that came later, and those that hold
before the program is checked, have the name of a clause where there is one.
"""

from __future__ import annotations

from enum import Enum, unique


@unique
class Rule(Enum):
    """A rule; the value is the name under which reports show it."""

    # kernel/bpf/verifier.c of 4.1, in the order of its messages
    TOO_COMPLEX = "M-01"
    REGISTER = "M-02"
    UNREADABLE = "M-03"
    FRAME_POINTER = "M-04"
    SPILL_SIZE = "M-05"
    SPILL_CORRUPTED = "M-06"
    STACK_READ = "M-07.spilled"
    STACK_UNWRITTEN = "M-07.unwritten"
    STACK_BELOW = "M-07.below"
    MAP_VALUE_BOUNDS = "M-08"
    CONTEXT_READ = "M-09.read"
    CONTEXT_WRITE = "M-09.write"
    CONTEXT_ATOMIC = "M-09.atomic"
    CONTEXT_OF_PACKET = "M-09.packet"
    MISALIGNED = "M-10"
    STACK_BOUNDS = "M-11"
    ACCESS_BY_NUMBER = "M-12.number"
    ACCESS_BY_STACK_POINTER = "M-12.stack"
    ACCESS_BY_MAP = "M-12.map"
    ACCESS_UNCHECKED = "M-12.or-null"
    XADD_FIELDS = "M-13"
    STACK_TYPE = "M-14"
    INDIRECT_READ = "M-15"
    ARGUMENT_MAP_OR_CONTEXT = "M-17"
    ARGUMENT_NO_POINTER = "M-17.number"
    ARGUMENT_UNCHECKED = "M-17.or-null"
    ARGUMENT_POINTER = "M-17.pointer"
    ARGUMENT_SIZE = "M-17.size"
    HELPER_NUMBER = "M-21"
    HELPER_NOT_OFFERED = "M-22"
    HELPER_NOT_FOR_PACKETS = "M-22.packet"
    GPL_ONLY = "M-23"
    NEG_FIELDS = "M-26"
    END_FIELDS = "M-27"
    MOV_FIELDS = "M-28"
    ALU_OPCODE = "M-29"
    ALU_FIELDS = "M-30"
    DIVISOR = "M-31"
    ARSH32 = "M-32"
    SHIFT = "M-33"
    JMP_OPCODE = "M-34"
    JMP_FIELDS = "M-35"
    LD_IMM_SIZE = "M-36"
    LD_IMM_FIELDS = "M-37"
    NO_PACKET = "M-38"
    LD_ABS_FIELDS = "M-39"
    NO_CONTEXT_IN_R6 = "M-40"
    JUMP_RANGE = "M-41"
    LOOP = "M-42"
    UNREACHABLE = "M-45"
    TOO_LARGE = "M-47"
    TWO_POINTERS = "M-48"
    STX_FIELDS = "M-49"
    ST_FIELDS = "M-50"
    CALL_FIELDS = "M-51"
    JA_FIELDS = "M-52"
    EXIT_FIELDS = "M-53"
    LD_MODE = "M-54"
    CLASS = "M-55"
    LDX_FIELDS = "M-56"
    SECOND_HALF = "M-57"
    PSEUDO = "M-58"
    NO_MAP = "M-59"
    JA_SOURCE = "M-61"
    MAP_COUNT = "M-62"

    # bpf_check(), before it looks at the program
    LENGTH = "LOAD-08"
    LOG = "LOG-02"

    # later verifiers
    LAST_INSTRUCTION = "CFG-01.end"
    OPCODE = "unknown-opcode"
    FUNCTION_TYPES = "FUNC-01"
    TAIL_CALL_AND_FUNCTIONS = "FUNC-02"
    ONLY_COMPILED = "H-07.where-jit"
    UNRELEASED = "RBUF-40"
    NO_RECORD = "RBUF-41"
    RECORD_UNCHECKED = "RBUF-41.written"
    STACK_ARGUMENT = "PTR-05"
    POINTER_ARITHMETIC = "PTR-01.add"
    UNCHECKED_ARITHMETIC = "PTR-02.add"
    MAP_READ = "MAP-62.read"
    MAP_WRITE = "MAP-63.write"
    MAP_AND_HELPER = "RBUF-47"
    OPEN = "open"
    """No rule: a refusal that stands for what is not known of the release."""


SCANNED = frozenset({Rule.LDX_FIELDS, Rule.SECOND_HALF, Rule.PSEUDO, Rule.NO_MAP, Rule.MAP_COUNT})
"""Rules of the first pass, replace_map_fd_with_map_ptr()."""
WALKED = frozenset({Rule.JUMP_RANGE, Rule.LOOP, Rule.UNREACHABLE, Rule.JA_SOURCE})
"""Rules of the second pass, check_cfg(). All others are of the third, which simulates paths."""
