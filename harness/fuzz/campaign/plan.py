# SPDX-License-Identifier: MIT
"""A campaign as it is written in its folder: what decides its cases, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import harness
from harness.lane import Engine, Lane
from harness.run.document import structured
from hil.errors import BenchError, UserError
from hil.whole import write_whole

NAME = "campaign.json"
"""The name of its file."""
RANGE = 128
"""Cases that are run, recorded and, after a kill, repeated together."""
FAR_RANGE = 1024
"""The same where it goes to another host: one to three minutes of a guest's time."""
_FORMAT = 1
_DECIDING = (
    "*.py",
    *(f"{package}/**/*.py" for package in ("abi", "core_scripts", "crosscheck", "fuzz", "isa", "kernel_bugs")),
    *(f"{package}/**/*.py" for package in ("lowering", "model", "objects", "run", "script")),
    *("lockstep/__init__.py", "lockstep/findings.py"),
    "core_scripts/*.toml",
    "kernel_bugs/*.toml",
)
"""The files that make cases, lower and judge them, or have what is known of kernels: those that a campaign's process
loads, and some more."""
_COMMANDS = ("fuzz/replaying.py", *(f"{package}/commands.py" for package in ("fuzz", "kernel_bugs", "objects", "run")))
"""Those that decide nothing."""


def far_range(count: int) -> int:
    """Returns how many of so many cases go to another host at once: fewer than FAR_RANGE where few hosts would have
    something to do."""
    return min(FAR_RANGE, max(RANGE, count // 16))


@dataclass(frozen=True)
class Place:
    """A kernel and an architecture: `era` is the release by whose rules its cases are generated, `identity` tells its
    kernel from others of the same name, "" where that is not known."""

    kernel: str
    arch: str
    engines: tuple[Engine, ...]
    era: str
    identity: str = ""

    def __str__(self) -> str:
        return f"{self.kernel}/{self.arch}"

    @property
    def rules(self) -> str:
        """Returns what stands for the rules by which cases are judged: places with the same are covered together."""
        return f"{self.era}/{self.arch}"

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(Lane(self.kernel, self.arch, engine) for engine in self.engines)


@dataclass(frozen=True)
class Campaign:
    """`count` cases from number `first` on of what is random (`of`) and a seed, on every lane of `places`.

    Of several shards, number `shard` of `shards`, counted from 1, has every so many-th range of `size` cases.
    `generator` stands for the code that makes and judges them.
    """

    of: str
    seed: int
    first: int
    count: int
    places: tuple[Place, ...]
    shard: int = 1
    shards: int = 1
    generator: str = ""
    size: int = RANGE

    def ranges(self) -> Iterator[range]:
        """Yields the numbers of its cases, in pieces of at most `size`; the same pieces for every shard."""
        end = self.first + self.count
        for index, start in enumerate(range(self.first, end, self.size)):
            if index % self.shards == self.shard - 1:
                yield range(start, min(start + self.size, end))

    @property
    def cases(self) -> int:
        """Returns how many cases each lane has in this shard."""
        return sum(map(len, self.ranges()))

    @property
    def lanes(self) -> tuple[str, ...]:
        return tuple(str(lane) for place in self.places for lane in place.lanes)

    def whole(self) -> Campaign:
        """Returns the campaign that this one is a shard of."""
        return replace(self, shard=1, shards=1)

    def write(self, folder: Path) -> None:
        """Writes the file whole or not at all; raises BenchError when it cannot."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n"
        try:
            write_whole(folder / NAME, text)
        except OSError as error:
            raise BenchError(
                f"cannot write {folder / NAME}: {error.strerror}", remedy="name another place with --output"
            ) from error


def read(folder: Path) -> Campaign:
    """Returns the campaign of a folder; raises UserError when there is none, or it is not one."""
    path, remedy = folder / NAME, "name the folder of a campaign of `hil fuzz`"
    try:
        data = json.loads(path.read_text())
        if data.pop("format") != _FORMAT:
            raise UserError(f"{path} has another format than this hil reads", remedy="use the hil that wrote it")
        campaign: Campaign = structured(Campaign, data, str(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", remedy=remedy) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not the record of a campaign: {error}", remedy=remedy) from error
    if campaign.count < 1 or campaign.size < 1 or not 1 <= campaign.shard <= campaign.shards:
        raise UserError(f"{path} is not the record of a campaign: it has no cases", remedy=remedy)
    return campaign


@cache
def generator() -> str:
    """Returns what stands for the code that makes and judges cases: cases of the same seed and number, and what is said
    of them, are the same as long as it is."""
    digest, folder = hashlib.sha256(), Path(harness.__path__[0])
    for pattern in _DECIDING:
        for file in sorted(folder.glob(pattern)):
            if (name := str(file.relative_to(folder))) not in _COMMANDS:
                digest.update(name.encode() + file.read_bytes())
    return digest.hexdigest()[:16]
