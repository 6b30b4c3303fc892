# SPDX-License-Identifier: MIT
"""Carries out the shell of a pipeline's job here, as far as ours need it: what GitHub's and GitLab's runners do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CI = Path(__file__).resolve().parents[2] / "ci"
_PATIENCE = 1200
_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
_INPUT = re.compile(r"\$\[\[ *inputs\.([\w-]+) *\]\]")
_ACTION = re.compile(r"\./hil/ci/github/(\w+)")
# Packages are installed by root on a machine of the job's own; here the call is kept and done without.
_APT = """#!/bin/sh
case "$1" in
    update | install) [ "$2" = -y ] || [ "$2" = -qq ] && { echo "apt-get $*" >> "$CALLS"; exit; } ;;
esac
exec /usr/bin/apt-get "$@"
"""
_SUDO = """#!/bin/sh
echo "sudo $*" >> "$CALLS"
"""


def read(name: str) -> Any:
    """The pipeline file `name` below ci/, as YAML 1.2, in which `on` is a word."""
    return YAML(typ="safe").load(CI / name)


@dataclass
class Place:
    """Where a job runs: a folder for the repository, one for the runner's own, and the environment of every step."""

    folder: Path
    environment: dict[str, str]
    log: str = ""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Of GitHub's steps, by name: success, failure or skipped."""
    outputs: dict[str, str] = field(default_factory=dict)
    """Of GitHub's steps, by the expression that reads each."""

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def calls(self) -> str:
        """What was asked of the system's package manager and of sudo."""
        path = self.folder / "calls"
        return path.read_text() if path.exists() else ""

    @property
    def summary(self) -> str:
        """GitHub's, of all steps."""
        return (self.folder / "summary").read_text()

    def shell(self, script: str, environment: Mapping[str, str]) -> int:
        """Run it as both runners do, with `bash -eo pipefail`; the exit status."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.repository,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
        )
        self.log += done.stdout
        return done.returncode


def place(folder: Path, **environment: str) -> Place:
    """An empty repository on a runner whose every variable is `environment`'s or this process's."""
    programs = folder / "programs"
    for made in (folder / "repository", folder / "temporary", programs):
        made.mkdir(parents=True)
    for name, text in (("apt-get", _APT), ("sudo", _SUDO)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    given = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "XDG_STATE_HOME": str(folder / "state"),
        **environment,
    }
    return Place(folder, given)


def github(place: Place, workflow: Any, row: Mapping[str, str], changed: Mapping[str, str]) -> bool:
    """Run the job's steps in their order, as their `if` says, with one `row` of its matrix; whether all went well.

    Of the actions that steps use, ours are carried out, with the inputs of `changed` that they have instead of those
    given; others are passed over.
    """
    (job,) = workflow["jobs"].values()
    return _steps(place, job["steps"], {f"matrix.{name}": value for name, value in row.items()}, changed, {})


def _steps(
    place: Place,
    steps: Any,
    known: Mapping[str, str],
    changed: Mapping[str, str],
    environment: Mapping[str, str],
) -> bool:
    """Run steps, whose expressions are looked up in `known`; whether all went well."""
    known, fine = dict(known), True
    for step in steps:
        if not fine and step.get("if") != "always()":
            if "run" in step:
                place.outcomes[step["name"]] = "skipped"
        elif ours := _ACTION.fullmatch(step.get("uses", "")):
            action = read(f"github/{ours[1]}/action.yml")
            given = {**{key: _filled(value, known) for key, value in step.get("with", {}).items()}, **changed}
            assert step.get("with", {}).keys() <= action["inputs"].keys(), f"inputs that {ours[1]} does not have"
            inputs = {f"inputs.{key}": given.get(key, one["default"]) for key, one in action["inputs"].items()}
            here = {"GITHUB_ACTION_PATH": str(CI / "github" / ours[1])}
            fine = _steps(place, action["runs"]["steps"], inputs, changed, here) and fine
            outputs = {key: _filled(one["value"], place.outputs) for key, one in action["outputs"].items()}
            known |= {f"steps.{step.get('id')}.outputs.{key}": value for key, value in outputs.items()}
        elif "run" in step:
            fine = _step(place, step, known, environment) and fine
            known |= place.outputs
    return fine


def _step(place: Place, step: Any, known: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Run the shell of a step; whether that went well."""
    files = {name: place.folder / name.lower() for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_ENV")}
    for file in files.values():
        file.touch()
    here = {
        **place.environment,
        **environment,
        **dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines()),
        **{name: _filled(value, known) for name, value in step.get("env", {}).items()},
        **{name: str(file) for name, file in files.items()},
        "PATH": ":".join([*reversed(files["GITHUB_PATH"].read_text().split()), place.environment["PATH"]]),
        "GITHUB_STEP_SUMMARY": str(place.folder / "summary"),
        "RUNNER_TEMP": str(place.folder / "temporary"),
    }
    done = place.shell(step["run"], here) == 0
    place.outcomes[step["name"]] = "success" if done else "failure"
    for line in files["GITHUB_OUTPUT"].read_text().splitlines():
        name, _, value = line.partition("=")
        place.outputs[f"steps.{step.get('id')}.outputs.{name}"] = value
    files["GITHUB_OUTPUT"].unlink()
    return done


def _filled(text: str, known: Mapping[str, str]) -> str:
    """A value with its expressions looked up; GitHub takes what is not there as empty."""
    return _EXPRESSION.sub(lambda found: known.get(found[1], ""), str(text))


def gitlab(place: Place, pipeline: str, inputs: Mapping[str, str], changed: Mapping[str, str]) -> int:
    """Run `before_script` and `script` of a component's job, which share a shell; the job's exit status. `changed` are
    variables with other values, those of the job's matrix among them."""
    job = component(pipeline, inputs)
    here = {**place.environment, "CI_PROJECT_DIR": str(place.repository)}
    for name, value in {**job["variables"], **changed}.items():
        here[name] = value.replace("$CI_PROJECT_DIR", here["CI_PROJECT_DIR"])
    return place.shell("\n".join([*job["before_script"], *job["script"]]), here)


def component(pipeline: str, inputs: Mapping[str, str]) -> Any:
    """The only job of a component of GitLab's, with its inputs filled in, or their defaults."""
    header, body = (CI / pipeline).read_text().split("\n---\n")
    known = {name: one.get("default") for name, one in YAML(typ="safe").load(header)["spec"]["inputs"].items()}
    assert inputs.keys() <= known.keys()
    text = _INPUT.sub(lambda found: json.dumps({**known, **inputs}[found[1]]), body)
    (job,) = YAML(typ="safe").load(text).values()
    return job


def again(place: Place) -> None:
    """Make the repository and what a job leaves new, but keep what the install step made."""
    for path in (place.repository, place.folder / "summary", place.folder / "temporary" / "hil-runs"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    place.repository.mkdir()
    place.outcomes.clear()
    place.outputs.clear()
    place.log = ""
