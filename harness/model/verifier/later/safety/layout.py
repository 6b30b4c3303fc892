# SPDX-License-Identifier: MIT
"""What verifiers check of a program without simulating it: what can be reached, its functions, and their stack.

Sources: check_subprogs(), check_cfg(), check_max_stack_depth(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, STACK_SIZE, Class, Jump
from harness.model.verifier.later import functions
from harness.model.verifier.later.safety.contents import Unshown

_JUMPS = frozenset({Class.JMP.value, Class.JMP32.value})
_CALL, _EXIT, _JA = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value


class Layout:
    """The control flow of a program: `targets` are the instructions that a jump leads to, `begins` those at which its
    functions begin. Raises Unshown where some verifier may refuse it."""

    def __init__(self, program: Sequence[Instruction]) -> None:
        self._program = program
        self.targets: set[int] = set()
        self.begins = sorted({0, *functions.starts(program)})
        self._calls: dict[int, set[int]] = {begin: set() for begin in self.begins}
        if len(self.begins) > functions.MOST_FUNCTIONS:
            raise Unshown("too many functions")
        self._walk()

    def _walk(self) -> None:
        """check_cfg(): every instruction must be reached, and every jump stay in its function."""
        reached: set[int] = set()
        todo = [0]
        while todo:
            index = todo.pop()
            if index in reached:
                continue
            if not 0 <= index < len(self._program):
                raise Unshown("a path that leaves the program")
            reached.add(index)
            insn = self._program[index]
            if functions.is_local(insn):
                todo.append(index + 1 + insn.imm)
                self._calls[self.function(index)].add(index + 1 + insn.imm)
            for following in self._following(index, insn):
                if self.function(following) != self.function(index):
                    raise Unshown("a path from one function into another")
                todo.append(following)
        halves = {index + 1 for index in reached if self._program[index].code == LD_IMM64}
        if halves & reached or len(reached) + len(halves) != len(self._program):
            raise Unshown("an instruction that no path reaches")
        if any(one.code or one.dst or one.src or one.off for one in map(self._program.__getitem__, halves)):
            raise Unshown("an odd second half of a 64 bit constant")

    def _following(self, index: int, insn: Instruction) -> Iterator[int]:
        if insn.opcode_class in _JUMPS and insn.operation not in (_CALL, _EXIT):
            target = target_of(index, insn)
            self.targets.add(target)
            yield target
        if not (insn.opcode_class in _JUMPS and insn.operation in (_EXIT, _JA)):
            yield index + (2 if insn.code == LD_IMM64 else 1)

    def function(self, index: int) -> int:
        """Returns where the function with an instruction begins."""
        return self.begins[bisect_right(self.begins, index) - 1]

    def check_depth(self, used: Mapping[int, int]) -> None:
        """Checks that functions that call each other have room, of which each uses so many bytes of stack; raises
        Unshown. Dead code counts as well."""
        self._deepest(0, used, 0, ())

    def _deepest(self, begin: int, used: Mapping[int, int], before: int, callers: tuple[int, ...]) -> None:
        depth = before + -(-max(used.get(begin, 0), 1) // 32) * 32
        if begin in callers or len(callers) >= functions.MOST_FRAMES or depth > STACK_SIZE:
            raise Unshown("functions that nest too deeply")
        for called in self._calls[begin]:
            self._deepest(called, used, depth, (*callers, begin))


def target_of(index: int, insn: Instruction) -> int:
    """Returns where a jump leads; a long one has its distance in `imm`."""
    long = insn.opcode_class == Class.JMP32 and insn.operation == _JA
    return index + 1 + (insn.imm if long else insn.off)
