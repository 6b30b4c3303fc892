# SPDX-License-Identifier: MIT
"""The ready-made pipelines: what the vendors' schemas and good manners ask of them, and what their shell does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.regress import baseline
from harness.regress.baseline import Known
from hil import directories
from tests.ci.jobs import CI, Place, again, component, github, gitlab, place, read

ROOT = CI.parent
SCHEMAS = {
    "github/hil.yml": "vendor.github-workflows",
    "github/pytest.yml": "vendor.github-workflows",
    "github/setup/action.yml": "vendor.github-actions",
    "github/run/action.yml": "vendor.github-actions",
}
LANE = "debian-12/x86_64/interp"
COMMAND = "conform --clauses 'DET-0*' --repeat 2"
"""A run of one machine and a few clauses."""
OURS = {"HIL_LANES": LANE, "XDG_CACHE_HOME": str(directories.cache().parent)}
"""Of the variables of GitLab's job, one of the matrix, and the kernels that this host has already."""
ROW = {"lanes": LANE, "require": "debian-12", "runner": "ubuntu-24.04"}
_PINNED = re.compile(r"actions/[a-z/-]+@[0-9a-f]{40}|\./hil/ci/github/[a-z]+")
NOT_NEEDED = {
    *("clang", "cpio", "e2fsprogs", "gdb-multiarch", "kmod", "openssh-client"),
    *("qemu-system-misc", "gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"),
}
"""Of the host's packages, those for other commands than the pipelines', and for an architecture that the kernel which
they run on does not have; ci/README.md names these."""


@pytest.mark.parametrize(("pipeline", "schema"), SCHEMAS.items())
def test_a_pipeline_is_what_its_vendors_schema_asks(pipeline: str, schema: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(CI / pipeline)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_component_is_what_its_vendors_schema_asks(tmp_path: Path) -> None:
    """The schema knows pipelines, not the header of a component: it is shown the job with its inputs filled in."""
    filled = tmp_path / "gitlab.json"
    filled.write_text(json.dumps({"hil": component("gitlab/hil.yml", {})}))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(filled)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["github/hil.yml", "github/pytest.yml"])
def test_a_workflow_may_do_no_more_than_it_must(name: str) -> None:
    workflow = read(name)
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in job
    assert job["timeout-minutes"] <= 60 and job["strategy"]["fail-fast"] is False
    used = [step for step in job["steps"] if "uses" in step]
    assert used[0]["with"]["persist-credentials"] is False
    assert all(_PINNED.fullmatch(step["uses"]) for step in used)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_what_others_may_have_written_is_never_part_of_a_shells_text(name: str) -> None:
    text = read(name)
    steps = (
        text["runs"]["steps"] if "runs" in text else [step for job in text["jobs"].values() for step in job["steps"]]
    )
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]
    assert all(_PINNED.fullmatch(step["uses"]) for step in steps if "uses" in step)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A runner of GitHub's, with the kernels this host has already; what the install step makes is kept from test to
    test."""
    cache = {"XDG_CACHE_HOME": str(directories.cache().parent)}
    return place(tmp_path_factory.mktemp("github"), **cache)


@pytest.fixture
def clean(runner: Place) -> Place:
    again(runner)
    return runner


def uploaded(place: Place) -> Path:
    """The folder the upload step names; it uploads whatever became of the steps before."""
    steps = read("github/run/action.yml")["runs"]["steps"]
    (step,) = [step for step in steps if "upload-artifact" in step.get("uses", "")]
    assert step["if"] == "always()"
    return place.repository / str(step["with"]["path"])


def complete(report: Path) -> dict[str, Any]:
    """`results.json` of a folder that holds all a reader needs."""
    assert "<title>hil" in (report / "report.html").read_text()
    assert ElementTree.parse(report / "junit.xml").getroot().attrib["tests"] != "0"
    assert "hil: ready" in next(report.glob("*/console.log")).read_text(errors="replace")
    return dict(json.loads((report / "results.json").read_text()))


def badge(report: Path) -> tuple[str, str]:
    """The message and the colour of a folder's badge."""
    found = json.loads((report / "badge.json").read_text())
    return found["message"], found["color"]


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
    assert not github(clean, workflow, ROW, {"source": str(ROOT), "command": COMMAND})
    assert clean.outcomes.pop("Judge") == "failure", clean.log
    assert set(clean.outcomes.values()) == {"success"}, clean.log
    report = complete(uploaded(clean))
    assert report["lanes"] == [LANE]
    assert {(result["verdict"], result["rounds"]) for result in report["results"]} == {("agree", 2)}
    assert "## hil conform: as predicted" in clean.summary
    assert f"| `{LANE}` | {len(report['results'])} |" in clean.summary
    assert badge(uploaded(clean)) == (f"{len(report['results'])} agree", "brightgreen")
    assert clean.outputs["steps.run.outputs.name"] == f"hil-{os.uname().machine}-debian-12_x86_64_interp"
    assert "### Against hil-baseline.json" in clean.summary and "stale baseline entry: 1" in clean.summary


