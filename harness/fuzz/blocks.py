# SPDX-License-Identifier: MIT
"""Random pieces of programs that every verifier accepts.

Between two pieces nine registers hold plain numbers (R6 holds the context), and a few words of the stack do, too. A
piece may overwrite what it likes as long as that is true again at its end; so pieces can follow one another, and a jump
can skip any of them.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.core_scripts.parts import element
from harness.fuzz import pointers
from harness.fuzz.draw import (
    KEY,
    KEYS,
    LOST,
    NUMBERS,
    NUMBERS_AT,
    PACKET,
    WORDS,
    Draw,
    opcodes,
)
from harness.fuzz.functions import Functions
from harness.fuzz.ranges import Ranges
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    Atomic,
    B,
    H,
    Helper,
    LabelledJump,
    Piece,
    W,
    add64_imm,
    and64_imm,
    atomic,
    call,
    gotol,
    ja,
    jeq_imm,
    ld_abs,
    ld_imm64,
    ld_ind,
    ld_map,
    ldx,
    ldxsx,
    load_acquire,
    mov32_reg,
    mov64_imm,
    mov64_reg,
    rsh64_imm,
    st,
    store_release,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Source
from harness.isa.table import ATOMICS, CPU_V4, ORDERED
from harness.model.rules import JitFault, LongShift
from harness.script.operations import ProgramType

_SHIFTS = (Alu.LSH, Alu.RSH, Alu.ARSH)
_DIVISIONS = (Alu.DIV, Alu.MOD)


_PLAIN = (Atomic.ADD, Atomic.OR, Atomic.AND, Atomic.XOR)
_FETCHES = (*(one | Atomic.FETCH for one in _PLAIN), Atomic.XCHG)


class Blocks:
    """Draws pieces; the same random numbers give the same pieces."""

    def __init__(self, draw: Draw) -> None:
        self._draw, self._random, self._around = draw, draw.random, draw.around
        random, around = draw.random, draw.around
        self._kinds: dict[Callable[[], Piece], int] = {
            self.arithmetic: 12,
            self.constant: 3,
            self.context: 1,
            self.helper: 1,
            self.branch: 3,
        }
        if around.stack:
            self._kinds |= {self.memory: 4, self.lookup: 2, self.change: 1, self.ranges: 3, self.part: 1, self.cut: 1}
        if around.stack and around.has(ATOMICS):
            self._kinds[self.atomic] = 3
        if around.has(CPU_V4):
            self._kinds[self.division] = 1
        task = Helper.GET_CURRENT_TASK in around.rules.helpers - around.rules.deadly_helpers
        if around.type == ProgramType.KPROBE and task:
            self._kinds[self.task] = 1
        self.functions = Functions(draw, lambda: random.choice((self.arithmetic, self.constant))(), self.constant)
        if self.functions.any:
            self._kinds[self.function] = 6 if self.functions.tail_calls else 2
        if around.reads_packets and (around.rules.verifier.types_checked or not self.functions.any):
            self._kinds[self.packet] = 1

    def any(self, branches: bool = True) -> Piece:
        """One piece of any kind; without `branches` none that jumps over others."""
        kinds = {kind: weight for kind, weight in self._kinds.items() if branches or kind != self.branch}
        (kind,) = self._random.choices(tuple(kinds), tuple(kinds.values()))
        return kind()

    def prologue(self) -> Piece:
        """Establishes what pieces rely on."""
        return (
            mov64_reg(R6, R1),
            self.functions.beginning(),
            [self.constant(register) for register in NUMBERS],
            [stx(DW, R10, word, self._draw.register()) for word in WORDS if self._around.stack],
            self._numbers() if self._around.stack else (),
        )

    def _numbers(self) -> Piece:
        """Puts the address of the map's numbers, which only the generator knows, on the stack."""
        return (element("numbers"), stx(DW, R10, NUMBERS_AT, R0), self._draw.renew(*LOST))

    def constant(self, register: int | None = None) -> Piece:
        """A new number for a register."""
        register = self._draw.register() if register is None else register
        if self._random.random() < 0.5:
            return mov64_imm(register, self._draw.imm())
        return ld_imm64(register, self._draw.number())

    def arithmetic(self) -> Piece:
        """One operation on registers."""
        opcode = self._random.choice(opcodes(self._around.rules.release, Class.ALU, Class.ALU64))
        selected = {opcode.selector: opcode.value} if opcode.selector else {}
        kind, operation = opcode.opcode_class, opcode.operation
        bits = 64 if kind == Class.ALU64 else 32
        dst, src = self._draw.register(), self._draw.register()
        if self._random.random() < 0.1:
            src = dst
        if operation == Alu.END:
            return Instruction(opcode.code, dst, imm=self._random.choice((16, 32, 64)))
        if operation == Alu.NEG:
            return Instruction(opcode.code, dst)
        if opcode.source == Source.X:
            return (self.tamed(operation, src, bits), Instruction(opcode.code, dst, src, **selected))
        if operation in _SHIFTS:
            return Instruction(opcode.code, dst, imm=self._random.randrange(bits))
        imm = self._draw.imm()
        return Instruction(opcode.code, dst, imm=imm or 1 if operation in _DIVISIONS else imm, **selected)

    def tamed(self, operation: int, register: int, bits: int) -> Piece:
        """Returns what changes the second operand to one that does not crash the kernel."""
        rules = self._around.rules
        if operation in _SHIFTS and rules.long_shift is LongShift.UNDEFINED:
            return and64_imm(register, bits - 1)
        if operation in _DIVISIONS and bits == 32 and JitFault.DIVISOR in self._around.faults:
            return mov32_reg(register, register)  # else the kernel crashes: seen on 4.1.52
        return ()

    def memory(self) -> Piece:
        """A store to the stack, an addition there, or a load; every width, aligned as all verifiers want it."""
        size = self._random.choice((B, H, W, DW))
        place = self._random.choice(WORDS) + self._random.randrange(0, 8, size.nbytes)
        choice = self._random.randrange(7 if self._around.has(ORDERED) else 5 if self._around.has(CPU_V4) else 4)
        if choice == 4 and size is not DW:
            return ldxsx(size, self._draw.register(), R10, place)
        if choice == 5:
            return load_acquire(size, self._draw.register(), R10, place)
        if choice == 6:
            return store_release(size, R10, place, self._draw.register())
        if choice == 0:
            return st(size, R10, place, self._draw.imm())
        if choice == 1:
            return stx(size, R10, place, self._draw.register())
        if choice == 2 and size in (W, DW):
            return xadd(size, R10, place, self._draw.register())
        return ldx(size, self._draw.register(), R10, place)

    def atomic(self) -> Piece:
        """An operation on a word of the stack that 4.1 does not have."""
        size, place = self._random.choice((W, DW)), self._random.choice(WORDS)
        place += self._random.randrange(0, 8, size.nbytes)
        return atomic(
            size, self._random.choice((*_PLAIN, *_FETCHES, Atomic.CMPXCHG)), R10, place, self._draw.register()
        )

    def context(self) -> Piece:
        """A field of the context whose number the script chose."""
        size = W if self._around.reads_packets else self._random.choice((B, H, W, DW))
        signed = self._around.has(CPU_V4) and size is not DW and self._random.random() < 0.5
        return (ldxsx if signed else ldx)(size, self._draw.register(), R6, self._random.choice(self._around.fields))

    def packet(self) -> Piece:
        """A load from the packet, perhaps from behind its end, which ends the program."""
        size = self._random.choice((B, H, W))
        if self._random.random() < 0.5:
            load: Piece = ld_abs(size, self._random.randrange(len(PACKET) + 1))
        else:
            index = self._draw.register() if self._random.random() < 0.99 else R6  # the context's address is far away
            small = () if index == R6 else and64_imm(index, 15)
            load = (small, ld_ind(size, index, self._random.randrange(12)))
        return (load, self._draw.renew(R1, R2, R3, R4, R5))

    def lookup(self) -> Piece:
        """An element of the table, if there is one, is read, written or added to."""
        miss, value = self._draw.label(), self._random.choice((R7, R8, R9))
        size = self._random.choice((W, DW))
        uses: list[Piece] = [
            ldx(size, value, R0, 0),
            stx(size, R0, 0, value),
            xadd(size, R0, 0, value),
            st(B, R0, self._random.randrange(8), self._draw.imm()),
        ]
        if self._around.has(ATOMICS):
            uses.append(atomic(size, self._random.choice((*_PLAIN, *_FETCHES)), R0, 0, value))
            uses.append((mov64_reg(R1, R0), mov64_reg(R0, value), atomic(size, Atomic.CMPXCHG, R1, 0, value)))
        use = self._random.choice(uses)
        return (
            self._key(),
            ld_map(R1, "table"),
            call(Helper.MAP_LOOKUP_ELEM),
            jeq_imm(R0, 0, miss),
            use,
            miss,
            self._draw.renew(*LOST),
        )

    def change(self) -> Piece:
        """An element of the table is updated or deleted; the helper's result stays in R0."""
        if self._random.random() < 0.3:
            work: Piece = (ld_map(R1, "table"), call(Helper.MAP_DELETE_ELEM))
        else:
            work = (
                mov64_reg(R3, R10),
                add64_imm(R3, self._random.choice(WORDS)),
                mov64_imm(R4, self._random.choice((0, 0, 1, 2, 3))),
                ld_map(R1, "table"),
                call(Helper.MAP_UPDATE_ELEM),
            )
        return (self._key(), work, self._draw.renew(R1, R2, R3, R4, R5))

    def helper(self) -> Piece:
        """A helper whose result is known, or seldom one whose result is not."""
        known = Helper.GET_SMP_PROCESSOR_ID if self._around.reads_packets else None
        if known is None or self._random.random() < 0.2:
            known = Helper.GET_PRANDOM_U32 if self._around.reads_packets else Helper.KTIME_GET_NS
            return (
                call(known),
                self._draw.renew(*LOST) if self._random.random() < 0.9 else self._draw.renew(*LOST[1:]),
            )
        return (call(known), self._draw.renew(*LOST[1:]))

    def function(self) -> Piece:
        """A call of a function of the program."""
        return self.functions.call()

    def ranges(self) -> Piece:
        """Comparisons that a verifier may believe to be decided."""
        return Ranges(self._draw).piece()

    def part(self) -> Piece:
        """Loads the known bits of a pointer's lowest or highest byte."""
        if self._around.rules.verifier.specified and self._random.random() < 0.5:
            return pointers.part_on_stack(self._draw, self._random.choice(WORDS))
        return pointers.part(self._draw)

    def cut(self) -> Piece:
        """A pointer without its low bits."""
        return pointers.cut(self._draw)

    def division(self) -> Piece:
        """A signed division, or what is left of one, of a number that has no positive counterpart or is next to one."""
        bits = self._random.choice((32, 64))
        kind, names = (Class.ALU64, ("sdiv64", "smod64")) if bits == 64 else (Class.ALU, ("sdiv32", "smod32"))
        having = opcodes(self._around.rules.release, kind)
        opcode = self._random.choice([one for one in having if one.name.startswith(names)])
        dst, src = self._draw.registers(2)
        least = -(1 << bits - 1) + self._random.choice((-1, 0, 0, 0, 1))
        upper = self._random.getrandbits(32) << 32 if bits == 32 else 0
        dividend = ld_imm64(dst, (least & (1 << bits) - 1 | upper) & (1 << 64) - 1)
        divisor = self._random.choice((-1, 1, -2, 2, 3, self._draw.imm() or 1))
        if opcode.source == Source.X:
            return (dividend, mov64_imm(src, divisor), Instruction(opcode.code, dst, src, off=1))
        return (dividend, Instruction(opcode.code, dst, off=1, imm=divisor))

    def task(self) -> Piece:
        """A helper that some JITs have an instruction for; of an address of the kernel the highest bit is known."""
        return (call(Helper.GET_CURRENT_TASK), rsh64_imm(R0, 63), self._draw.renew(*LOST[1:]))

    def branch(self) -> Piece:
        """A conditional jump over a few pieces, perhaps to others that are taken in their stead."""
        label, end = self._draw.label(), self._draw.label()
        opcode = self._random.choice(opcodes(self._around.rules.release, Class.JMP, Class.JMP32))
        if opcode.source == Source.X:
            jump = Instruction(opcode.code, self._draw.register(), self._draw.register())
        else:
            jump = Instruction(opcode.code, self._draw.register(), imm=self._draw.imm())
        skipped = self._few()
        if self._random.random() < 0.7:
            return (LabelledJump(jump, label), skipped, label)
        leave = gotol if self._around.has(CPU_V4) and self._random.random() < 0.5 else ja
        return (LabelledJump(jump, label), skipped, leave(end), label, self._few(), end)

    def _few(self) -> Piece:
        """One to three pieces, behind which a jump may lead."""
        pieces = [self.any(branches=False) for _ in range(self._random.randrange(1, 4))]
        return (pieces, self.before_label())

    def before_label(self) -> Piece:
        """Returns what has to be in front of the target of a jump."""
        return mov64_reg(R7, R7) if JitFault.TARGET in self._around.faults else ()

    def label(self) -> str:
        """Returns a label that no other piece has."""
        return self._draw.label()

    def _key(self) -> Piece:
        """A key in its place, R2 pointing to it."""
        if self._random.random() < 0.5:
            put: Piece = st(DW, R10, KEY, self._random.randrange(KEYS))
        else:
            register = self._draw.register()
            put = (and64_imm(register, KEYS - 1), stx(DW, R10, KEY, register))
        return (put, mov64_reg(R2, R10), add64_imm(R2, KEY))
