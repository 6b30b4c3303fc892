# SPDX-License-Identifier: MIT
"""One instruction after the other: do_check(), kernel/bpf/verifier.c of 5.10."""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, R0, R1, R5, R6, Alu, Atomic, Class, Jump, Mode, Pseudo, Source
from harness.model.value import M32
from harness.model.verifier.context import VerifierContext
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later import functions
from harness.model.verifier.later.safety import arithmetic, calls, memory
from harness.model.verifier.later.safety.comparing import follows, holds, refined, weakened
from harness.model.verifier.later.safety.contents import Content, Frame, Kind, Pointer, State, Unshown
from harness.model.verifier.later.safety.layout import target_of
from harness.model.verifier.later.safety.numbers import ANY, Number, constant
from harness.script.operations import MapType

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_LD, _LDX, _ST, _STX = Class.LD.value, Class.LDX.value, Class.ST.value, Class.STX.value
_ALU, _ALU64, _JMP, _X = Class.ALU.value, Class.ALU64.value, Class.JMP.value, Source.X.value
_CALL, _EXIT, _JA = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value
_JEQ, _JNE = Jump.JEQ.value, Jump.JNE.value
_MEM, _MEMSX, _ATOMIC = Mode.MEM.value, Mode.MEMSX.value, Mode.ATOMIC.value
_FETCHING = frozenset({Atomic.ADD, Atomic.OR, Atomic.AND, Atomic.XOR})
Branch = tuple[State, int]


