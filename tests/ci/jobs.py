# SPDX-License-Identifier: MIT
"""Carries out the shell of a pipeline's job here, as far as ours need it: what GitHub's and GitLab's runners do."""

from __future__ import annotations

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


def github(place: Place, workflow: Any, changed: Mapping[str, str]) -> bool:
    """Run the job's `run` steps in their order, as their `if` says; whether all went well.

    `changed` are variables of the workflow with other values. Steps that use actions are passed over.
    """
    (job,) = workflow["jobs"].values()
    files = {name: place.folder / name.lower() for name in ("GITHUB_PATH", "GITHUB_OUTPUT")}
    outputs: dict[str, str] = {}
    fine = True
    for step in job["steps"]:
        if "run" not in step:
            continue
        if not fine and step.get("if") != "always()":
            place.outcomes[step["name"]] = "skipped"
            continue
        for file in files.values():
            file.touch()
        here = {
            **place.environment,
            **workflow["env"],
            **changed,
            **{name: _EXPRESSION.sub(lambda m: outputs[m[1]], value) for name, value in step.get("env", {}).items()},
            **{name: str(file) for name, file in files.items()},
            "PATH": ":".join([*reversed(files["GITHUB_PATH"].read_text().split()), place.environment["PATH"]]),
            "GITHUB_STEP_SUMMARY": str(place.folder / "summary"),
            "RUNNER_TEMP": str(place.folder / "temporary"),
        }
        done = place.shell(step["run"], here) == 0
        place.outcomes[step["name"]] = "success" if done else "failure"
        fine = fine and done
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            outputs[f"steps.{step.get('id')}.outputs.{name}"] = value
        files["GITHUB_OUTPUT"].unlink()
    return fine


def gitlab(place: Place, job: Any, changed: Mapping[str, str]) -> int:
    """Run `before_script` and `script`, which share a shell; the job's exit status."""
    here = {**place.environment, "CI_PROJECT_DIR": str(place.repository)}
    for name, value in {**job["variables"], **changed}.items():
        here[name] = value.replace("$CI_PROJECT_DIR", here["CI_PROJECT_DIR"])
    return place.shell("\n".join([*job["before_script"], *job["script"]]), here)


def again(place: Place) -> None:
    """Make the repository and what a job leaves new, but keep what the install step made."""
    for path in (place.repository, place.folder / "summary", place.folder / "temporary" / "hil-runs"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    place.repository.mkdir()
    place.outcomes.clear()
    place.log = ""
