"""The numbers of the instruction set, and a table of every opcode with the release that introduced it.

An opcode is often more than the byte `code`: a signed division is a division with `off` 1, a call of a program's own
function is a call with `src` 1. A row therefore names the field that selects it. Each row also carries its notation,
from which `harness.isa.text` derives both the assembler and the disassembler.

Sources: include/uapi/linux/bpf.h and bpf_common.h, kernel/bpf/disasm.c, Documentation/bpf/standardization/
instruction-set.rst (6.12); for 4.1 the notation of print_bpf_insn() in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from harness.isa.instruction import Instruction
from harness.release import Release

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
    """Bits 3 and 4 of a load or store."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18

    @property
    def nbytes(self) -> int:
        """How many bytes are accessed."""
        return {Size.W: 4, Size.H: 2, Size.B: 1, Size.DW: 8}[self]

    @property
    def type(self) -> str:
        """As the kernel writes it: u8, u16, u32, u64."""
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
    PROBE_READ_STR = 45
    PERF_EVENT_READ_VALUE = 55
    OVERRIDE_RETURN = 58
    GET_STACK = 67
    GET_CURRENT_CGROUP_ID = 80
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


BASELINE: Release = (4, 1)
"""`since` of what 4.1 has; some of it is older."""

LD_IMM64 = Class.LD | Mode.IMM | Size.DW


@dataclass(frozen=True, slots=True, eq=False)
class Opcode:
    """One row: `name` in this project's words, `code`, the first `since` release that accepts it, its `notation`, and
    where `code` alone does not tell, the field (`off`, `imm` or `src`) and the value that select the row.

    The notation's placeholders are the fields of an instruction; a field it does not show is 0 in a valid program.
    Rows are compared by identity, which is all a table needs and quick.
    """

    name: str
    code: int
    notation: str
    since: Release = BASELINE
    selector: str = ""
    value: int = 0


_OPERATOR = {
    Alu.ADD: "+=",
    Alu.SUB: "-=",
    Alu.MUL: "*=",
    Alu.DIV: "/=",
    Alu.OR: "|=",
    Alu.AND: "&=",
    Alu.LSH: "<<=",
    Alu.RSH: ">>=",
    Alu.MOD: "%=",
    Alu.XOR: "^=",
    Alu.MOV: "=",
    Alu.ARSH: "s>>=",
}

_COMPARISON = {
    Jump.JEQ: "==",
    Jump.JGT: ">",
    Jump.JGE: ">=",
    Jump.JSET: "&",
    Jump.JNE: "!=",
    Jump.JSGT: "s>",
    Jump.JSGE: "s>=",
    Jump.JLT: "<",
    Jump.JLE: "<=",
    Jump.JSLT: "s<",
    Jump.JSLE: "s<=",
}

UNSIGNED_LESS: Release = (4, 14)
"""JLT, JLE, JSLT, JSLE: 92b31a9af73b."""
ARSH32: Release = (5, 0)
"""2dc6b100f928."""
COMPARE_32: Release = (5, 1)
"""JMP32: 092ed0968bb6."""
ATOMICS: Release = (5, 12)
"""5ffa25502b5a and its neighbours."""
CPU_V4: Release = (6, 6)
"""1f9a1ea821ff and its neighbours: sign extension, bswap, signed division, gotol."""
MAY_GOTO: Release = (6, 9)
"""BPF_JCOND: 011832b97b31."""
ORDERED: Release = (6, 15)
"""Load-acquire and store-release, in every size."""
OWN_CALLS: Release = (4, 16)
"""BPF-to-BPF calls: cc8b0b92a169."""
KERNEL_CALLS: Release = (5, 13)
"""kfuncs: e6ac2450d6de."""


