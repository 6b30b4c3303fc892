# SPDX-License-Identifier: MIT
"""Loading programs, and running them as socket filters."""

from __future__ import annotations

from dataclasses import replace

from harness.abi import bpf
from harness.abi.numbers import AF_UNIX, MSG_DONTWAIT, SO_ATTACH_BPF, SOCK_DGRAM, SOL_SOCKET
from harness.lowering.context import Lowering, Reader, first_failure, returned
from harness.script import logs
from harness.script.operations import LoadProgram, RunSocketFilter
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult


def load(lowering: Lowering, operation: LoadProgram) -> Reader:
    withheld = logs.withheld(operation, lowering.guest.era)
    level = 0 if withheld else operation.log_level
    size = 0 if withheld else operation.log_nbytes
    log = lowering.builder.alloc(size)
    version = operation.kern_version
    attr = lowering.structure(
        bpf.PROG_LOAD,
        {
            "prog_type": int(operation.type),
            "insn_cnt": len(operation.program.instructions),
            "insns": lowering.program(operation.program),
            "license": lowering.text(operation.license),
            "log_level": level,
            "log_size": size,
            "log_buf": log if level else 0,
            "kern_version": lowering.guest.version_code if version is None else version,
        },
    )
    descriptor = lowering.call("bpf", bpf.Command.PROG_LOAD, attr, bpf.ATTR_SIZE)
    lowering.opened(operation.name, descriptor)
    if withheld:
        return lambda results: replace(returned(descriptor)(results), log=withheld)
    if not level:
        return returned(descriptor)
    text = lowering.builder.read(log, size)

    def read(results: BatchResult) -> Outcome:
        outcome = returned(descriptor)(results)
        text_of_log = results.done(text).data.split(b"\0", 1)[0].decode("latin-1")  # a character a byte, whatever it is
        return Outcome(value=outcome.value, errno=outcome.errno, log=text_of_log)

    return read


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
