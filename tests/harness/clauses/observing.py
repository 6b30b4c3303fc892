# SPDX-License-Identifier: MIT
"""What a kernel that does as the model says would be observed to do: predictions with their unknown parts filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from harness.model.printk import Printed
from harness.model.verifier.log import Log
from harness.script.operations import Script
from harness.script.outcome import (
    ANY,
    KERNEL_SPACE,
    Addresses,
    Bytes,
    Containing,
    Either,
    OneOf,
    Outcome,
    PerCpu,
    Prediction,
    Record,
    Unknown,
    Unpredicted,
    Value,
)


def observe(script: Script, predictions: list[Prediction]) -> list[Outcome]:
    """One observation an operation. Where the model says nothing, be it of data alone, the kernel does what the clause
    says."""
    returned: dict[str, int] = {}
    observations = []
    for operation, prediction, expectation in zip(script.operations, predictions, script.expected, strict=True):
        observation = _observed(prediction, expectation, returned)
        name = getattr(operation, "name", None)
        if name is not None and isinstance(observation.value, int):
            returned[name] = observation.value
        observations.append(observation)
    return observations


def _observed(prediction: Prediction, expectation: Outcome | None, returned: Mapping[str, int]) -> Outcome:
    match prediction:
        case Unpredicted():
            return _as_expected(expectation)
        case Either(outcomes):
            return _settled(outcomes[0], expectation, returned)
        case _:
            return _settled(prediction, expectation, returned)


def _as_expected(expectation: Outcome | None) -> Outcome:
    if expectation is None:
        return Outcome(value=0)
    log = _part(expectation) or None
    if expectation.errno:
        return Outcome(errno=expectation.errno, log=log)
    data = expectation.data
    if isinstance(data, OneOf):
        data = data.choices[0]
    elif isinstance(data, PerCpu):
        data = data.on(1)
    value = 3 if expectation.value is ANY else expectation.value
    return Outcome(value=value, data=None if data is ANY else data, log=log)


def _part(expectation: Outcome | None) -> str:
    """What is expected to be in the log."""
    return expectation.log.part if expectation and isinstance(expectation.log, Containing) else ""


def _settled(prediction: Outcome, expectation: Outcome | None, returned: Mapping[str, int]) -> Outcome:
    records = prediction.records
    return Outcome(
        value=_value(prediction.value, returned),
        errno=prediction.errno,
        data=_as_expected(expectation).data if prediction.data is ANY else _data(prediction.data, returned),
        log=_text(prediction.log, _part(expectation)),
        records=None if records is None else tuple(_record(record, returned) for record in records),
        threads=None
        if prediction.threads is None
        else tuple(tuple(_observed(inner, None, returned) for inner in thread) for thread in prediction.threads),
    )


def _value(value: Value | None, returned: Mapping[str, int]) -> int | None:
    if not isinstance(value, Unknown):
        return value
    if value.same_as is not None:
        return returned[value.same_as] * value.times
    if value.not_before in returned:
        return returned[value.not_before]
    return value.least if value.least is not None else 0


def _data(data: bytes | Bytes | OneOf | Addresses | None, returned: Mapping[str, int]) -> bytes | None:
    if isinstance(data, OneOf):
        return data.choices[0]
    if isinstance(data, Addresses):
        return KERNEL_SPACE.to_bytes(8, "little") + bytes(data.size - 8)
    if isinstance(data, Bytes):
        content = bytearray(data.content)
        for piece in data.unknown:
            number = _value(piece.value, returned) or 0
            content[piece.offset : piece.offset + piece.size] = number.to_bytes(piece.size, "little")
        return bytes(content)
    return data


def _record(record: Record, returned: Mapping[str, int]) -> Record:
    def settled(leaf: Value | bytes | Bytes | None) -> int | bytes | None:
        return _data(leaf, returned) if isinstance(leaf, bytes | Bytes) else _value(leaf, returned)

    return replace(record, **{field.name: settled(getattr(record, field.name)) for field in fields(record)})


def _text(log: object, expected: str) -> str | None:
    if isinstance(log, Log):
        return "".join(piece if isinstance(piece, str) else "0" * piece.least for piece in log.pieces)[: log.limit]
    if isinstance(log, Printed):
        return log.example()
    return log if isinstance(log, str | None) else expected
