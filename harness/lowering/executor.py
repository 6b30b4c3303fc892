# SPDX-License-Identifier: MIT
"""The guest executor: runs scripts on a target through the agent, many in one exchange."""

from __future__ import annotations

import contextlib
import logging
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from harness.lane import Engine
from harness.lowering.armed import keep_armed, keep_slots
from harness.lowering.context import Guest, Lowering
from harness.lowering.engine import switching
from harness.lowering.greeting import greeting
from harness.lowering.lower import Lowered, lower
from harness.lowering.text_files import read_text
from harness.lowering.traceable import Traceable, patterns
from harness.lowering.waking import waking
from harness.lowering.watch import Watch
from harness.script.checks import LONGEST_TAG
from harness.script.operations import Script
from harness.script.outcome import Outcome
from hil.agent.builder import BatchBuilder
from hil.agent.client import WINDOW_BATCHES, Agent
from hil.agent.results import BatchResult, How
from hil.agent.steps import MAX_DEADLINE, Batch
from hil.errors import BenchError, MachineLost
from hil.facts import Facts
from hil.machine import speed
from hil.machine.postmortem import PostMortem
from hil.target import Target

_log = logging.getLogger(__name__)

PATIENCE = 60.0
"""The nominal seconds for which the agent may be silent."""
DEADLINE = 20.0
"""The nominal seconds for a script, or for all scripts that share a process."""
STRIKES = 3
"""The number of batches in a row that the guest could not begin or not end, with none completed between them, after
which it is given up: a fork bomb, for one, leaves it no process, and every further script would only wait for its
deadline.
"""
_UNFIT = (How.REJECTED, How.STUCK)


@dataclass(frozen=True)
class Observed:
    """The guest's results of one script: an observation for each operation, and the seconds it took on the guest's
    clock."""

    script: Script
    outcomes: tuple[Outcome, ...]
    seconds: float


@dataclass(frozen=True)
class Missed:
    """A script that the guest did not finish: the operation it was at, where that is known, the reason, and what was
    left of a target that died or hung with it. With `shared` it may be any of those that shared its process: run it
    alone to know."""

    script: Script
    operation: int | None
    reason: str
    shared: bool = False
    postmortem: PostMortem | None = None


