# SPDX-License-Identifier: MIT
"""`hil check` on a real guest: one boot for everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.check.commands import check
from harness.core_scripts.parts import count_hits
from harness.isa.assemble import DW, R0, R1, exit_, ldx, mov64_imm
from tests.harness.objects.building import Called, typed
from tests.harness.objects.probes import probe

pytestmark = pytest.mark.guest
COUNTS = (count_hits(verdict=0), exit_())
"""Programs of tracing may return nothing else."""
OBJECTS = {
    "counts": probe(),
    "filters": probe("kprobe/cap_task_prctl", count_hits(verdict=0), exit_(), name="filters"),
    "openat": probe("kprobe/sys_openat", name="openat"),
    "address": probe("kprobe/cap_task_prctl", ldx(DW, R1, R1, 0), ldx(DW, R0, R1, 0), exit_(), name="address"),
    "trampoline": probe("fentry/cap_task_prctl", *COUNTS, name="trampoline"),
    "typed": probe("tp_btf/sched_process_exec", *COUNTS, name="typed"),
    "classic": probe("tracepoint/sched/sched_process_exec", *COUNTS, name="classic"),
    "raw": probe("raw_tp/sched_process_exec", *COUNTS, name="raw"),
    "several": probe("kprobe.multi/cap_task_prctl", *COUNTS, name="several"),
    "faults": probe("perf_event", *COUNTS, name="faults"),
    "packets": probe("xdp", mov64_imm(R0, 2), exit_(), name="packets"),
    "classified": probe("tcx/ingress", mov64_imm(R0, 0), exit_(), name="classified"),
    "tasks": probe("iter/task", mov64_imm(R0, 0), exit_(), name="tasks"),
    "devices": probe("xdp/devmap", mov64_imm(R0, 2), exit_(), name="devices"),
    "user": probe("uprobe//bin/busybox:main", name="user"),
    "agent": probe("uprobe//bin/hil-agent:syscall", *COUNTS, name="agent"),
    "agents": probe("uretprobe/hil-agent:syscall", *COUNTS, name="agents"),
    "pattern": probe("kprobe.multi/cap_task_*", *COUNTS, name="pattern"),
    "nothing": probe("kprobe.multi/capp_task_*", *COUNTS, name="nothing"),
    "nowhere": probe("fentry/no_such_function", name="nowhere"),
    "other": probe("kprobe/f", mov64_imm(R0, 0), exit_(), name="other", version=0x40100),
    "alone": typed(Called(pointer=True)),
    "callback": typed(Called(linkage=0, callback=True)),
    "global": typed(Called(callback=True)),
    "untyped": typed(Called(name="no name")),
}
FIRE = (
    *("trampoline", "typed", "classic", "raw", "several", "faults", "agent", "agents", "pattern"),
    *("packets", "classified", "tasks"),
)
LANE = "debian-13/x86_64/jit"


def test_programs_are_tried_on_a_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    for name, content in OBJECTS.items():
        (tmp_path / f"{name}.o").write_bytes(content)
    files = [str(tmp_path / f"{name}.o") for name in OBJECTS]
    table = tmp_path / "table.toml"
    words = [*files, "--lanes", LANE, "--output", str(tmp_path / "runs"), "--write-expect", str(table)]
    said = CliRunner().invoke(check, words, standalone_mode=False)
    assert said.return_value == 1, said.output
    record = json.loads((tmp_path / "runs/latest/results.json").read_text())
    found = {one["script"].partition(".")[0]: one for one in record["checked"]}
    assert [found[name]["fires"] for name in ("counts", "filters")] == ["yes", "yes"]
    assert {name: (found[name]["fires"], found[name]["whys"]) for name in FIRE} == dict.fromkeys(FIRE, ("yes", []))
    assert all(found[name]["hits"] >= 1 for name in FIRE)
    for name, needed in (("devices", "needs a map of devices"), ("user", "/bin/busybox names no functions")):
        assert (found[name]["loads"], found[name]["attaches"]) == ("yes", "untried"), name
        assert needed in found[name]["whys"][0]["what"]
    assert "functions: cap_task_" in found["pattern"]["notes"][0]
    assert found["nothing"]["whys"][0]["remedy"].startswith("did you mean cap_")
    assert found["nowhere"]["whys"][0]["kind"] == "attach-type"
    assert found["filters"]["hits"] >= 1, "kprobe_profile counts what a program filtered out"
    assert found["counts"]["processed"] > 0
    (symbol,), (refused,) = found["openat"]["whys"], found["address"]["whys"]
    assert (symbol["kind"], "__x64_sys_openat" in symbol["remedy"]) == ("symbol", True)
    assert (refused["kind"], refused["instruction"]) == ("verifier", 1)
    assert "R1 invalid mem access 'scalar'" in refused["messages"]
    assert found["other"]["whys"][0]["kind"] == "symbol", "6.12 looks at no version"
    for name in ("alone", "callback", "untyped"):
        assert found[name]["fires"] == "yes", (name, found[name])
    assert [note for note in found["untyped"]["notes"] if "refused with EINVAL" in note]
    assert not found["alone"]["notes"], "its types were taken"
    assert (found["global"]["whys"][0]["kind"], found["global"]["loads"]) == ("verifier", "no")
    assert "not static" in found["global"]["whys"][0]["messages"][-1]
    assert '"refused: verifier"' in table.read_text()
    assert not [one["script"] for one in record["results"] if one["verdict"] not in ("agree", "unsupported")]
