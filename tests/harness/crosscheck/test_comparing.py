# SPDX-License-Identifier: MIT
"""Which lanes are held against each other, who stands alone, and what explains a difference."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.core_scripts.parts import PRCTL, array, count_hits, probed
from harness.crosscheck.comparing import Heard, compared
from harness.crosscheck.evidence import Evidence, evidence
from harness.crosscheck.explained import RULES
from harness.crosscheck.grounds import LOADS, OTHERS, grounds
from harness.crosscheck.witness import Differing, Witness
from harness.isa.assemble import DW, R0, R1, R10, call, exit_, ld_map_fd, mov64_imm, program, st
from harness.isa.instruction import Instruction
from harness.lane import Engine, Lane
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.script.expectation import SUCCESS
from harness.script.operations import (
    Close,
    CreateKprobe,
    CreateMap,
    FindTracepoint,
    GetProcessId,
    LoadProgram,
    LookupElement,
    Operation,
    Program,
    ProgramType,
    Ref,
    Script,
    Trigger,
    WriteKprobeEvents,
)
from harness.script.outcome import DESCRIPTOR, Outcome, Prediction, Unpredicted
from harness.script.reason import Gap, Reason, gap_of
from harness.testing import u64

NO_RULE = Reason("a verdict", Gap.VERDICT)
ANOTHER = Reason("a type of maps", Gap.MAPS)
BY_NATURE = "a comparison depends on the time since boot in nanoseconds"
TRIVIAL = program(mov64_imm(R0, 0), exit_())
HELPERS = frozenset({1, 2, 3, 35})


def witness(lane: str, version: int = 0x601C0, helpers: frozenset[int] = HELPERS) -> Witness:
    kernel, arch, engine = lane.split("/")
    return Witness(Lane(kernel, arch, Engine(engine)), version, "Debian", helpers)


X_INTERP, X_JIT = witness("debian-12/x86_64/interp"), witness("debian-12/x86_64/jit")
A_INTERP, A_JIT = witness("debian-12/arm64/interp"), witness("debian-12/arm64/jit")
NEXT = witness("debian-13/x86_64/interp", 0x60C76)
FOUR = (X_INTERP, X_JIT, A_INTERP, A_JIT)


def load(code: Program = TRIVIAL, kind: ProgramType = ProgramType.SOCKET_FILTER) -> LoadProgram:
    return LoadProgram("program", kind, code)


def heard(
    said: Sequence[tuple[Witness, Outcome]], operation: Operation | None = None, reason: str = NO_RULE
) -> dict[str, Heard]:
    """What comes of lanes that said this of one operation, of which the model says nothing for this reason."""
    operation = operation or load()
    script = Script("s", "", (array("map"), operation))
    made = Outcome(value=DESCRIPTOR)
    found = [evidence(one, script, (made, Unpredicted(reason)), (Outcome(value=5), seen)) for one, seen in said]
    return {lane: one for (lane, _), one in compared(one for one in found if one).items()}


def accused(found: dict[str, Heard]) -> dict[str, str]:
    """The lanes that are not with the majority, each with who is told to stand alone."""
    return {lane: one.disagreement.alone for lane, one in found.items() if one.disagreement}


NO, YES = Outcome(errno="EACCES"), Outcome(value=6)


def test_lanes_that_agree_have_judged_each_other() -> None:
    found = heard([(one, NO) for one in FOUR])
    assert not accused(found)
    assert {lane: len(one.against[1]) for lane, one in found.items()} == {str(one.lane): 3 for one in FOUR}


@pytest.mark.parametrize("odd", FOUR, ids=str)
def test_the_lane_that_stands_alone_is_named_and_no_other(odd: Witness) -> None:
    found = heard([(one, YES if one is odd else NO) for one in FOUR])
    assert accused(found) == {str(odd.lane): str(odd.lane)}
    (disagreement,) = (one.disagreement for one in found.values() if one.disagreement)
    assert f"{odd.lane}: success" in disagreement.lines


def test_of_two_lanes_nobody_can_tell_which_is_wrong() -> None:
    found = heard([(X_INTERP, NO), (X_JIT, YES)])
    assert accused(found) == {"debian-12/x86_64/interp": "", "debian-12/x86_64/jit": ""}
    disagreement = found["debian-12/x86_64/jit"].disagreement
    assert disagreement and disagreement.lines == ("debian-12/x86_64/interp: EACCES", "debian-12/x86_64/jit: success")


def test_two_against_two_is_no_majority() -> None:
    found = heard([(X_INTERP, NO), (X_JIT, YES), (A_INTERP, NO), (A_JIT, YES)])
    assert accused(found) == {str(one.lane): "" for one in FOUR}


def test_a_release_is_not_bound_by_the_verifier_of_another() -> None:
    assert not heard([(X_INTERP, NO), (NEXT, YES)])


def test_behind_programs_that_both_load_a_release_is_held_against_the_next() -> None:
    reason = Reason("an instruction", Gap.INSTRUCTIONS)
    lookup = LookupElement(Ref("map"), bytes(4), 8)
    words = [(X_INTERP, Outcome(value=0, data=u64(34))), (NEXT, Outcome(value=0, data=u64(33)))]
    assert accused(heard(words, lookup, reason))
    assert not heard(words, lookup, "a helper")


def test_architectures_are_compared_of_one_release_only() -> None:
    assert accused(heard([(X_INTERP, NO), (A_INTERP, YES)]))
    assert not heard([(X_INTERP, NO), (replace(A_INTERP, version_code=0x601C1), YES)])
    assert not heard([(X_INTERP, NO), (replace(A_INTERP, distribution="another"), YES)])


def test_other_texts_of_a_script_are_other_scripts() -> None:
    found = [
        evidence(one, Script("s", "", (load(code),)), (Unpredicted(NO_RULE),), (seen,))
        for one, code, seen in ((X_INTERP, TRIVIAL, NO), (X_JIT, program(exit_()), YES))
    ]
    assert not compared(one for one in found if one)


def test_what_differs_by_nature_is_not_held_against_anybody() -> None:
    lookup = LookupElement(Ref("map"), bytes(4), 8)
    words = [(X_INTERP, Outcome(value=0, data=u64(1))), (X_JIT, Outcome(value=0, data=u64(2)))]
    assert not heard(words, lookup, BY_NATURE)
    assert accused(heard(words, lookup, ANOTHER))


@pytest.mark.parametrize(
    ("operation", "reason", "expected"),
    [
        (load(), NO_RULE, Differing.ENGINE | Differing.ARCH),
        (load(), Reason("", Gap.UNCHECKED), Differing.ENGINE | Differing.ARCH),
        (load(), Reason("", Gap.MAPS), Differing.NOTHING),
        (load(), Reason("", None), Differing.NOTHING),
        (FindTracepoint("t", "x/y"), Reason("", Gap.SYMBOLS), Differing.ENGINE),
        (Close(1), Reason("", Gap.INPUT), Differing.ENGINE),
        (Close(1), Reason("", Gap.NUMBER), Differing.ENGINE),
        (Close(1), Reason("", Gap.ORDER), Differing.ENGINE | Differing.ARCH),
        (Close(1), Reason("", Gap.UNCHECKED), Differing.ENGINE | Differing.ARCH),
        (Close(1), BY_NATURE, Differing.NOTHING),
        (Close(1), NO_RULE, Differing.NOTHING),
    ],
)
def test_the_reason_says_in_what_lanes_may_differ(operation: Operation, reason: str, expected: Differing) -> None:
    assert across(operation, reason) == expected


@pytest.mark.parametrize("gap", Gap)
@pytest.mark.parametrize("operation", [load(), Close(1)])
def test_the_wording_of_a_reason_changes_nothing(operation: Operation, gap: Gap) -> None:
    usual = "the checks taken over from 4.1 refuse it"
    assert grounds(operation, usual) is None
    assert grounds(operation, Reason(usual, gap)) == grounds(operation, Reason("in other words", gap))


@pytest.mark.parametrize("gap", Gap)
def test_every_gap_is_grounds_for_something(gap: Gap) -> None:
    assert any(grounds(operation, Reason("", gap)) for operation in (load(), Close(1)))


def test_a_reason_keeps_its_gap_in_copies() -> None:
    reason = Unpredicted(Reason("a", Gap.MAPS))
    for again in (copy.deepcopy(reason), pickle.loads(pickle.dumps(reason))):
        assert again == reason
        assert gap_of(again.reason) is Gap.MAPS


def across(operation: Operation, reason: str) -> Differing:
    found = grounds(operation, reason)
    return found.across if found else Differing.NOTHING


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (load(kind=ProgramType.XDP), Differing.ENGINE | Differing.ARCH),
        (load(program(ld_map_fd(R1, 30), exit_())), Differing.ENGINE),
        (CreateMap("m", 11, 8, 8, 1), Differing.ENGINE | Differing.ARCH),
        (FindTracepoint("t", "no/such"), Differing.ENGINE),
        (CreateKprobe("k", "vfs_read"), Differing.ENGINE),
        (WriteKprobeEvents("p nonsense"), Differing.ENGINE),
        (Trigger(PRCTL, (1,)), Differing.ENGINE),
        (GetProcessId("self"), Differing.NOTHING),
    ],
)
def test_the_model_gives_the_reasons_that_there_are_grounds_for(operation: Operation, expected: Differing) -> None:
    (said,) = ModelExecutor(Environment("6.1", "x86_64", 0x601C0)).run(Script("s", "", (operation,)))
    reason = said.reason if isinstance(said, Unpredicted) else ""
    assert (across(operation, reason) if reason else Differing.NOTHING) == expected, said


def test_all_grounds_and_rules_say_why() -> None:
    assert all(row.because for row in (*LOADS.values(), *OTHERS.values()))
    assert all(rule.because and rule.link.startswith("https://") for rule in RULES)


def function_call(kind: int, deepest: int = -8) -> Program:
    body = (st(DW, R10, deepest, 0), mov64_imm(R0, 0), exit_())
    return program(Instruction(0x85, 0, kind, 0, 1), exit_(), *body)


@pytest.mark.parametrize(
    ("operation", "one", "other"),
    [
        (load(program(call(35), exit_())), replace(X_INTERP, helpers=HELPERS - {35}), X_JIT),
        (load(function_call(1, -500)), X_INTERP, X_JIT),
        (load(function_call(1, -500)), X_JIT, A_JIT),
        (
            load(program(call(12), *function_call(1).instructions)),
            X_INTERP,
            replace(X_JIT, tail_calls_of_functions=True),
        ),
        (load(program(call(12), *function_call(1).instructions)), replace(X_JIT, tail_calls_of_functions=True), A_JIT),
        (load(function_call(2)), X_INTERP, X_JIT),
        (load(program(Instruction(0x18, 2, 4, 0, 1), Instruction(0), exit_())), X_INTERP, X_JIT),
        (load(), X_JIT, witness("debian-12/riscv64/jit")),
        (load(kind=ProgramType.KPROBE), X_JIT, A_JIT),
    ],
)
def test_a_difference_that_a_rule_explains_is_none(operation: LoadProgram, one: Witness, other: Witness) -> None:
    assert not heard([(one, Outcome(errno="EINVAL")), (other, YES)], operation)
    near = replace(X_JIT, helpers=one.helpers) if one.lane.engine == Engine.INTERP else A_JIT
    assert accused(heard([(one, NO), (near, YES)], load()))


@pytest.mark.parametrize(
    ("errno", "lanes"),
    [("EACCES", ["debian-12/x86_64/interp", "debian-12/x86_64/jit"]), ("EINVAL", [])],
)
def test_what_the_verifier_refuses_is_refused_whatever_the_engine_can_call(errno: str, lanes: list[str]) -> None:
    """An engine that cannot make a call is no other reason than EINVAL."""
    refused = Outcome(errno=errno)
    pair = [(replace(X_INTERP, helpers=HELPERS - {35}), refused), (X_JIT, refused)]
    assert [*heard(pair, load(program(call(35), exit_())))] == lanes
    assert [*accused(heard([pair[0], (X_JIT, YES)], load(program(call(35), exit_()))))] == lanes
    assert not heard(pair, load(function_call(1, -500))), "the stack is EACCES, too"


@pytest.mark.parametrize(
    ("code", "one", "other"),
    [
        (function_call(1), X_INTERP, X_JIT),
        (function_call(1, -500), X_INTERP, A_INTERP),
        (function_call(2), X_INTERP, A_INTERP),
        (program(call(12), *function_call(1).instructions), X_INTERP, A_INTERP),
        (program(call(12), *TRIVIAL.instructions), X_INTERP, replace(X_JIT, tail_calls_of_functions=True)),
    ],
)
def test_what_functions_explain_is_no_more_than_they_do(code: Program, one: Witness, other: Witness) -> None:
    """Small frames fit everywhere, interpreters are alike, and tail calls alone are taken everywhere."""
    assert accused(heard([(one, NO), (other, YES)], load(code)))


def test_helpers_of_a_compiler_alone_are_what_the_records_say() -> None:
    def helpers(engine: str) -> frozenset[int]:
        environment = Environment("7.2", "arm64", 0x70200, engine)
        return Witness.of(Lane("debian-sid", "arm64", Engine(engine)), environment).helpers

    assert 35 in helpers("jit") - helpers("interp")


def test_lanes_are_at_the_same_place_only_when_the_same_went_before() -> None:
    script = Script("s", "", (array("map"), CreateMap("odd", 22, 0, 8, 1), LookupElement(Ref("odd"), b"", 8)))
    free = held = Unpredicted(ANOTHER)

    def found(first: Outcome, second: Outcome, said: Prediction = free) -> dict[tuple[str, str], Heard]:
        made = [
            evidence(one, script, (Outcome(value=DESCRIPTOR), foretold, held), (Outcome(value=5), seen, value))
            for one, foretold, seen, value in (
                (X_INTERP, free, YES, Outcome(value=0, data=u64(1))),
                (X_JIT, said, first, second),
            )
        ]
        return compared(one for one in made if one)

    index = [one.disagreement and one.disagreement.index for one in found(YES, Outcome(value=0, data=u64(2))).values()]
    assert index == [2, 2]
    refused = found(NO, Outcome(value=0, data=u64(2)))
    assert [one.disagreement and one.disagreement.index for one in refused.values()] == [1, 1]
    assert all(set(one.against) == {1} for one in refused.values())
    assert not found(YES, Outcome(value=0, data=u64(2)), Outcome(value=DESCRIPTOR))


def test_what_a_program_may_have_put_there_is_no_lanes_word() -> None:
    """Why the model does not predict it says nothing of the times and addresses that a program may have left."""
    used = load(Program((Instruction(0x18, 1, 1), Instruction(0), *TRIVIAL.instructions), ((0, Ref("odd")),)))
    script = Script("s", "", (CreateMap("odd", 22, 0, 8, 1), used, LookupElement(Ref("odd"), b"", 8)))
    words = [Outcome(value=5), Outcome(value=6), Outcome(value=0, data=u64(1))]
    found = evidence(X_JIT, script, [Unpredicted(ANOTHER)] * 3, words)
    assert found and set(found.testimonies) == {0, 2}
    clock = replace(used, program=Program((Instruction(0x85, imm=5), *used.program.instructions), ((1, Ref("odd")),)))
    script = replace(script, operations=(script.operations[0], clock, script.operations[2]))
    found = evidence(X_JIT, script, [Unpredicted(ANOTHER)] * 3, words)
    assert found and set(found.testimonies) == {0}


@pytest.mark.parametrize(("symbol", "kept"), [(PRCTL, True), ("vfs_read", False)])
def test_how_often_others_come_by_is_no_lanes_word(symbol: str, kept: bool) -> None:
    count = program(*count_hits("map"), exit_())
    script = Script("s", "", (array("map"), *probed(count, symbol=symbol), LookupElement(Ref("map"), bytes(4), 8)))
    made: list[Prediction] = [Outcome(value=DESCRIPTOR)] * 5
    reason = Reason("an instruction", Gap.INSTRUCTIONS)
    found = evidence(
        X_JIT, script, [*made, Unpredicted(reason)], [Outcome(value=5)] * 5 + [Outcome(value=0, data=u64(1))]
    )
    assert (found is not None and found.open) is kept


@pytest.mark.parametrize(("operation", "kept"), [(Close(3), True), (LookupElement(Ref("map"), bytes(4), 8), False)])
def test_programs_decide_whether_keys_are_found_but_not_what_else_succeeds(operation: Operation, kept: bool) -> None:
    script = Script("s", "", (array("map"), load(count_and_tell()), operation))
    made = Outcome(value=DESCRIPTOR)
    said: list[Prediction] = [made, made, Unpredicted(Reason("an ioctl", Gap.INPUT))]
    found = evidence(X_JIT, script, said, [Outcome(value=5)] * 3)
    assert (found is not None and found.open) is kept


def count_and_tell() -> Program:
    """Adds the time to a map's value."""
    return program(*count_hits("map"), call(5), exit_())