class GuestExecutor:
    """Runs scripts on one target. It is a context manager: the agent ends with it.

    A script that kills its agent costs that script only: the agent is started again for the rest.
    """

    def __init__(self, target: Target, guest: Guest, *, patience: float = PATIENCE) -> None:
        """Starts the agent. `patience` is the agent's (`hil.agent.client.Agent`) in nominal seconds, infinite where the
        target is stopped on purpose. Raises BenchError when another kernel runs there than `guest` describes."""
        self.target = target
        scale = speed.scale()
        self._patience = patience * scale
        self._deadline = min(DEADLINE * scale, MAX_DEADLINE)
        self._serial = 0
        self.watch: Watch | None = None
        """Collects, when there is one, what the kernel tells of the programs that scripts load."""
        self.kept: Mapping[str, tuple[int, ...]] = {}
        """The ids of trace events that stay, by function, for scripts that share a process: `slots`."""
        self._groups: Sequence[Sequence[Script]] = ()
        self._done = 0
        self._agent = self._start()
        hello = self._agent.hello
        try:
            guest.check_release(hello.release)
        except BenchError:
            self._agent.close()
            raise
        self.guest = replace(
            guest,
            page_size=hello.page_size,
            cpus=hello.cpus,
            tracing=target.tracing,
            functions=Traceable(target).matching,
        )

    def __enter__(self) -> GuestExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._agent.close()

    @property
    def under_way(self) -> Sequence[Script]:
        """Returns the scripts that may have been sent and have no result yet: the guest is at one of them."""
        sent = self._groups[self._done : self._done + WINDOW_BATCHES]
        return [script for group in sent for script in group]

    @property
    def agent(self) -> Agent:
        """Returns the running agent; another one after a loss."""
        return self._agent

    def facts(self, settings: Collection[str]) -> Facts:
        """Returns what the running kernel reports of itself, with the numbers in `settings`, files below /proc/sys; in
        one exchange.

        Raises MachineLost when it does not answer.
        """
        asked = greeting(self.guest, settings, self._deadline)
        return asked.facts(self._once(asked.batch), self._agent.hello)

    def wake(self) -> None:
        """Sets the guest's clock by this host's and gives its random pool new entropy, as a machine that was saved
        and restored needs; raises MachineLost when it cannot."""
        batch, read = waking(self.guest, self._deadline)
        read(self._once(batch))

    def switch(self, engine: Engine) -> None:
        """Chooses the engine of programs that are loaded from now on; raises EngineUnavailable when another one runs
        them."""
        batch, read = switching(self.guest, engine, self._deadline)
        read(self._once(batch))

    def text(self, path: str) -> str:
        """Returns the beginning of a file as text, as far as `read_text` reads it. Raises BenchError when it cannot be
        opened, MachineLost when the target does not answer."""
        lowering = Lowering(self.guest, "text", BatchBuilder())
        opened, read = read_text(lowering, path)
        results = self._once(lowering.builder.build(self._deadline))
        if error := results.done(opened).error:
            raise BenchError(f"cannot read {path} on the target: {error}", remedy="mount its procfs on /proc")
        return read(results)

    def keep_probes(self, symbols: Collection[str], together: int) -> None:
        """Keeps functions probed until the target ends, and trace events on them for `together` scripts that share a
        process; harmless when repeated. Raises BenchError when the kernel does not take a probe."""
        if not self.kept:
            tracing = self.guest.tracing
            keep_armed(self.target, tracing, symbols)
            self.kept = {symbol: keep_slots(self.target, tracing, symbol, together) for symbol in symbols}

    def settle(self) -> None:
        """Waits for an answer of the target to an empty batch, which one that is about to die does not give.

        Raises MachineLost then.
        """
        self._once(BatchBuilder().build(self._deadline))

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        """Yields one result for each script, as they come; all scripts are one exchange unless one of them is lost.

        `together` scripts share a process, whose start is the greater part of a small script's cost; those after a
        script that did not end are run again, after all others.

        Raises MachineLost when the target died, or executes nothing any more (STRIKES), and there is more to run, be it
        scripts that shared a process with the one that ended it; those that ended it have got their results then.
        """
        for pattern in patterns(scripts):  # now, since scripts that run could see how it is done
            self.guest.functions(pattern)
        todo = list(scripts)
        while todo:
            groups = [todo[start : start + together] for start in range(0, len(todo), together)]
            todo = []
            lowered: deque[tuple[Lowered, ...]] = deque()
            strikes = 0
            self._groups, self._done = groups, 0
            exchange = self._agent.exchange(self._lowered(groups, lowered))
            try:
                for result in exchange:
                    yield from _observe(lowered.popleft(), result, todo)
                    self._done += 1
                    strikes = 0 if result.completed else strikes + (result.end.how in _UNFIT)
                    if strikes == STRIKES:
                        break
            except MachineLost as agents_end:
                _log.warning("the agent is started again, since it ended: %s", agents_end)
                rest = [script for group in groups[self._done + 1 :] for script in group]
                shared = len(groups[self._done]) > 1
                left = self.target.postmortem  # of a hang, which is over when another agent runs
                try:
                    self._agent.close()
                    self._agent = self._start()
                except MachineLost as targets_end:
                    # The agent ended because the target did, and that is the better reason.
                    left = self.target.postmortem
                    yield from (Missed(script, None, str(targets_end), shared, left) for script in groups[self._done])
                    if rest or todo or shared:
                        raise
                    return
                yield from (Missed(script, None, str(agents_end), shared, left) for script in groups[self._done])
                todo += rest
            else:
                if strikes == STRIKES and (todo or self._done < len(groups)):
                    self._agent.close()  # or the exchange would wait for what is still under way
                    with contextlib.suppress(MachineLost):
                        exchange.close()
                    raise MachineLost(f"the guest executes nothing any more; the last batch was {result.end}")

    def _lowered(self, groups: Iterable[Sequence[Script]], sent: deque[tuple[Lowered, ...]]) -> Iterator[Batch]:
        """Yields the batch of each group when it is to be sent, so that the guest runs the first one while others are
        lowered; adds what reads its result to `sent`."""
        for group in groups:
            batch, lowered = self._lower(group)
            sent.append(lowered)
            yield batch

    def _lower(self, group: Sequence[Script]) -> tuple[Batch, tuple[Lowered, ...]]:
        tags = [self._tag(script) for script in group]
        kept = self.kept if len(group) > 1 else {}
        return lower(group, self.guest, tags, deadline=self._deadline, watch=self.watch, kept=kept)

    def _start(self) -> Agent:
        agent = Agent(self.target.open([self.target.agent]), patience=self._patience)
        _log.debug("an agent runs as process %d of Linux %s", agent.hello.pid, agent.hello.release)
        return agent

    def _once(self, batch: Batch) -> BatchResult:
        try:
            (result,) = self._agent.exchange([batch])
        except MachineLost as error:
            _log.warning("the agent is started again, since it ended: %s", error)
            self._agent.close()
            self._agent = self._start()  # whose error is the better one when the target ended
            raise
        if not result.completed:
            # What a script left behind (no free process, for one) is lost with the machine; a new one has none of it.
            raise MachineLost(f"the agent could not do what the bench itself needs: {result.end}")
        return result

    def _tag(self, script: Script) -> str:
        self._serial += 1
        return re.sub(r"\W", "_", f"s{self._serial}_{script.name}", flags=re.ASCII)[:LONGEST_TAG]


def _observe(group: Sequence[Lowered], result: BatchResult, again: list[Script]) -> Iterator[Observed | Missed]:
    """Yields the results of scripts that shared a process; those it did not come to are added to `again`."""
    seconds = result.end.elapsed / len(group)
    for position, lowered in enumerate(group):
        if result.completed or lowered.end <= result.end.step:
            yield Observed(lowered.script, lowered.observations(result), seconds)
            continue
        yield Missed(lowered.script, lowered.operation_at(result.end.step), f"its process was {result.end}")
        again += [behind.script for behind in group[position + 1 :]]
        return