@pytest.mark.guest
def test_the_workflow_for_pytest_runs_the_tests_of_a_repository(clean: Place) -> None:
    tests = clean.repository / "tests"
    tests.mkdir()
    shutil.copy(ROOT / "docs/examples/test_attach.py", tests)
    (clean.repository / "hil").symlink_to(ROOT)  # the submodule, whose own tests are not the repository's
    assert github(clean, read("github/pytest.yml"), ROW, {"source": str(ROOT)}), clean.log
    suite = ElementTree.parse(clean.repository / "pytest.xml").find("testsuite")
    assert suite is not None and int(suite.attrib["tests"]) > int(suite.attrib["skipped"])
    assert suite.attrib["failures"] == suite.attrib["errors"] == "0"


def test_the_workflow_says_so_when_there_was_no_run(clean: Place) -> None:
    assert not github(clean, read("github/hil.yml"), {**ROW, "lanes": "debian-21"}, {"source": str(ROOT)})
    assert {name for name, outcome in clean.outcomes.items() if outcome == "failure"} == {"Run"}
    assert clean.outcomes["Judge"] == "skipped"
    assert "unknown lane 'debian-21'" in clean.log
    assert clean.summary == "hil ended before it began a run.\n"
    assert "sudo apt-get install" in clean.calls and installed(clean) == needed()


@pytest.fixture(scope="module")
def gitlab_runner(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A runner of GitLab's that keeps the project's folder from job to job, so that pip finds most of it done."""
    return place(tmp_path_factory.mktemp("gitlab"))


@pytest.fixture
def emptied(gitlab_runner: Place) -> Place:
    """The runner with nothing in the project's folder but the environment, as its user's cache may keep it."""
    kept = gitlab_runner.folder / "kept"
    environment = gitlab_runner.repository / ".venv-hil"
    if environment.exists():
        environment.rename(kept)
    again(gitlab_runner)
    if kept.exists():
        kept.rename(environment)
    return gitlab_runner


@pytest.mark.guest
def test_the_job_leaves_what_gitlab_shows_and_ends_as_the_run_did(emptied: Place) -> None:
    here, job = emptied, component("gitlab/hil.yml", {})
    old = here.repository / ".cache" / "hil" / "kernels"
    old.mkdir(parents=True)
    (here.repository / ".cache" / "hil-week").write_text("2001-W01\n")
    assert gitlab(here, "gitlab/hil.yml", {"source": str(ROOT), "command": COMMAND}, OURS) == 0, here.log
    assert not old.exists(), "kernels of an earlier week are fetched anew"
    assert all((here.repository / path).exists() for path in job["cache"]["paths"])
    assert job["artifacts"]["when"] == "always"
    (folder,) = (here.repository / path for path in job["artifacts"]["paths"])
    assert {result["verdict"] for result in complete(folder)["results"]} == {"agree"}
    assert (here.repository / job["artifacts"]["reports"]["junit"]).exists()
    assert "## hil conform: as predicted" in (folder / "summary.md").read_text()
    assert badge(folder)[1] == "brightgreen"
    assert re.search(rf"^{LANE} +\d+ +\d+ agree", here.log, re.MULTILINE)


def test_the_job_fails_when_there_was_no_run(emptied: Place) -> None:
    here = emptied
    assert gitlab(here, "gitlab/hil.yml", {"source": str(ROOT)}, {**OURS, "HIL_LANES": "debian-21"}) == 2
    assert "hil ended before it began a run." in here.log
    assert installed(here) == needed()
