# SPDX-License-Identifier: MIT
"""The speed of the model: its interpreter and its verifier on generated programs, and all of it on the core scripts.

The baseline is the rate at which this host calls an empty Python function, so that the ratio says how many such calls
an instruction, or a program, costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.benchmarks.ratio import Ratio, seconds
from harness.core_scripts import core_scripts
from harness.fuzz.generate import cases
from harness.model.choices import Choices
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.interface import bpf, sockets
from harness.model.interface.kernel import Kernel
from harness.model.interpreter import Code, Ended, Interpreter, Sink
from harness.model.state import State
from harness.model.verifier import SOCKET_FILTER, LogRequest, MapShape, VerifierContext, verify
from harness.script.operations import CreateMap, LoadProgram, RunSocketFilter, Script, UpdateElement
from harness.script.outcome import Outcome

SEED, COUNT = 1, 100
WHERE = Environment(era="4.1", arch="arm64", version_code=4 << 16 | 1 << 8 | 52)
"""An era without probes on this architecture, so that every program is a socket filter; its verifier is specified, not
inferred."""
LATER = Environment(era="6.1", arch="x86_64", version_code=6 << 16 | 1 << 8 | 192)
"""A release whose verifier is inferred, which takes longer."""
CALLS = 200_000


def model_ratios(rounds: int, notify: Callable[[str], None]) -> tuple[Ratio, ...]:
    """Measures interpreter, verifier and baseline in turn."""
    corpus = [script for script in cases(SEED, COUNT, WHERE.rules) if _runs(script)]
    scripts = core_scripts(LATER.arch, LATER.era)
    interpreted, verified, predicted, calls = [], [], [], []
    _interpreted_per_second(corpus)
    for number in range(1, rounds + 1):
        notify(f"the model on {len(corpus)} generated programs, round {number} of {rounds}")
        calls.append(CALLS / seconds(_call_nothing))
        interpreted.append(_interpreted_per_second(corpus))
        verified.append(_verified_per_second(corpus))
        predicted.append(len(scripts) / seconds(lambda: [ModelExecutor(LATER).run(script) for script in scripts]))
    thousands = tuple(rate / 1000 for rate in calls)
    return (
        Ratio("model: instructions run / empty calls", "1/s", tuple(interpreted), tuple(calls), ""),
        Ratio("model: programs verified / thousands of empty calls", "1/s", tuple(verified), thousands, ""),
        Ratio("model: core scripts predicted / thousands of empty calls", "1/s", tuple(predicted), thousands, ""),
    )


class _Timed(Interpreter):
    """Counts instructions when asked to, and always the seconds of its runs."""

    took = 0.0

    def run(self, code: Code, state: State, sink: Sink | None = None) -> Ended:
        ended: list[Ended] = []
        self.took += seconds(lambda: ended.append(Interpreter.run(self, code, state, sink)))
        return ended[0]


def _interpreted_per_second(corpus: Sequence[Script]) -> float:
    count = 0

    def one_more(_: object) -> None:
        nonlocal count
        count += 1

    interpreter = _Timed(WHERE.rules)
    for script in corpus:
        _carry_out(script, Interpreter(WHERE.rules), one_more)
        _carry_out(script, interpreter, None)
    return count / interpreter.took


def _carry_out(script: Script, interpreter: Interpreter, sink: Sink | None) -> None:
    kernel = Kernel(WHERE, interpreter, sink)
    kernel.choices = Choices()
    for operation in script.operations:
        match operation:
            case CreateMap():
                bpf.create_map(kernel, operation)
            case UpdateElement():
                bpf.update(kernel, operation)
            case LoadProgram():
                bpf.load_program(kernel, operation)
            case RunSocketFilter():
                sockets.run_socket_filter(kernel, operation)


def _verified_per_second(corpus: Sequence[Script]) -> float:
    shape = MapShape(2, 4, 104)
    context = VerifierContext(SOCKET_FILTER, True, lambda _: shape, LogRequest())
    programs = [
        one.program.instructions for script in corpus for one in script.operations if isinstance(one, LoadProgram)
    ]
    return len(programs) / seconds(lambda: [verify(program, context) for program in programs])


def _runs(script: Script) -> bool:
    """Returns whether the model runs the program to its end, and to the same one whichever way unknown numbers go."""
    runs = any(isinstance(operation, RunSocketFilter) for operation in script.operations)
    return runs and all(isinstance(prediction, Outcome) for prediction in ModelExecutor(WHERE).run(script))


def _nothing() -> None:
    pass


def _call_nothing() -> None:
    for _ in range(CALLS):
        _nothing()