def test_grounds_may_be_for_success_alone() -> None:
    command = WriteKprobeEvents("p nonsense")
    reason = Reason("commands", Gap.INPUT)
    assert not accused(heard([(X_INTERP, Outcome(value=3)), (X_JIT, Outcome(value=4))], command, reason))
    assert accused(heard([(X_INTERP, Outcome(value=3)), (X_JIT, Outcome(errno="EINVAL"))], command, reason))


def test_a_lane_is_held_to_what_it_says_in_every_round() -> None:
    script = Script("s", "", (load(),))

    def said(lane: Witness, seen: Outcome) -> Evidence:
        found = evidence(lane, script, (Unpredicted(NO_RULE),), (seen,))
        assert found
        return found

    assert not compared([said(X_INTERP, YES), said(X_INTERP, NO), said(X_JIT, NO)])
    heard = compared([said(X_INTERP, YES), said(X_INTERP, YES), said(X_JIT, NO)])
    assert all(one.disagreement for one in heard.values()) and len(heard) == 2


def test_only_what_nobody_has_a_word_for_is_kept() -> None:
    script = Script("s", "", (load(), replace(load(), name="other")), (SUCCESS, None))
    free, said = Unpredicted(NO_RULE), Outcome(value=DESCRIPTOR)
    kept = evidence(X_JIT, script, (free, free), (YES, YES))
    assert kept and kept.open and [one.foretold for _, one in sorted(kept.testimonies.items())] == [True, False]
    foretold = evidence(X_JIT, script, (free, said), (YES, YES))
    assert foretold and not foretold.open
    assert evidence(X_JIT, script, (free, said), (NO, NO)) is None
    deadly = evidence(X_JIT, script, (said, Unpredicted(NO_RULE, deadly=True)), (YES, YES))
    assert deadly and set(deadly.testimonies) == {0}


