# SPDX-License-Identifier: MIT
"""Trials of small objects, for tests that boot nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.check.looking import checked
from harness.check.symbols import Found
from harness.check.trying import NamedObject, Trial, trials
from harness.lane import Engine, Lane
from harness.lowering.verifier_log import Reading
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.objects.btf.reader import Btf
from harness.objects.kernel_facts import KernelFacts
from harness.objects.reader import read
from harness.run.checked import Checked
from harness.script.operations import Operation
from harness.script.outcome import Outcome, Prediction
from hil.errors import UserError

VERSIONS = {"4.1": 0x40134, "5.10": 0x50AFF, "6.1": 0x601C0, "6.12": 0x60C76, "7.2": 0x7020D}
Says = Callable[[Operation], Outcome]


def no_types() -> Btf:
    raise UserError("there are no types")


def facts(era: str = "6.1", arch: str = "x86_64") -> KernelFacts:
    return KernelFacts(f"a {era}/{arch}", arch, VERSIONS[era], {}, 2, no_types)


def environment(era: str = "6.1", arch: str = "x86_64", **more: object) -> Environment:
    return Environment(era, arch, VERSIONS[era], cpus=2, **more)  # type: ignore[arg-type]


def trial(content: bytes, era: str = "6.1", *, translate: bool = False, arch: str = "x86_64") -> Trial:
    """The only program of an object, on a kernel."""
    objects = [NamedObject("folder/probe.o", read(content))]
    (one,) = trials(objects, facts(era, arch), translate=translate)
    return one


def fared(
    one: Trial,
    says: Says = lambda _: Outcome(value=0),
    era: str = "6.1",
    *,
    predicted: Says | None = None,
    reading: Reading | None = None,
    near: dict[str, Found] | None = None,
    arch: str = "x86_64",
) -> Checked:
    """How a program fared where a kernel says so of each operation."""
    assert one.script is not None
    where = environment(era, arch)
    predictions: Sequence[Prediction] = ModelExecutor(where).run(one.script)
    if predicted is not None:
        predictions = [predicted(operation) for operation in one.script.operations]
    outcomes: Sequence[Outcome] = [says(operation) for operation in one.script.operations]
    return checked(Lane("a-kernel", arch, Engine.INTERP), one, outcomes, predictions, where, reading, near)


def failing(kind: type, errno: str) -> Says:
    """A kernel in which operations of a kind fail, and others succeed."""
    return lambda operation: Outcome(errno=errno) if isinstance(operation, kind) else Outcome(value=0)