def _arithmetic() -> Iterator[Opcode]:
    for kind, suffix, cast, word in ((Class.ALU64, "64", "", "r"), (Class.ALU, "32", "(u32) ", "w")):
        for operation, operator in _OPERATOR.items():
            since = ARSH32 if operation is Alu.ARSH and kind is Class.ALU else BASELINE
            for source, operand in ((Source.K, "{imm}"), (Source.X, "r{src}")):
                name = f"{operation.name.lower()}{suffix}_{'imm' if source is Source.K else 'reg'}"
                code = kind | operation | source
                if operation in (Alu.DIV, Alu.MOD):
                    signed = f"{word}{{dst}} s{operator} {operand.replace('r{', word + '{')}"
                    yield Opcode(f"s{name}", code, signed, CPU_V4, "off", 1)
                if operation is Alu.MOV and source is Source.X:
                    for bits in (8, 16, 32) if kind is Class.ALU64 else (8, 16):
                        extension = f"{word}{{dst}} = (s{bits}){word}{{src}}"
                        yield Opcode(f"movsx{suffix}_{bits}", code, extension, CPU_V4, "off", bits)
                yield Opcode(name, code, f"{cast}r{{dst}} {operator} {cast}{operand}", since)
        yield Opcode(f"neg{suffix}", kind | Alu.NEG, f"{cast}r{{dst}} = -{cast}r{{dst}}")
    yield Opcode("le", Class.ALU | Alu.END | Source.K, "r{dst} = le{imm} r{dst}")
    yield Opcode("be", Class.ALU | Alu.END | Source.X, "r{dst} = be{imm} r{dst}")
    yield Opcode("bswap", Class.ALU64 | Alu.END | Source.K, "r{dst} = bswap{imm} r{dst}", CPU_V4)


def _jumps() -> Iterator[Opcode]:
    for kind, suffix, word, introduced in (
        (Class.JMP, "", "r", BASELINE),
        (Class.JMP32, "32", "w", COMPARE_32),
    ):
        for comparison, operator in _COMPARISON.items():
            since = max(introduced, UNSIGNED_LESS) if comparison >= Jump.JLT else introduced
            name = f"{comparison.name.lower()}{suffix}"
            for source, operand in ((Source.K, "{imm:x}"), (Source.X, word + "{src}")):
                notation = f"if {word}{{dst}} {operator} {operand} goto pc{{off}}"
                yield Opcode(
                    f"{name}_{'imm' if source is Source.K else 'reg'}", kind | comparison | source, notation, since
                )
    yield Opcode("ja", Class.JMP | Jump.JA, "goto pc{off}")
    yield Opcode("gotol", Class.JMP32 | Jump.JA, "gotol pc{imm:+}", CPU_V4)
    yield Opcode("may_goto", Class.JMP | 0xE0, "may_goto pc{off}", MAY_GOTO)
    yield Opcode("call_local", Class.JMP | Jump.CALL, "call pc{imm:+}", OWN_CALLS, "src", 1)
    yield Opcode("call_kfunc", Class.JMP | Jump.CALL, "call kernel-function {imm}", KERNEL_CALLS, "src", 2)
    yield Opcode("call", Class.JMP | Jump.CALL, "call {imm}")
    yield Opcode("exit", Class.JMP | Jump.EXIT, "exit")


def _memory() -> Iterator[Opcode]:
    for size in Size:
        letter = size.name.lower()
        place = f"*({size.type} *)"
        yield Opcode(f"ldx_{letter}", Class.LDX | Mode.MEM | size, f"r{{dst}} = {place}(r{{src}} {{off}})")
        yield Opcode(f"st_{letter}", Class.ST | Mode.MEM | size, f"{place}(r{{dst}} {{off}}) = {{imm}}")
        yield Opcode(f"stx_{letter}", Class.STX | Mode.MEM | size, f"{place}(r{{dst}} {{off}}) = r{{src}}")
        if size is not Size.DW:
            signed = place.replace("u", "s")
            extending = f"r{{dst}} = {signed}(r{{src}} {{off}})"
            yield Opcode(f"ldxsx_{letter}", Class.LDX | Mode.MEMSX | size, extending, CPU_V4)
            yield Opcode(f"ld_abs_{letter}", Class.LD | Mode.ABS | size, f"r0 = {place}skb[{{imm}}]")
            yield Opcode(f"ld_ind_{letter}", Class.LD | Mode.IND | size, f"r0 = {place}skb[r{{src}} + {{imm}}]")