def foreseen(*said: tuple[Witness, Outcome, Prediction]) -> dict[str, Heard]:
    """What comes of lanes that said this of a load of which the model says something on some of them."""
    script = Script("s", "", (load(),))
    found = [evidence(one, script, (predicted,), (seen,)) for one, seen, predicted in said]
    return {lane: one for (lane, _), one in compared(one for one in found if one).items()}


def test_a_load_is_held_against_a_lane_that_it_is_predicted_for() -> None:
    """The lane of which nothing is known has to do the same; the other one is the model's to judge."""
    unknown, accepted = Unpredicted(NO_RULE), Outcome(value=DESCRIPTOR)
    agreed = foreseen((X_INTERP, YES, unknown), (X_JIT, YES, accepted))
    assert {lane: dict(one.against) for lane, one in agreed.items()} == {str(X_INTERP.lane): {0: (str(X_JIT.lane),)}}
    assert not accused(agreed)
    contrary = foreseen((X_INTERP, NO, unknown), (X_JIT, YES, accepted))
    (heard,) = contrary.values()
    assert heard.disagreement and heard.disagreement.foretold == (str(X_JIT.lane),)
    assert not foreseen((X_INTERP, NO, unknown), (NEXT, YES, accepted))
    assert not foreseen((X_INTERP, NO, unknown), (X_JIT, YES, Outcome(errno="EACCES")))
    assert not foreseen((X_INTERP, YES, accepted), (X_JIT, YES, accepted))