class Steps:
    """The instructions of one program. `used` are the bytes of stack that each of its functions uses."""

    def __init__(
        self,
        program: Sequence[Instruction],
        context: VerifierContext,
        rules: VerifierRules,
    ) -> None:
        self._program = program
        self._context = context
        self._rules = rules
        self.used: dict[int, int] = {}
        self._bases: dict[int, bool] = {}
        """Whether an access is one to the context, which it is always or never."""
        self._constants = {
            index: self._constant(index) for index in range(len(program)) if program[index].code == LD_IMM64
        }

    def step(self, state: State, index: int) -> tuple[int | None, Branch | None]:
        """Carries out one instruction; returns where the path goes on, None at its end, and another one that begins
        here. Raises Unshown where some verifier may refuse it."""
        insn = self._program[index]
        registers = state.top.registers
        kind = insn.opcode_class
        if kind in (_ALU, _ALU64):
            source = registers[insn.src] if insn.source == _X or insn.operation == Alu.MOV else ANY
            result = arithmetic.result(insn, registers[insn.dst], source)
            if state.vague and isinstance(result, Pointer) and result.spread and insn.operation != Alu.MOV:
                raise Unshown("a pointer is moved by what may be out of bounds on a path that is not taken")
            self._set(registers, insn.dst, result)
        elif kind == _LDX:
            self._load(state, index, insn)
        elif kind in (_ST, _STX):
            self._store(state, index, insn)
        elif kind == _LD:
            if insn.code != LD_IMM64:
                raise Unshown("a load from a packet")
            self._set(registers, insn.dst, self._constants[index])
            return index + 2, None
        else:
            return self._jump(state, index, insn)
        return index + 1, None

    def _set(self, registers: list[Content], number: int, content: Content) -> None:
        if number > 9:
            raise Unshown("R10 is written")
        registers[number] = content

    def _constant(self, index: int) -> Content:
        insn, following = self._program[index], self._program[index + 1]
        if insn.src == Pseudo.CONSTANT:
            return constant(insn.imm & M32 | (following.imm & M32) << 32)
        shape = self._context.find_map(insn.imm)
        if insn.src not in (Pseudo.MAP_FD, Pseudo.MAP_VALUE) or isinstance(shape, str):
            raise Unshown("a reference to something else than a map")
        if insn.src == Pseudo.MAP_FD:
            return Pointer(Kind.MAP, of=shape)
        if shape.type != MapType.ARRAY or shape.entries != 1 or not 0 <= following.imm < shape.value_size:
            raise Unshown("a reference into a map that is no single value")
        return Pointer(Kind.VALUE, off=following.imm, of=shape)

    def _load(self, state: State, index: int, insn: Instruction) -> None:
        registers = state.top.registers
        base = registers[insn.src]
        self._access(state, index, base, insn.off)
        loaded = memory.load(state, self._context, base, insn.off, insn.size.nbytes, self._rules.readable)
        if insn.mode == _MEMSX:
            loaded = ANY if isinstance(loaded, Number) else self._odd()
        elif insn.mode != _MEM:
            self._odd()
        self._set(registers, insn.dst, loaded)

    def _store(self, state: State, index: int, insn: Instruction) -> None:
        registers = state.top.registers
        base, size = registers[insn.dst], insn.size.nbytes
        self._access(state, index, base, insn.off)
        if insn.opcode_class == _ST:
            memory.store(state, self._context, base, insn.off, size, ANY)
            return
        value = registers[insn.src]
        if value is None:
            raise Unshown("a register is stored that nobody wrote")
        if insn.mode == _MEM:
            memory.store(state, self._context, base, insn.off, size, value)
            return
        memory.add(state, self._context, base, insn.off, size, value)
        if insn.imm in (Atomic.CMPXCHG, Atomic.LOAD_ACQUIRE, Atomic.STORE_RELEASE):
            self._odd()
        if insn.imm not in _FETCHING:
            self._set(registers, insn.src, ANY)

    def _access(self, state: State, index: int, base: Content, off: int) -> None:
        """Notes how much stack is used, and that an instruction that reads the context reads nothing else."""
        self._note(state, base, off)
        context = isinstance(base, Pointer) and base.kind is Kind.CONTEXT
        if self._bases.setdefault(index, context) is not context:
            raise Unshown("an instruction that reads the context, or something else")

    def _note(self, state: State, base: Content, off: int) -> None:
        if isinstance(base, Pointer) and base.kind is Kind.STACK:
            begin = state.frames[base.frame].begin
            self.used[begin] = max(self.used.get(begin, 0), -(base.off + off))

    def _odd(self) -> Content:
        raise Unshown("an operation that is not looked into")

    def _jump(self, state: State, index: int, insn: Instruction) -> tuple[int | None, Branch | None]:
        operation = insn.operation
        if operation == _JA:
            return target_of(index, insn), None
        if operation == _EXIT:
            return self._exit(state), None
        if operation != _CALL:
            return self._compare(state, index, insn)
        registers = state.top.registers
        if functions.is_local(insn):
            if state.held:
                raise Unshown("a function is called while a record is held")
            arguments = registers[R1 : R5 + 1]
            registers[R0 : R5 + 1] = [None] * 6
            begin = index + 1 + insn.imm
            if len(state.frames) >= functions.MOST_FRAMES:
                raise Unshown("functions that nest too deeply")
            state.frames.append(Frame.entered(begin, index + 1, len(state.frames), arguments))
            return begin, None
        if insn.src:
            self._odd()
        for number in range(R1, R6):
            self._note(state, registers[number], 0)
        calls.call(state, self._context, self._rules, index, insn.imm)
        return index + 1, None

    def _exit(self, state: State) -> int | None:
        result = state.top.registers[R0]
        if len(state.frames) > 1:
            if isinstance(result, Pointer) and result.kind is Kind.STACK:
                raise Unshown("a function returns a pointer to a stack")
            back = state.top.back
            state.frames.pop()
            state.top.registers[R0] = result
            return back
        if result is None or state.held:
            raise Unshown("the program ends without a result, or while a record is held")
        return None

    def _compare(self, state: State, index: int, insn: Instruction) -> tuple[int | None, Branch | None]:
        bits = 64 if insn.opcode_class == _JMP else 32
        registers = state.top.registers
        left = registers[insn.dst]
        right = registers[insn.src] if insn.source == _X else constant(insn.imm)
        if left is None or right is None or insn.operation == Jump.JCOND:
            raise Unshown("a comparison of what nobody wrote")
        target = target_of(index, insn)
        if isinstance(left, Number) and isinstance(right, Number) and right.known:
            decided = holds(insn.operation, left, right.low, bits)
            if decided is not None and (left.known or not state.vague):
                return target if decided else index + 1, None
            taken = state.copy()
            for side, way in ((state, False), (taken, True)):
                now = refined(insn.operation, left, right.low, bits, holds=way)
                side.top.registers[insn.dst] = now
                side.vague |= not follows(insn.operation, left, now, bits)
            return index + 1, (taken, target)
        taken = state.copy()
        if isinstance(left, Pointer) and left.maybe:
            _checked(insn, left, right, bits, state, taken)
        elif bits == 32:
            for number in (insn.dst, insn.src):
                one = registers[number]
                if isinstance(one, Number):
                    registers[number] = taken.top.registers[number] = weakened(one)
        return index + 1, (taken, target)


def _checked(insn: Instruction, pointer: Pointer, right: Content, bits: int, fails: State, taken: State) -> None:
    """Takes what may be null for a pointer on one side of a comparison with 0, and for 0 on the other; on which nothing
    is to be released: mark_ptr_or_null_regs()."""
    if insn.source == _X or right != constant(0) or bits != 64 or insn.operation not in (_JEQ, _JNE):
        raise Unshown("a pointer that may be null in another comparison than one with a constant 0")
    null, given = (taken, fails) if insn.operation == _JEQ else (fails, taken)
    null.replace(pointer.id, constant(0))
    null.held -= {pointer.id}
    given.replace(pointer.id, pointer._replace(maybe=False, id=pointer.id if pointer.kind is Kind.RECORD else 0))
