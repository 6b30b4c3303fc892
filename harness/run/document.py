# SPDX-License-Identifier: MIT
"""`results.json` as data, and the report back from it.

Reading goes by the fields the record has today: unknown ones are ignored and missing ones take their defaults, so that
a file outlives the release that wrote it. What cannot be a report is a user's error and reported as one: its readers
lean on every lane being named in full, and every result being of a lane and every lane of a machine that the run has.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from harness.lane import Engine
from harness.run.results import FORMAT, MachineReport, RunReport
from hil.errors import UserError


class _Misfit(Exception):
    """A value that is not of its field's type; says where."""


def document(report: RunReport) -> dict[str, Any]:
    """Returns what `RunReport.write` writes, as plain data."""
    plain: dict[str, Any] = json.loads(json.dumps(report.record(), default=str))
    return plain


def read(path: Path) -> RunReport:
    """Returns the report in a `results.json`; raises UserError when there is none or it is something else."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}", remedy="name a results.json, a run folder or a run") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> RunReport:
    """Returns the report written in `text`, which messages call `name`."""
    remedy = "name the results.json of a run of hil"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name} is not JSON: {error}", remedy=remedy) from error
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise UserError(f"{name} is not the record of a run", remedy=remedy)
    if data["format"] > FORMAT:
        raise UserError(f"{name} has format {data['format']}, this hil reads up to {FORMAT}", remedy="use a newer hil")
    try:
        report = _structured(RunReport, data, "")
        _check(report)
    except _Misfit as error:
        raise UserError(f"{name} is not the record of a run: {error}", remedy=remedy) from error
    assert isinstance(report, RunReport)
    return report


def structured(kind: Any, value: Any, name: str) -> Any:
    """Returns `value`, which is JSON, as a `kind`, a dataclass of a record; raises UserError, in which it is called
    `name`, when it is none."""
    try:
        return _structured(kind, value, "")
    except _Misfit as error:
        raise UserError(f"{name} is not what it should be: {error}", remedy="use the hil that wrote it") from error


def _structured(kind: Any, value: Any, where: str) -> Any:
    """`value`, which is JSON, as a `kind`: a dataclass of strings, numbers, enums, tuples, mappings and dataclasses."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is UnionType:
        (other,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _structured(other, value, where)
    if origin is tuple:
        items = _expect(list, value, where)
        return tuple(_structured(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(items))
    if origin is Mapping:
        pairs = _expect(dict, value, where).items()
        return {key: _structured(arguments[1], item, f"{where}.{key}") for key, item in pairs}
    if is_dataclass(kind):
        return _record(kind, _expect(dict, value, where), where)
    if issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError as error:
            raise _Misfit(f"{where} is {value!r}, not one of {', '.join(map(str, kind))}") from error
    if kind is float:
        return _seconds(value, where)
    if kind is str and not _encodable(_expect(str, value, where)):
        raise _Misfit(f"{where} is not Unicode")
    return _expect(kind, value, where)


def _record(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints, given = _hints(kind), {}
    for field in fields(kind):
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in value:
            given[field.name] = _structured(hints[field.name], value[field.name], place)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _Misfit(f"{place} is missing")
    return kind(**given)


def _seconds(value: Any, where: str) -> float:
    """Checks a number of seconds; every fraction in a report is one."""
    try:
        seconds = float(_expect((int, float), value, where))
    except OverflowError:
        seconds = math.inf
    if not 0 <= seconds < math.inf:
        raise _Misfit(f"{where} is {seconds}, not seconds")
    return seconds


def _encodable(text: str) -> bool:
    """Returns whether text can be written: JSON can contain halves of surrogate pairs, which files cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(report: RunReport) -> None:
    """Checks what must hold between fields."""
    for lane in report.lanes:
        if len(parts := lane.split("/")) != 3 or parts[2] not in [*Engine]:
            raise _Misfit(f"lane {lane!r} is not KERNEL/ARCH/ENGINE")
    machines = {f"{machine.kernel}/{machine.arch}" for machine in report.machines}
    if strange := {lane.rpartition("/")[0] for lane in report.lanes} - machines:
        raise _Misfit(f"it has no machine {min(strange)}")
    if strange := {result.lane for result in report.results} - set(report.lanes):
        raise _Misfit(f"it has results of {min(strange)}, which is none of its lanes")
    for number, machine in enumerate(report.machines):
        _check_provenance(machine, f"machines[{number}].provenance")


def _check_provenance(machine: MachineReport, where: str) -> None:
    """Checks the parts of kernels' provenance that reports show."""
    for part in ("sha256", "metapackage"):
        _expect(dict, machine.provenance.get(part, {}), f"{where}.{part}")
    for index, package in enumerate(_expect(list, machine.provenance.get("packages", []), f"{where}.packages")):
        _expect(dict, package, f"{where}.packages[{index}]")


_hints = cache(get_type_hints)  # looked up once a class, not once a result


def _expect(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise _Misfit(f"{where or 'the document'} is {type(value).__name__}")
    return value
