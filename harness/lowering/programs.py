# SPDX-License-Identifier: MIT
"""Loading programs, and running them as socket filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.abi import bpf, btf
from harness.abi.layout import Layout
from harness.abi.numbers import AF_UNIX, MSG_DONTWAIT, SO_ATTACH_BPF, SOCK_DGRAM, SOL_SOCKET
from harness.lowering.context import Lowering, Reader, first_failure, returned
from harness.script import logs
from harness.script.operations import LoadProgram, ReadRuns, RunSocketFilter, Types
from harness.script.outcome import Outcome, Withheld
from hil.agent.results import BatchResult
from hil.agent.steps import Address, Operand, Result


def load(lowering: Lowering, operation: LoadProgram) -> Reader:
    withheld = logs.withheld(operation, lowering.guest.era)
    level = 0 if withheld else operation.log_level
    size = 0 if withheld else operation.log_nbytes
    log = lowering.builder.alloc(size)
    version = operation.kern_version
    types, typed = _functions(lowering, operation.program.functions)
    before = lowering.operand(operation.types.btf) if operation.types else None
    btf = types if operation.types is None else before
    told = typed if operation.types is None else _told(lowering, operation.types)
    lines = lowering.watch.fields(lowering, operation, btf) if lowering.watch else {}
    told = {**told, **lines}
    more = {
        "prog_flags": operation.flags,
        "expected_attach_type": operation.attach_type,
        "attach_btf_id": operation.attach_to,
    }
    layout = _layout(told, more)
    attr = lowering.structure(
        layout,
        {
            "prog_type": int(operation.type),
            "insn_cnt": len(operation.program.instructions),
            "insns": lowering.program(operation.program),
            "license": lowering.text(operation.license),
            "log_level": level,
            "log_size": size,
            "log_buf": log if level else 0,
            "kern_version": lowering.guest.version_code if version is None else version,
            **({} if operation.types else told),
            **({} if more.keys().isdisjoint(layout.fields) else more),
        },
    )
    if before is not None and not isinstance(before, int):
        with lowering.builder.unless_failed(before):
            for name, value in told.items():
                lowering.builder.store(attr + layout.fields[name].offset, layout.fields[name].size, value)
    descriptor = lowering.call("bpf", bpf.Command.PROG_LOAD, attr, layout.size)
    lowering.opened(operation.name, descriptor)
    if types is not None:
        lowering.call("close", types)
    loaded = returned(descriptor) if types is None else first_failure([types, descriptor])
    reader = _with_log(lowering, loaded, log, size if level else None, withheld)
    return lowering.watch.asked(lowering, operation, descriptor, reader) if lowering.watch else reader


def _layout(*groups: Mapping[str, Operand | int]) -> Layout:
    """Returns the shortest layout that has every field that is filled in: the kernel takes absent bytes for zero, and
    a kernel that does not know them refuses longer ones."""
    wanted = {name for group in groups for name, value in group.items() if not isinstance(value, int) or value}
    layouts = (bpf.PROG_LOAD, bpf.PROG_LOAD_TYPED, bpf.PROG_LOAD_FOR, bpf.PROG_LOAD_WITH_LINES, bpf.PROG_LOAD_ALL)
    return next(layout for layout in layouts if wanted <= layout.fields.keys())


def read_runs(lowering: Lowering, operation: ReadRuns) -> Reader:
    size, fields = bpf.PROG_RUNS.size, bpf.PROG_RUNS.fields
    about = lowering.builder.alloc(size)
    request = {"bpf_fd": lowering.operand(operation.program), "info_len": size, "info": about}
    asked = lowering.call(
        "bpf",
        bpf.Command.OBJ_GET_INFO_BY_FD,
        lowering.structure(bpf.OBJECT_INFO, request),
        bpf.OBJECT_INFO.size,
    )
    told = lowering.builder.read(about, size)

    def read(results: BatchResult) -> Outcome:
        if results.done(asked).errno:
            return returned(asked)(results)
        counts = {name: results.done(told).data[field.offset : field.offset + 8] for name, field in fields.items()}
        return Outcome(value=int.from_bytes(counts["run_cnt"], "little"), data=counts["recursion_misses"])

    return read


def _with_log(lowering: Lowering, loaded: Reader, log: Address, size: int | None, withheld: Withheld | None) -> Reader:
    """Returns the reader of a load's outcome with `size` bytes of log; None for no log."""
    if withheld:
        return lambda results: replace(loaded(results), log=withheld)
    if size is None:
        return loaded
    text = lowering.builder.read(log, size)

    def read(results: BatchResult) -> Outcome:
        outcome = loaded(results)
        text_of_log = results.done(text).data.split(b"\0", 1)[0].decode("latin-1")  # a character a byte, whatever it is
        return Outcome(value=outcome.value, errno=outcome.errno, log=text_of_log)

    return read


