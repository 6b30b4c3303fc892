# SPDX-License-Identifier: MIT
"""What the kernel tells of the programs it loaded: where each of their instructions is in its own code.

A program is loaded with one BTF line for each of its instructions, whose column is the instruction's number. The kernel
takes the lines along when it removes or rewrites instructions, and reports the native address of each
(https://docs.kernel.org/bpf/btf.html, `jited_line_info`). Since 5.0: c454a46b5efd.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.abi import bpf, btf
from harness.abi.bpf import COLUMN_BITS, LINE_INFO
from harness.isa.instruction import SIZE
from harness.isa.opcodes import LD_IMM64
from harness.script.operations import LoadProgram, Script
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult
from hil.agent.steps import Operand, Result

if TYPE_CHECKING:
    from harness.lowering.context import Lowering, Reader

_TYPES = btf.Writer()
_TYPES.integer("int", 4, signed=True)
_NAME = _TYPES.string("int")
"""The offset of the only name in the BTF's strings, which stands for the file and for every line."""
_MOST = 16_384
"""The instructions of the longest program that is watched; a line's column has 22 bits."""
_MORE = 16
"""The kernel may replace an instruction by that many, or by that many native words of 8 bytes."""
_ROOM = 512
_FUNCTIONS = 256


@dataclass(frozen=True)
class LoadedCode:
    """A loaded program as the kernel has it: `translated` instructions (their bytes), and its native `image`, empty
    under the interpreter.

    `lines` has pairs of a number of a translated instruction and of the script's instruction it comes from; `native`
    the address of each pair's native code; `functions` the native address and size of each of the program's functions,
    in the order of the image.
    """

    name: str
    translated: bytes = b""
    lines: tuple[tuple[int, int], ...] = ()
    native: tuple[int, ...] = ()
    image: bytes = b""
    functions: tuple[tuple[int, int], ...] = ()


