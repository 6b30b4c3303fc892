# SPDX-License-Identifier: MIT
"""The ready-made pipelines: what the vendors' schemas and good manners ask of them, and what their shell does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.regress import baseline
from harness.regress.baseline import Known
from hil import directories
from tests.ci.jobs import CI, Place, again, github, gitlab, place, read

ROOT = CI.parent
SCHEMAS = {"github/hil.yml": "vendor.github-workflows", "gitlab/hil.yml": "vendor.gitlab-ci"}
LANE = "debian-12/x86_64/interp"
SMALL = {
    "HIL_SOURCE": str(ROOT),
    "HIL_LANES": LANE,
    "HIL_CLAUSES": "DET-0*",
    "HIL_REPEAT": "2",
    "HIL_DEBIAN_MIRROR": os.environ.get("HIL_DEBIAN_MIRROR", ""),
    "XDG_CACHE_HOME": str(directories.cache().parent),
}
"""A run of one machine and a few clauses, with the kernels this host has already."""
NOT_NEEDED = {
    *("clang", "e2fsprogs", "gdb-multiarch", "kmod", "openssh-client"),
    *("qemu-system-misc", "gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"),
}
"""Of the host's packages, those for other commands than the pipelines', and for an architecture that the kernel which
they run on does not have; ci/README.md names these."""


@pytest.mark.parametrize(("pipeline", "schema"), SCHEMAS.items())
def test_a_pipeline_is_what_its_vendors_schema_asks(pipeline: str, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(CI / pipeline)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_may_do_no_more_than_it_must() -> None:
    workflow = read("github/hil.yml")
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in job
    assert job["timeout-minutes"] <= 60
    used = [step for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}", step["uses"]) for step in used)
    assert used[0]["with"]["persist-credentials"] is False
    # What others may have written reaches a shell through its environment, never as part of its text.
    assert not [step["name"] for step in job["steps"] if "${{" in step.get("run", "")]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A runner of GitHub's; what the install step makes is kept from test to test."""
    return place(tmp_path_factory.mktemp("github"))


@pytest.fixture
def clean(runner: Place) -> Place:
    again(runner)
    return runner


def uploaded(place: Place, workflow: Any) -> Path:
    """The folder the upload step names; it uploads whatever became of the steps before."""
    (step,) = [step for step in workflow["jobs"]["conform"]["steps"] if "upload-artifact" in step.get("uses", "")]
    assert step["if"] == "always()"
    return place.repository / str(step["with"]["path"])


def complete(report: Path) -> dict[str, Any]:
    """`results.json` of a folder that holds all a reader needs."""
    assert "<title>hil" in (report / "report.html").read_text()
    assert ElementTree.parse(report / "junit.xml").getroot().attrib["tests"] != "0"
    assert "hil: ready" in next(report.glob("*/console.log")).read_text(errors="replace")
    return dict(json.loads((report / "results.json").read_text()))


def installed(place: Place) -> set[str]:
    """The packages a job asked for."""
    (command,) = {line for line in place.calls.splitlines() if "apt-get install" in line}
    return {word for word in command.partition("apt-get install ")[2].split() if not word.startswith("-")}


def needed() -> set[str]:
    """The host's packages a run needs on an x86_64 host, as both vendors' runners are unless one asks for others."""
    lines = [line.partition("#")[0].split() for line in (CI / "host-packages.txt").read_text().splitlines()]
    return {words[0] for words in lines if words and words[1:] in ([], ["[amd64]"])} - NOT_NEEDED


@pytest.mark.guest
def test_the_workflow_tells_what_it_saw_and_fails_by_the_baseline(clean: Place) -> None:
    workflow = read("github/hil.yml")
    stale = Known(LANE, "DET-01", "Close(event=event)", "it was once", "https://example.org/1")
    (clean.repository / "hil-baseline.json").write_text(baseline.text((stale,)))
    assert not github(clean, workflow, {**SMALL, "HIL_REQUIRE": "debian-12"})
    assert clean.outcomes.pop("Judge") == "failure", clean.log
    assert set(clean.outcomes.values()) == {"success"}, clean.log
    report = complete(uploaded(clean, workflow))
    assert report["lanes"] == [LANE]
    assert {(result["verdict"], result["rounds"]) for result in report["results"]} == {("agree", 2)}
    assert "## hil conform: as predicted" in clean.summary
    assert f"| `{LANE}` | {len(report['results'])} |" in clean.summary
    assert "### Against hil-baseline.json" in clean.summary and "stale baseline entry: 1" in clean.summary


def test_the_workflow_says_so_when_there_was_no_run(clean: Place) -> None:
    assert not github(clean, read("github/hil.yml"), {**SMALL, "HIL_LANES": "debian-21"})
    assert {name for name, outcome in clean.outcomes.items() if outcome == "failure"} == {"Conform"}
    assert clean.outcomes["Judge"] == "skipped"
    assert "unknown lane 'debian-21'" in clean.log
    assert clean.summary == "hil ended before it began a run.\n"
    assert "sudo apt-get install" in clean.calls and installed(clean) == needed()


@pytest.mark.guest
def test_the_job_leaves_what_gitlab_shows_and_ends_as_the_run_did(tmp_path: Path) -> None:
    here, job = place(tmp_path), read("gitlab/hil.yml")["hil"]
    old = here.repository / ".cache" / "hil" / "kernels"
    old.mkdir(parents=True)
    (here.repository / ".cache" / "hil-week").write_text("2001-W01\n")
    assert gitlab(here, job, SMALL) == 0, here.log
    assert not old.exists(), "kernels of an earlier week are fetched anew"
    assert all((here.repository / path).exists() for path in job["cache"]["paths"])
    assert job["artifacts"]["when"] == "always"
    (folder,) = (here.repository / path for path in job["artifacts"]["paths"])
    assert {result["verdict"] for result in complete(folder)["results"]} == {"agree"}
    assert (here.repository / job["artifacts"]["reports"]["junit"]).exists()
    assert "## hil conform: as predicted" in (folder / "summary.md").read_text()
    assert re.search(rf"^{LANE} +\d+ +\d+ agree", here.log, re.MULTILINE)


def test_the_job_fails_when_there_was_no_run(tmp_path: Path) -> None:
    here = place(tmp_path)
    assert gitlab(here, read("gitlab/hil.yml")["hil"], {**SMALL, "HIL_LANES": "debian-21"}) == 2
    assert "hil ended before it began a run." in here.log
    assert installed(here) == needed()
