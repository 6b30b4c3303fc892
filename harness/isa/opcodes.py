# SPDX-License-Identifier: MIT
"""The numbers of the instruction set, and the fields of the byte `code`.

Sources: include/uapi/linux/bpf.h and bpf_common.h. What each combination means is a row of `harness.isa.table`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)
REGISTERS = 11
FRAME_POINTER = R10
STACK_SIZE = 512


class Class(IntEnum):
    """The three low bits of `code`. 6 was BPF_RET, refused, until 5.1 made it JMP32."""

    LD = 0
    LDX = 1
    ST = 2
    STX = 3
    ALU = 4
    JMP = 5
    JMP32 = 6
    ALU64 = 7


class Source(IntEnum):
    """Bit 3 of an arithmetic or jump `code`: the second operand is the constant `imm`, or the register `src`."""

    K = 0x00
    X = 0x08


class Size(IntEnum):
    """Bits 3 and 4 of a load or store, and how many bytes are accessed."""

    nbytes: int

    W = 0x00, 4
    H = 0x08, 2
    B = 0x10, 1
    DW = 0x18, 8

    def __new__(cls, bits: int, nbytes: int) -> Size:
        """Makes a member whose number is that of the bits."""
        size = int.__new__(cls, bits)
        size._value_, size.nbytes = bits, nbytes
        return size

    @property
    def type(self) -> str:
        """Returns the type as the kernel writes it: u8, u16, u32, u64."""
        return f"u{8 * self.nbytes}"


class Mode(IntEnum):
    """Bits 5 to 7 of a load or store. ATOMIC was called XADD until 5.12."""

    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80
    ATOMIC = 0xC0


class Alu(IntEnum):
    """Bits 4 to 7 of an arithmetic `code`."""

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    MOV = 0xB0
    ARSH = 0xC0
    END = 0xD0


class Jump(IntEnum):
    """Bits 4 to 7 of a jump `code`."""

    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    JNE = 0x50
    JSGT = 0x60
    JSGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    JLT = 0xA0
    JLE = 0xB0
    JSLT = 0xC0
    JSLE = 0xD0
    JCOND = 0xE0


class Atomic(IntEnum):
    """`imm` of an atomic store. Only ADD, without FETCH, exists before 5.12."""

    ADD = 0x00
    OR = 0x40
    AND = 0x50
    XOR = 0xA0
    FETCH = 0x01
    XCHG = 0xE1
    CMPXCHG = 0xF1
    LOAD_ACQUIRE = 0x100
    STORE_RELEASE = 0x110


class Pseudo(IntEnum):
    """`src` of the first half of an LD_IMM64: what the constant stands for."""

    CONSTANT = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNCTION = 4
    MAP_INDEX = 5
    MAP_INDEX_VALUE = 6


class Helper(IntEnum):
    """`enum bpf_func_id`: the helpers a kprobe program of some release may name, and those of 4.1's other types."""

    UNSPEC = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    PROBE_READ = 4
    KTIME_GET_NS = 5
    TRACE_PRINTK = 6
    GET_PRANDOM_U32 = 7
    GET_SMP_PROCESSOR_ID = 8
    SKB_STORE_BYTES = 9
    L3_CSUM_REPLACE = 10
    L4_CSUM_REPLACE = 11
    TAIL_CALL = 12
    GET_CURRENT_PID_TGID = 14
    GET_CURRENT_UID_GID = 15
    GET_CURRENT_COMM = 16
    PERF_EVENT_READ = 22
    PERF_EVENT_OUTPUT = 25
    GET_STACKID = 27
    GET_CURRENT_TASK = 35
    PROBE_WRITE_USER = 36
    CURRENT_TASK_UNDER_CGROUP = 37
    PROBE_READ_STR = 45
    PERF_EVENT_READ_VALUE = 55
    OVERRIDE_RETURN = 58
    GET_STACK = 67
    GET_CURRENT_CGROUP_ID = 80
    MAP_PUSH_ELEM = 87
    MAP_POP_ELEM = 88
    MAP_PEEK_ELEM = 89
    PROBE_READ_USER = 112
    PROBE_READ_KERNEL = 113
    PROBE_READ_USER_STR = 114
    PROBE_READ_KERNEL_STR = 115
    RINGBUF_OUTPUT = 130
    RINGBUF_RESERVE = 131
    RINGBUF_SUBMIT = 132
    RINGBUF_DISCARD = 133
    RINGBUF_QUERY = 134
    GET_FUNC_IP = 173
    GET_ATTACH_COOKIE = 174


LD_IMM64 = Class.LD | Mode.IMM | Size.DW


class OpcodeFields:
    """The fields that BPF_CLASS(), BPF_SRC(), BPF_OP(), BPF_SIZE() and BPF_MODE() take from the byte `code`.

    The class decides which of them mean something: arithmetic and jumps have an operation and a source, loads and
    stores a size and a mode. All can be read whatever the class is; an operation or a mode may be a number that `Alu`,
    `Jump` and `Mode` have no name for.
    """

    __slots__ = ("mode", "opcode_class", "operation", "size", "source")

    opcode_class: Class
    """BPF_CLASS: bits 0 to 2."""
    source: Source
    """BPF_SRC: bit 3."""
    operation: int
    """BPF_OP: bits 4 to 7, one of `Alu` or `Jump` by the class."""
    size: Size
    """BPF_SIZE: bits 3 and 4."""
    mode: int
    """BPF_MODE: bits 5 to 7, one of `Mode`."""


@dataclass(frozen=True, slots=True, eq=False)
class Coded(OpcodeFields):
    """Anything with an opcode. Its fields are decoded once, when it is made, because simulations read them often."""

    code: int

    def __post_init__(self) -> None:
        code, put = self.code, object.__setattr__
        put(self, "opcode_class", _CLASSES[code & 0x07])
        put(self, "source", _SOURCES[code >> 3 & 1])
        put(self, "operation", code & 0xF0)
        put(self, "size", _SIZES[code >> 3 & 3])
        put(self, "mode", code & 0xE0)

    def __reduce__(self) -> tuple[type[Coded], tuple[object, ...]]:
        """Makes copies anew, from the fields of the dataclass."""
        return type(self), tuple(getattr(self, field.name) for field in fields(self))


_CLASSES, _SOURCES, _SIZES = tuple(Class), tuple(Source), tuple(Size)
"""Sizes by their bits, shifted to the right."""
