# SPDX-License-Identifier: MIT
"""The model's executor: a prediction for every operation of a script.

    predictions = ModelExecutor(Environment(era="4.1", arch="x86_64", version_code=262452)).run(script)

Later eras differ by their records in `harness.model.eras`. A fault is planted by handing over an instruction table with
one function replaced:

    ModelExecutor(environment, instructions={**instruction_table(environment.rules), "add64_imm": broken})
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from harness.model.choices import Choices, either, explore
from harness.model.concurrency.merging import merge
from harness.model.concurrency.orders import Turn, orders
from harness.model.concurrency.threads import Threads
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.instructions.table import Table
from harness.model.interface import (
    bpf,
    files,
    mapping,
    perf,
    probes,
    processes,
    raw,
    raw_events,
    scheduling,
    settings,
    sockets,
    trace,
    triggering,
)
from harness.model.interface.doubt import open_up
from harness.model.interface.kernel import Kernel
from harness.model.interpreter import Interpreter, Sink
from harness.model.unchecked import common, possible
from harness.model.unpredictable import Bounded, Deadly, Unpredictable
from harness.model.verifier.rules import Rule
from harness.script import operations as op
from harness.script import processes as child
from harness.script import surroundings as around
from harness.script.malformed import Malformed
from harness.script.operations import Operation, RunThreads, Script
from harness.script.outcome import ANY, Outcome, Prediction, Unpredicted

__all__ = ["Environment", "ModelExecutor"]

_OPERATIONS: dict[type, Callable[[Kernel, Any], Outcome]] = {
    op.CreateMap: bpf.create_map,
    op.LookupElement: bpf.lookup,
    op.UpdateElement: bpf.update,
    op.DeleteElement: bpf.delete,
    op.GetNextKey: bpf.get_next_key,
    op.ReadElements: bpf.read_elements,
    op.LoadProgram: bpf.load_program,
    op.CreateKprobe: probes.create_kprobe,
    op.RemoveKprobe: probes.remove_kprobe,
    op.FindTracepoint: probes.find_tracepoint,
    op.ReadProfile: probes.read_profile,
    op.ReadRuns: bpf.read_runs,
    op.OpenEvent: perf.open_event,
    op.OpenOutputEvent: perf.open_output_event,
    op.MapRing: mapping.map_ring,
    op.ReadRing: mapping.read_ring,
    op.MapRingBuffer: mapping.map_ring_buffer,
    op.ReadRingBuffer: mapping.read_ring_buffer,
    op.MapPages: mapping.map_pages,
    op.ReadCount: perf.read_count,
    op.Attach: perf.attach,
    op.Enable: perf.enable,
    op.Disable: perf.disable,
    op.Unmap: mapping.unmap,
    op.Trigger: triggering.trigger,
    op.OpenFile: files.open_file,
    op.Duplicate: files.duplicate,
    op.Close: files.close,
    op.RunSocketFilter: sockets.run_socket_filter,
    op.RawBpf: raw.raw_bpf,
    op.RawOpenEvent: raw_events.open_event,
    op.Ioctl: raw_events.ioctl,
    op.WriteKprobeEvents: raw_events.write_kprobe_events,
    around.ReadSetting: settings.read,
    around.SetSetting: settings.write,
    around.ReadClock: trace.read_clock,
    around.ClearTrace: trace.clear,
    around.ReadTrace: trace.read,
    child.Fork: processes.fork,
    child.Exit: processes.exit,
    child.SetCredentials: processes.set_credentials,
    child.Execute: processes.execute,
    child.LimitLockedMemory: processes.limit_locked_memory,
    child.SetName: processes.set_name,
    child.GetProcessId: processes.get_process_id,
    op.Pin: scheduling.pin,
}

Carry = Callable[[Operation], Outcome]
Interference = Callable[[int, Operation, Carry], Outcome]
"""Carries out the operation with that index in another way; the function it is given is the usual one."""


class ModelExecutor:
    """Predicts scripts for one lane.

    `instructions` replaces the era's table; `sink` receives every instruction that runs, from the first set of rules
    where there are several; `interfere` carries out the script's own operations, or replaces them: by another
    operation, an Errno, or Unpredictable; `refused` receives the rule by which a program is refused.
    """

    def __init__(
        self,
        environment: Environment,
        instructions: Table | None = None,
        sink: Sink | None = None,
        interfere: Interference | None = None,
        refused: Callable[[Rule], None] = lambda _: None,
    ) -> None:
        self.environment = environment
        self._instructions = instructions
        self._kernels = possible(environment)
        self._interpreters = [Interpreter(kernel.rules, instructions) for kernel in self._kernels]
        self._sink = sink
        self._interfere = interfere
        self._refused = refused

    def telling(self, sink: Sink) -> ModelExecutor:
        """Returns an executor with the same instructions, which are told to `sink` when they run."""
        return ModelExecutor(self.environment, self._instructions, sink)

    def run(self, script: Script, end: int | None = None, seen: Sequence[Outcome] = ()) -> list[Prediction]:
        """Returns one prediction for each operation, in their order, for those before number `end`; every script begins
        with a fresh kernel.

        With threads, the script is run in every order they allow; for a release of which something was never looked up,
        by every set of rules it may have. Where it cannot be known whether a kernel accepts a program, the rest is
        predicted under what it answered according to `seen`, the outcomes of the script's operations; the load itself
        stays unpredicted. Raises Malformed for operations that are no script.
        """
        if not isinstance(script, Script):
            raise Malformed(
                f"the model runs a Script, not {type(script).__name__}",
                remedy='make one of operations: Script("name", "", (operation, ...))',
            )
        runs = [self._run(number, script, end, seen) for number in range(len(self._kernels))]
        return [common(self._kernels, predictions) for predictions in zip(*runs, strict=True)]

    def _run(self, number: int, script: Script, end: int | None, seen: Sequence[Outcome]) -> list[Prediction]:
        operations = script.operations[:end]
        in_every_order = []
        for turns in orders(operations) or [[Turn(*numbered) for numbered in enumerate(operations)]]:
            ways = explore(partial(self._follow, turns, number, script, seen))
            in_every_order.append([either(predictions) for predictions in zip(*ways, strict=True)])
        return [merge(predictions) for predictions in zip(*in_every_order, strict=True)]

    def _follow(
        self, turns: Sequence[Turn], number: int, script: Script, seen: Sequence[Outcome], choices: Choices | None
    ) -> list[Prediction]:
        run = Run(self._kernel(number, script, choices), self._interfere, seen)
        predictions = run.follow(turns)
        if not run.contended:
            return predictions
        again = Choices(choices.made) if choices else None
        lost = Run(self._kernel(number, script, again), self._interfere, seen, loses=True).follow(turns)
        return [merge(both) for both in zip(predictions, lost, strict=True)]

    def _kernel(self, number: int, script: Script, choices: Choices | None) -> Kernel:
        first = not number and not (choices and choices.given)
        kernel = Kernel(self._kernels[number], self._interpreters[number], self._sink if first else None, self._refused)
        kernel.choices = choices
        kernel.surroundings.readings = tuple(
            operation.name for operation in script.operations if isinstance(operation, around.ReadClock)
        )
        return kernel


class Run:
    """One order of a script's operations, on a kernel of its own.

    `contended` is whether CPUs lost some of each other's additions; none of them or, with `loses`, as many as can be.
    """

    def __init__(
        self,
        kernel: Kernel,
        interfere: Interference | None = None,
        seen: Sequence[Outcome] = (),
        *,
        loses: bool = False,
    ) -> None:
        self.contended = False
        self._kernel = kernel
        self._interfere = interfere
        self._seen = seen
        self._loses = loses
        self._lost = ""
        """Why nothing is certain any more; empty while something is."""

    def follow(self, turns: Sequence[Turn]) -> list[Prediction]:
        """Returns one prediction for each operation of the script; those of threads are inside the prediction of their
        `RunThreads`."""
        predictions: list[Prediction] = []
        threads: Threads | None = None
        for turn in turns:
            self._kernel.seen = self._outcome(turn)
            if turn.thread:
                threads = threads or Threads(self._kernel)
                threads.enter(turn)
                threads.left(turn, self._predict(turn.operation, self._carry_out))
            elif isinstance(turn.operation, RunThreads):
                predictions.append(self._join(turn.operation, threads))
                threads = None
            else:
                predictions.append(self._predict(turn.operation, self._carried(turn.index)))
        return predictions

    def _outcome(self, turn: Turn) -> Outcome | None:
        """Returns the guest's outcome of the operation; None where nobody knows it."""
        outcome = self._seen[turn.index] if turn.index < len(self._seen) else None
        if outcome is None or not turn.thread:
            return outcome
        number, position = turn.place
        said = outcome.threads[number][position] if isinstance(outcome.threads, tuple) else None
        return said if isinstance(said, Outcome) else None

    def _join(self, operation: RunThreads, threads: Threads | None) -> Prediction:
        if self._lost:
            return Unpredicted(self._lost)
        if threads is None:
            return self._open(operation, Unpredictable("in how many orders concurrent operations may be carried out"))
        if any(thread.cpu >= self._kernel.environment.cpus for thread in operation.threads):
            return self._open(operation, Unpredictable("whether a thread runs where there is no such CPU"))
        why, contended = threads.join()
        self.contended = self.contended or bool(contended)
        for number in contended:
            number.region.store(number.offset, number.size, number.least if self._loses else number.most)
        if why:
            return self._open(operation, Unpredictable(why))
        return Outcome(value=0, threads=threads.predictions(operation))

    def _open(self, operation: Operation, unpredictable: Unpredictable) -> Unpredicted:
        """Marks everything that the operation may have changed as unknown."""
        if open_up(self._kernel, operation, unpredictable):
            self._lost = unpredictable.why
        return Unpredicted(unpredictable.why, deadly=isinstance(unpredictable, Deadly))

    def _carried(self, index: int) -> Carry:
        """Returns how the script's own operation with that index is carried out."""
        interfere = self._interfere
        if interfere is None:
            return self._carry_out
        return lambda operation: interfere(index, operation, self._carry_out)

    def _carry_out(self, operation: Operation) -> Outcome:
        return _OPERATIONS[type(operation)](self._kernel, operation)

    def _predict(self, operation: Operation, carry: Carry) -> Prediction:
        if self._lost:
            return Unpredicted(self._lost)
        try:
            outcome = carry(operation)
        except Errno as error:
            outcome = Outcome(errno=error.name)
        except Bounded as bounded:
            return bounded.prediction
        except Unpredictable as unpredictable:
            return self._open(operation, unpredictable)
        if outcome.errno and isinstance(name := getattr(operation, "name", None), str):
            self._kernel.names.forget(name)
        if isinstance(operation, op.LoadProgram) and operation.log_level and outcome.log is None:
            return replace(outcome, log=ANY)  # a verifier's that is not specified, or what was in the buffer before
        return outcome
