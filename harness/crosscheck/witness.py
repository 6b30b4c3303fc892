# SPDX-License-Identifier: MIT
"""Lanes as far as it counts when one is held against another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

from harness.lane import Lane
from harness.model.environment import Environment


class Differing(Flag):
    """In what two lanes differ."""

    NOTHING = 0
    ENGINE = auto()
    ARCH = auto()
    RELEASE = auto()


@dataclass(frozen=True)
class Witness:
    """A lane that can be held against others: its kernel's version, who made it, the helpers that programs can call
    there, and whether those with functions may make tail calls."""

    lane: Lane
    version_code: int
    distribution: str
    helpers: frozenset[int]
    tail_calls_of_functions: bool = False

    @classmethod
    def of(cls, lane: Lane, environment: Environment) -> Witness:
        """The lane whose model has this environment."""
        helpers = environment.rules.helpers - environment.only_compiled
        return cls(
            lane,
            environment.version_code,
            environment.rules.distribution.name,
            frozenset(helpers),
            environment.tail_calls_of_functions,
        )

    def differs(self, other: Witness) -> Differing:
        """In what two lanes differ. A version is one and the same release where the same people made it."""
        engine = Differing.ENGINE if self.lane.engine != other.lane.engine else Differing.NOTHING
        arch = Differing.ARCH if self.lane.arch != other.lane.arch else Differing.NOTHING
        same = (self.version_code, self.distribution) == (other.version_code, other.distribution)
        release = Differing.NOTHING if same else Differing.RELEASE
        return engine | arch | release
