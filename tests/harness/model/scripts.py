# SPDX-License-Identifier: MIT
"""Scripts in a few words, and what the model says of them."""

from __future__ import annotations

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jne_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
    xadd,
)
from harness.isa.opcodes import Helper
from harness.model.eras import ERAS
from harness.model.executor import ModelExecutor
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    OpenEvent,
    Operation,
    ProgramType,
    Ref,
    Script,
    Trigger,
)
from harness.script.outcome import ANY, Bytes, Either, OneOf, Outcome, Prediction, Unknown, Unpredicted
from harness.script.triggers import UNKNOWN_PRCTL
from tests.harness.model.running import environment

ALL = list(ERAS)
PRCTL = "cap_task_prctl"
MAP = CreateMap("map", MapType.ARRAY, 4, 8, 4)
PROBE = CreateKprobe("probe", PRCTL)
EVENT = OpenEvent("event", Ref("probe"))
ATTACH = Attach(Ref("event"), Ref("program"))
FIRE = Trigger(PRCTL, (UNKNOWN_PRCTL, 1, 2, 3, 4))


def predict(*operations: Operation, name: str = "4.1", arch: str = "x86_64", **facts: object) -> list[Prediction]:
    return ModelExecutor(environment(name, arch, **facts)).run(Script("test", "a test", operations))


def said(prediction: Prediction) -> object:
    """An errno's name, a value, or "?" for what is not predicted, or may be anything."""
    if isinstance(prediction, Unpredicted | Either) or prediction.data is ANY:
        return "?"
    if prediction.errno is not None:
        return prediction.errno
    return "ok" if isinstance(prediction.value, Unknown) else prediction.value


def results(*operations: Operation, name: str = "4.1", arch: str = "x86_64", **facts: object) -> list[object]:
    return [said(prediction) for prediction in predict(*operations, name=name, arch=arch, **facts)]


def last(*operations: Operation, name: str = "4.1", arch: str = "x86_64", **facts: object) -> object:
    return results(*operations, name=name, arch=arch, **facts)[-1]


def data(prediction: Prediction) -> bytes | Bytes | OneOf | None:
    assert isinstance(prediction, Outcome), prediction
    return prediction.data


def load(name: str, *code: Piece, type: ProgramType = ProgramType.KPROBE, license: str = "GPL") -> LoadProgram:
    return LoadProgram(name, type, program(*code), license)


def returning(name: str, verdict: int) -> LoadProgram:
    return load(name, mov64_imm(R0, verdict), exit_())


def element(index: int, map: str = "map") -> tuple[Piece, ...]:
    """R0 points to an element, or the program ends with 0."""
    return (
        st(W, R10, -4, index),
        mov64_reg(R2, R10),
        add64_imm(R2, -4),
        ld_map(R1, map),
        call(Helper.MAP_LOOKUP_ELEM),
        jne_imm(R0, 0, 1),
        exit_(),
    )


def counting(name: str, verdict: int = 1, index: int = 0) -> LoadProgram:
    """Adds 1 to an element of "map"."""
    return load(name, *element(index), mov64_imm(R1, 1), xadd(DW, R0, 0, R1), mov64_imm(R0, verdict), exit_())


def storing(name: str, *, offset: int, size: object = DW) -> LoadProgram:
    """Stores what lies at `offset` of the context into element 0 of "map"."""
    return load(
        name,
        mov64_reg(R6, R1),
        *element(0),
        ldx(size, R3, R6, offset),  # type: ignore[arg-type]
        stx(DW, R0, 0, R3),
        mov64_imm(R0, 0),
        exit_(),
    )


def read(index: int = 0, map: str = "map") -> LookupElement:
    return LookupElement(Ref(map), index.to_bytes(4, "little"), 8)


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")
