"""Machines that many tests share, each with the model of its lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import GuestExecutor
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.known import KnownDivergence, excuse
from harness.run.results import ScriptResult
from harness.run.worker import judge
from harness.script.operations import Script
from hil import guestroot
from hil.arch import Architecture
from hil.kernels import store
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec


@dataclass(frozen=True)
class SharedGuest:
    """A running guest. What one test leaves in it, others may meet."""

    kernel: Kernel
    executor: GuestExecutor

    def environment(self, engine: Engine) -> Environment:
        """What the model is told of the lane."""
        return Environment.of(self.kernel, engine, self.executor.agent.hello)

    def judge(
        self, engine: Engine, scripts: Sequence[Script], known: Sequence[KnownDivergence] = (), together: int = 1
    ) -> list[ScriptResult]:
        """Every script, here and in the model; skips where the kernel does not have the engine."""
        lane = Lane(self.kernel.name, self.kernel.arch.name, engine)
        try:
            self.executor.switch(engine)
        except EngineUnavailable as error:
            pytest.skip(f"{lane}: {error}")
        model = ModelExecutor(self.environment(engine))
        return [excuse(judge(lane, seen, model), known) for seen in self.executor.run(scripts, together=together)]


@contextmanager
def booted(name: str, arch: Architecture, folder: Path) -> Iterator[SharedGuest]:
    """Skips when the kernel is not at hand."""
    try:
        kernel = store.get(name, arch)
    except store.NotAtHand as error:
        pytest.skip(str(error))
    with Machine(MachineSpec(kernel, guestroot.build(kernel), folder)) as machine:
        guest = Guest.of(kernel)
        with GuestExecutor(machine, guest) as executor:
            yield SharedGuest(kernel, executor)


def tell(results: Sequence[ScriptResult]) -> list[str]:
    """Print the counts of one lane; what did not agree, in words."""
    unpredicted = sum(len(result.unpredicted) for result in results)
    counts = Counter(result.verdict for result in results)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"\n{results[0].lane}: of {len(results)} {told}; {unpredicted} operations unpredicted")
    assert counts[Verdict.UNSUPPORTED] * 2 < len(results), "the model has no word for most of it"
    fine = (Verdict.AGREE, Verdict.KNOWN, Verdict.UNSUPPORTED)  # the last one where no operation is predicted
    return [f"{result.script}: {result.verdict}: {result.reason}" for result in results if result.verdict not in fine]
