# SPDX-License-Identifier: MIT
"""Every kernel the clauses are for; an engine for each architecture, as predictions hardly differ by engine."""

from __future__ import annotations

import pytest

from harness.clauses import clauses
from harness.model.architecture import ARCHITECTURES
from harness.model.environment import Environment
from harness.model.eras import eras_of
from harness.release import READ, dotted
from harness.run.needs import unmet
from harness.script.needs import CPUS
from harness.script.operations import Script

VERSIONS = {"4.1": 0x040134, "5.10": 0x050AFF, "6.1": 0x0601C0, "6.6": 0x060657, "6.12": 0x060C75, "7.2": 0x07020D}
LANES = [
    pytest.param(
        Environment(era=era, arch=arch, version_code=VERSIONS[era], engine=engine, cpus=CPUS),
        id=f"{era}-{arch}-{engine}",
    )
    for number, arch in enumerate(ARCHITECTURES)
    for era in (*eras_of(arch), *map(dotted, READ))
    for engine in (("interp", "jit")[number % 2],)
]


def scripts(lane: Environment) -> list[Script]:
    """The clauses a lane can carry out."""
    wanted = [clause.script(lane.era, lane.version_code) for clause in clauses(lane.arch, lane.era)]
    return [script for script in wanted if not unmet(script.needs, lane)]