def _told(lowering: Lowering, types: Types) -> dict[str, Operand | int]:
    """Returns the fields that tell of a program what an operation loaded of it."""
    functions = b"".join(bpf.FUNC_INFO.pack({"insn_off": at, "type_id": of}) for at, of in types.functions)
    fields: dict[str, Operand | int] = {
        "prog_btf_fd": lowering.operand(types.btf),
        "func_info_rec_size": bpf.FUNC_INFO.size,
        "func_info": lowering.builder.alloc(functions),
        "func_info_cnt": len(types.functions),
    }
    if types.lines:
        lines = b"".join(bpf.LINE_INFO.pack(*line) for line in types.lines)
        fields |= {
            "line_info_rec_size": bpf.LINE_INFO.size,
            "line_info": lowering.builder.alloc(lines),
            "line_info_cnt": len(types.lines),
        }
    return fields


def _functions(
    lowering: Lowering, functions: Sequence[tuple[int, str]]
) -> tuple[Result | None, dict[str, Operand | int]]:
    """Makes types of the functions; returns their descriptor and the fields of `PROG_LOAD_TYPED`, None and nothing
    without functions.

    Where the kernel does not take the types, the descriptor is negative, and the program is refused, too.
    """
    if not functions:
        return None, {}
    blob, numbers = btf.of_functions([name for _, name in functions])
    types = lowering.load_btf(blob)
    rows = (bpf.FUNC_INFO.pack({"insn_off": at, "type_id": of}) for (at, _), of in zip(functions, numbers, strict=True))
    return types, {
        "prog_btf_fd": types,
        "func_info_rec_size": bpf.FUNC_INFO.size,
        "func_info": lowering.builder.alloc(b"".join(rows)),
        "func_info_cnt": len(functions),
    }


def run_socket_filter(lowering: Lowering, operation: RunSocketFilter) -> Reader:
    """Sends through a pair of Unix datagram sockets: the kernel runs the receiver's filter in the sender's system
    call."""
    pair = lowering.builder.alloc(b"\xff" * 8)  # -1, so that no other descriptor is used when there is no pair
    made = lowering.call("socketpair", AF_UNIX, SOCK_DGRAM, 0, pair)
    sender, receiver = lowering.builder.load(pair, 4), lowering.builder.load(pair + 4, 4)
    program = lowering.builder.alloc(4)
    lowering.builder.store(program, 4, lowering.operand(operation.program))
    attached = lowering.call("setsockopt", receiver, SOL_SOCKET, SO_ATTACH_BPF, program, 4)
    packet, room = lowering.builder.alloc(operation.packet), lowering.builder.alloc(len(operation.packet))
    size = len(operation.packet)
    sent = lowering.call("sendto", sender, packet, size, MSG_DONTWAIT)
    received = lowering.call("recvfrom", receiver, room, size, MSG_DONTWAIT)
    lowering.call("close", sender)
    lowering.call("close", receiver)

    def read(results: BatchResult) -> Outcome:
        if results.done(received).error == "EAGAIN":  # nothing came: the program's verdict, if all else worked
            return first_failure([made, attached, sent], value=0)(results)
        return first_failure([made, attached, sent, received])(results)

    return read