def _atomics() -> Iterator[Opcode]:
    for size, bits in ((Size.W, ""), (Size.DW, "64")):
        code = Class.STX | Mode.ATOMIC | size
        letter, place = size.name.lower(), f"({size.type} *)(r{{dst}} {{off}})"
        for operation in (Atomic.ADD, Atomic.OR, Atomic.AND, Atomic.XOR):
            word = operation.name.lower()
            plain = f"lock *{place} {_OPERATOR[Alu[operation.name]]} r{{src}}"
            since = BASELINE if operation is Atomic.ADD else ATOMICS
            yield Opcode(f"atomic_{word}_{letter}", code, plain, since, "imm", operation)
            fetching = f"r{{src}} = atomic{bits}_fetch_{word}({place}, r{{src}})"
            fetch = operation | Atomic.FETCH
            yield Opcode(f"atomic_fetch_{word}_{letter}", code, fetching, ATOMICS, "imm", fetch)
        exchange = f"r{{src}} = atomic{bits}_xchg({place}, r{{src}})"
        compare = f"r0 = atomic{bits}_cmpxchg({place}, r0, r{{src}})"
        yield Opcode(f"atomic_xchg_{letter}", code, exchange, ATOMICS, "imm", Atomic.XCHG)
        yield Opcode(f"atomic_cmpxchg_{letter}", code, compare, ATOMICS, "imm", Atomic.CMPXCHG)
    for size in Size:
        code = Class.STX | Mode.ATOMIC | size
        letter, load, store = (
            size.name.lower(),
            f"({size.type} *)(r{{src}} {{off}})",
            f"({size.type} *)(r{{dst}} {{off}})",
        )
        acquire, release = f"r{{dst}} = load_acquire({load})", f"store_release({store}, r{{src}})"
        yield Opcode(f"load_acquire_{letter}", code, acquire, ORDERED, "imm", Atomic.LOAD_ACQUIRE)
        yield Opcode(f"store_release_{letter}", code, release, ORDERED, "imm", Atomic.STORE_RELEASE)


def _constants() -> Iterator[Opcode]:
    for pseudo, words, since in (
        (Pseudo.CONSTANT, "{imm64:x} ll", BASELINE),
        (Pseudo.MAP_FD, "map_fd {imm}", BASELINE),
        (Pseudo.MAP_VALUE, "map_value fd {imm} off {next}", (5, 2)),
        (Pseudo.BTF_ID, "btf_id {imm}", (5, 9)),
        (Pseudo.FUNCTION, "function pc{imm:+}", (5, 13)),
        (Pseudo.MAP_INDEX, "map_index {imm}", (5, 14)),
        (Pseudo.MAP_INDEX_VALUE, "map_index_value {imm} off {next}", (5, 14)),
    ):
        name = "ld_imm64" if pseudo is Pseudo.CONSTANT else f"ld_{pseudo.name.lower()}"
        yield Opcode(name, LD_IMM64, f"r{{dst}} = {words}", since, "src", pseudo)


OPCODES: tuple[Opcode, ...] = (*_arithmetic(), *_jumps(), *_memory(), *_atomics(), *_constants())
"""Every opcode. Of the rows with one `code` the selected ones come first, so the first that selects is the one."""

_BY_CODE: dict[int, list[Opcode]] = {}
for _opcode in OPCODES:
    _BY_CODE.setdefault(_opcode.code, []).append(_opcode)


def find(instruction: Instruction) -> Opcode | None:
    """The row of `instruction`, None when no release known here gives it a meaning."""
    for opcode in _BY_CODE.get(instruction.code, ()):
        if not opcode.selector or getattr(instruction, opcode.selector) == opcode.value:
            return opcode
    return None
