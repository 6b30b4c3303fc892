# SPDX-License-Identifier: MIT
"""What real kernels make of type information that is whole, and of such with a word or two changed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from harness.abi.bpf import Command
from harness.fuzz.campaign.work import TOGETHER
from harness.pytest_plugin.guest import LaneGuest
from harness.script.operations import Buffer, Part, RawBpf, Script
from harness.script.outcome import Outcome
from tests.harness.guests import tell
from tests.harness.model.test_type_checks import HEADER, REFUSED, TAKEN, written

MUTANTS, EACH = 240, 40
"""How many are changed, and how many a script loads: each is a descriptor."""


def mutants(whole: bytes, random: Random) -> Iterator[bytes]:
    """Yields copies with other numbers in a few words of the header and the types."""
    words = len(whole[: HEADER.size + HEADER.unpack_from(whole)[5]]) // 4
    while True:
        content = bytearray(whole)
        for _ in range(random.choice((1, 1, 2))):
            at = 4 * random.randrange(1, words)
            (word,) = struct.unpack_from("<I", content, at)
            others = (0, 1, word + 1, word - 1, word + 8, word ^ 1 << random.randrange(32), random.randrange(32))
            struct.pack_into("<I", content, at, random.choice(others) & 0xFFFFFFFF)
        yield bytes(content)


def blobs() -> list[bytes]:
    """All that the list is tested with, whole and broken, and mutants of what is whole."""
    random, whole = Random(1), [written(*builds) for builds in TAKEN.values()]
    changed = [one for base in whole for one in islice(mutants(base, random), MUTANTS // len(whole))]
    return [*whole, *(written(*builds) for builds in REFUSED.values()), *changed]


def load(name: str, content: bytes) -> RawBpf:
    return RawBpf(Command.BTF_LOAD, (Part(0, 8, Buffer(content)), Part(16, 4, len(content))), name=name)


@pytest.mark.guest
@pytest.mark.kernel_from("5.0")
def test_kernels_take_what_is_on_the_list(guest: LaneGuest) -> None:
    loads = [load(f"types {number}", content) for number, content in enumerate(blobs())]
    scripts = [Script(f"types {at}", "", tuple(loads[at : at + EACH])) for at in range(0, len(loads), EACH)]
    disagreed = tell(guest.judge(scripts, together=TOGETHER))
    assert not disagreed, "\n".join(disagreed)
    said = [one for script in scripts for one in guest.model.run(script)]
    assert sum(isinstance(one, Outcome) for one in said) > len(TAKEN), "some mutants are taken"
