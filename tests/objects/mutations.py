# SPDX-License-Identifier: MIT
"""Objects damaged at random: what the reader must refuse or read, without a traceback, without end or without bound."""

from __future__ import annotations

import json
import random
import resource
import signal
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.objects.adjusting import to_kernel
from harness.objects.describing import map_rows, program_rows, refused, to_json
from harness.objects.reader import read
from harness.objects.reasons import Refused

MOST_MEMORY = 512 << 20
"""Bytes of address space, the interpreter's own included."""
LONGEST = 60
"""Seconds after which a case counts as one without end; the slowest real object takes a fraction of one."""
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
_HEADER = 64


class WithoutEnd(BaseException):
    """A case took longer than any should."""


def mutate(content: bytes, random: random.Random) -> bytes:
    """One to eight faults: bytes, numbers, pieces that are moved, removed or doubled, an end that is missing."""
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4, 8))):
        # One in three hits a header: of the file, or of its sections, which are at its end.
        limit = random.choice((len(damaged), len(damaged), _HEADER))
        at = random.randrange(min(limit, len(damaged)))
        if random.random() < 0.2:
            at = len(damaged) - 1 - at % min(len(damaged), 2048)
        match random.randrange(7):
            case 0 | 1:
                damaged[at] = random.randrange(256)
            case 2:
                damaged[at] ^= 1 << random.randrange(8)
            case 3:
                size = random.choice((1, 2, 4, 8))
                number = random.choice(_EXTREMES) % (1 << 8 * size)
                damaged[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))
            case 4:
                other, size = random.randrange(len(damaged)), random.randrange(1, 64)
                damaged[at : at + size] = damaged[other : other + size]
            case 5:
                (number,) = struct.unpack("<I", bytes(damaged[at : at + 4]).ljust(4, b"\0"))
                damaged[at : at + 4] = ((number + random.randrange(-16, 17)) % (1 << 32)).to_bytes(4, "little")
            case 6:
                del damaged[at : at + (random.randrange(1, 64) if random.random() < 0.7 else len(damaged))]
        if not damaged:
            return b""
    return bytes(damaged)


def hammer(contents: Sequence[bytes], count: int, seed: int) -> Counter[str]:
    """Read `count` damaged objects and describe what is there; how many ended how. Anything but a refusal that is one
    goes through as it is, with the case as a note; the address space of the process is bounded."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    ended: Counter[str] = Counter()
    for number in range(count):
        chance = random.Random(f"{seed}-{number}")
        damaged = mutate(chance.choice(contents), chance)
        try:
            with _bounded():
                ended[_describe(damaged)] += 1
        except BaseException as error:
            error.add_note(f"case {number} of seed {seed}, {len(damaged)} bytes")
            raise
    return ended


def _describe(content: bytes) -> str:
    try:
        file = read(content)
    except Refused as error:
        assert "\n" not in str(error)
        return error.refusal.reason.word
    json.dumps(to_json(file))
    if file.btf is not None:
        to_kernel(file, file.btf)
    list(program_rows(file)), list(map_rows(file))
    return "read in part" if refused(file) else "read"


@contextmanager
def _bounded() -> Iterator[None]:
    def end(*_: object) -> None:
        raise WithoutEnd

    previous = signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