@dataclass
class Watch:
    """Loads every program of the scripts that are lowered with it in this way, and collects what the kernel tells."""

    told: list[LoadedCode] = field(default_factory=list)
    """One for each program that was loaded, in their order in the script; empty ones where the kernel told nothing."""

    def begin(self, lowering: Lowering) -> None:
        """Adds the steps that load the BTF, which a script's programs share."""
        lowering.btf = lowering.load_btf(_TYPES.blob())
        lowering.descriptors.append(lowering.btf)

    def fields(
        self, lowering: Lowering, operation: LoadProgram, types: Operand | int | None
    ) -> Mapping[str, Operand | int]:
        """Returns the fields of the load that give it lines, by the BTF `types` that it has anyway, if there is one;
        none for a program that cannot have them."""
        starts = _starts(operation)
        if lowering.btf is None or not starts:
            return {}
        lines = b"".join(LINE_INFO.pack(start, _NAME, _NAME, start << COLUMN_BITS) for start in starts)
        return {
            "prog_btf_fd": lowering.btf if types is None else types,
            "line_info_rec_size": LINE_INFO.size,
            "line_info": lowering.builder.alloc(lines),
            "line_info_cnt": len(starts),
        }

    def asked(self, lowering: Lowering, operation: LoadProgram, descriptor: Result, reader: Reader) -> Reader:
        """Adds the steps that ask for a program just loaded; returns `reader`, which keeps the answer as well."""
        count = len(operation.program.instructions)
        if not _starts(operation):
            return self._kept(reader, lambda _: LoadedCode(operation.name))
        rooms = {
            "xlated_prog_insns": ("xlated_prog_len", SIZE * (_MORE * count + _ROOM), 1),
            "jited_prog_insns": ("jited_prog_len", SIZE * (_MORE * count + _ROOM), 1),
            "line_info": ("nr_line_info", LINE_INFO.size * count, LINE_INFO.size),
            "jited_line_info": ("nr_jited_line_info", SIZE * count, SIZE),
            "jited_ksyms": ("nr_jited_ksyms", SIZE * _FUNCTIONS, SIZE),
            "jited_func_lens": ("nr_jited_func_lens", 4 * _FUNCTIONS, 4),
        }
        builder = lowering.builder
        with builder.unless_failed(descriptor):
            places = {name: builder.alloc(size) for name, (_, size, _) in rooms.items()}
            values: dict[str, Operand | int] = {"line_info_rec_size": LINE_INFO.size, "jited_line_info_rec_size": SIZE}
            for name, (length, size, unit) in rooms.items():
                values |= {name: places[name], length: size // unit}
            info = lowering.structure(bpf.WHOLE_PROG_INFO, values)
            request = lowering.structure(
                bpf.OBJECT_INFO, {"bpf_fd": descriptor, "info_len": bpf.WHOLE_PROG_INFO.size, "info": info}
            )
            told = lowering.call("bpf", bpf.Command.OBJ_GET_INFO_BY_FD, request, bpf.OBJECT_INFO.size)
            with builder.unless_failed(told):
                header = builder.read(info, bpf.WHOLE_PROG_INFO.size)
                parts = {name: builder.read(places[name], size) for name, (_, size, _) in rooms.items()}

        return self._kept(reader, lambda results: _told(operation.name, results, header, parts))

    def _kept(self, reader: Reader, told: Callable[[BatchResult], LoadedCode]) -> Reader:
        """Returns `reader`, which keeps what is told of a program as well, if that was loaded."""

        def read(results: BatchResult) -> Outcome:
            outcome = reader(results)
            if outcome.errno is None:
                self.told.append(told(results))
            return outcome

        return read


def loads(
    script: Script, outcomes: Sequence[Outcome], told: Iterable[LoadedCode]
) -> Iterator[tuple[LoadProgram, LoadedCode]]:
    """Yields every load of a script with what the kernel `told` of it, which is in the order of the loads that
    succeeded; an empty LoadedCode for one that failed, as for one of which it told nothing.

    Names do not tell loads apart: one may fail, and a later one of the same name succeed. They tell those of a forked
    process, which are in `told` as well, from the script's own.
    """
    left: dict[str, deque[LoadedCode]] = {}
    for one in told:
        left.setdefault(one.name, deque()).append(one)
    for number, operation in enumerate(script.operations):
        if isinstance(operation, LoadProgram):
            succeeded = number < len(outcomes) and outcomes[number].errno is None
            codes = left.get(operation.name) if succeeded else None
            yield operation, codes.popleft() if codes else LoadedCode(operation.name)


def line_of(row: tuple[int, ...]) -> tuple[int, int]:
    """Returns the numbers of a translated instruction and of the script's, by the fields of `struct bpf_line_info`."""
    start, _, _, column = row
    return start, column >> COLUMN_BITS


def _told(name: str, results: BatchResult, header: Result, parts: Mapping[str, Result]) -> LoadedCode:
    answer = results[header]
    if answer is None or not answer.data:
        return LoadedCode(name)

    def array(part: str, count: str, layout: str) -> list[tuple[int, ...]]:
        place, data = bpf.WHOLE_PROG_INFO.fields[count], results.done(parts[part]).data
        length = int.from_bytes(answer.data[place.offset : place.offset + place.size], "little")
        return list(struct.iter_unpack(layout, data[: struct.calcsize(layout) * length]))

    def code(part: str, count: str) -> bytes:
        return bytes(byte for (byte,) in array(part, count, "<B"))

    addresses, sizes = (
        array("jited_ksyms", "nr_jited_ksyms", "<Q"),
        array("jited_func_lens", "nr_jited_func_lens", "<I"),
    )
    return LoadedCode(
        name,
        code("xlated_prog_insns", "xlated_prog_len"),
        tuple(line_of(row) for row in array("line_info", "nr_line_info", LINE_INFO.format)),
        tuple(address for (address,) in array("jited_line_info", "nr_jited_line_info", "<Q")),
        code("jited_prog_insns", "jited_prog_len"),
        tuple((address, size) for (address,), (size,) in zip(addresses, sizes, strict=False)),
    )


def _starts(operation: LoadProgram) -> list[int]:
    """Returns the numbers of all instructions, without the second halves of 64 bit constants; none for a program that
    is too long, or has none."""
    instructions = operation.program.instructions
    halves = {index + 1 for index, one in enumerate(instructions) if one.code == LD_IMM64}
    return [index for index in range(len(instructions)) if index not in halves] if len(instructions) <= _MOST else []
