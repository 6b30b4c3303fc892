# SPDX-License-Identifier: MIT
"""KCIDB's JSON, schema 5.0: what kernel CI systems submit to the common database. https://docs.kernelci.org/kcidb/

A kernel package or source is a checkout, an image of it a build, a script on a lane a test.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from harness.compare import Verdict
from harness.report.account import account
from harness.run.document import document as as_document
from harness.run.results import MachineReport, RunReport, ScriptResult
from hil.errors import UserError

_STATUS = {
    Verdict.AGREE: "PASS",
    Verdict.DIVERGE: "FAIL",
    Verdict.DISAGREE: "FAIL",
    Verdict.FLAKY: "FAIL",
    Verdict.KNOWN: "FAIL",  # in KCIDB, known failures are issues, which are submitted by whoever triages them
    Verdict.UNSUPPORTED: "SKIP",
    Verdict.LOST: "ERROR",
    Verdict.ERROR: "MISS",
}
_EXCERPT = 16384  # characters; the schema's maxLength of log_excerpt


def document(report: RunReport, origin: str = "hil") -> dict[str, Any]:
    """Returns the submission, as plain data. `origin` names the CI system; ids are the same whenever a run is
    exported."""
    if not re.fullmatch("[a-z0-9_]+", origin):
        raise UserError(f"{origin!r} is no valid origin", remedy="use lower-case letters, digits and underscores")
    run = hashlib.sha256(json.dumps(as_document(report), sort_keys=True).encode()).hexdigest()[:16]
    machines = {f"{machine.kernel}/{machine.arch}": machine for machine in report.machines}
    tests = [
        _test(report, machines[result.lane.rpartition("/")[0]], result, origin, f"{run}/{result.lane}/{result.script}")
        for result in report.results
    ]
    checkouts = {entry["id"]: entry for entry in (_checkout(machine, origin) for machine in report.machines)}
    builds = {entry["id"]: entry for entry in (_build(machine, origin) for machine in report.machines)}
    return {
        "version": {"major": 5, "minor": 0},
        "checkouts": list(checkouts.values()),
        "builds": list(builds.values()),
        "tests": tests,
    }


def _checkout(machine: MachineReport, origin: str) -> dict[str, Any]:
    return {
        "id": f"{origin}:{_source(machine)}",
        "origin": origin,
        "tree_name": str(machine.provenance.get("source", "unknown")),
        "comment": _source(machine),
        "valid": True,
    }


def _build(machine: MachineReport, origin: str) -> dict[str, Any]:
    return {
        "id": _build_id(machine, origin),
        "checkout_id": f"{origin}:{_source(machine)}",
        "origin": origin,
        "architecture": machine.arch,
        "config_name": machine.kernel,
        "comment": _plain(machine.uname or f"{machine.kernel}/{machine.arch}"),
        "status": "PASS",
        "misc": {"provenance": dict(machine.provenance)},
    }


def _test(report: RunReport, machine: MachineReport, result: ScriptResult, origin: str, name: str) -> dict[str, Any]:
    test: dict[str, Any] = {
        "id": f"{origin}:{name}",
        "build_id": _build_id(machine, origin),
        "origin": origin,
        "path": f"hil.{re.sub('[^a-zA-Z0-9_-]', '_', result.script)}",
        "status": _STATUS[result.verdict],
        "comment": f"{result.script} on {result.lane}",
        "start_time": report.started,
        "duration": result.seconds,
        "environment": {
            "comment": f"{result.lane}, QEMU {machine.qemu_version}" if machine.qemu_version else result.lane,
            "misc": {"lane": result.lane, "command": shlex.join(machine.command), "host": dict(report.host)},
        },
        "misc": {"verdict": str(result.verdict)},
    }
    if result.reason:
        test["log_excerpt"] = _plain("\n".join((result.reason, *account(report, result))))[:_EXCERPT]
    return test


def _source(machine: MachineReport) -> str:
    """Returns what identifies this kernel's source: the package and its version, or the kernel's name and image."""
    metapackage = machine.provenance.get("metapackage")
    if isinstance(metapackage, Mapping):
        return f"{metapackage.get('name')}/{metapackage.get('version')}"
    return f"{machine.kernel}/{machine.provenance.get('version', 'unknown')}"


def _build_id(machine: MachineReport, origin: str) -> str:
    hashes = machine.provenance.get("sha256")
    image = hashes.get("image") if isinstance(hashes, Mapping) else None
    return f"{origin}:{image or f'{machine.kernel}/{machine.arch}'}"


def _plain(text: str) -> str:
    """Returns the text without NUL, which the schema forbids everywhere."""
    return text.replace("\0", "")
