# SPDX-License-Identifier: MIT
"""The differing circumstances of runs: kernels, images, QEMU, the host. They are never regressions, often
explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.regress.side import Side
from harness.run.results import MachineReport


@dataclass(frozen=True)
class Difference:
    """A fact that is not the same on both sides; `place` is a machine, or `host`."""

    place: str
    fact: str
    before: str
    after: str


def differences(before: Side, after: Side) -> tuple[Difference, ...]:
    """Returns the differences of the host, and of every machine that both sides have."""
    return tuple(_differences(before, after))


def _differences(before: Side, after: Side) -> Iterator[Difference]:
    yield from _differing("host", before.host, after.host)
    for name, machine in after.machines.items():
        if name in before.machines:
            yield from _differing(name, _facts(before.machines[name]), _facts(machine))


def _differing(place: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for fact in dict.fromkeys((*before, *after)):
        pair = before.get(fact, ""), after.get(fact, "")
        if pair[0] != pair[1]:
            yield Difference(place, fact, *(said or "unknown" for said in pair))


def _facts(machine: MachineReport) -> dict[str, str]:
    facts = {"uname": machine.uname, "QEMU": machine.qemu_version}
    hashes = machine.provenance.get("sha256")
    if isinstance(hashes, Mapping):
        facts |= {f"{part} sha256": str(value) for part, value in hashes.items()}
    packages = machine.provenance.get("packages")
    if isinstance(packages, list | tuple):
        facts["packages"] = ", ".join(f"{package.get('name')} {package.get('version')}" for package in packages)
    return facts
