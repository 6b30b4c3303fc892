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
from tests.harness.objects.probes import probe

pytestmark = pytest.mark.guest
OBJECTS = {
    "counts": probe(),
    "filters": probe("kprobe/cap_task_prctl", count_hits(verdict=0), exit_(), name="filters"),
    "openat": probe("kprobe/sys_openat", name="openat"),
    "address": probe("kprobe/cap_task_prctl", ldx(DW, R1, R1, 0), ldx(DW, R0, R1, 0), exit_(), name="address"),
    "other": probe("kprobe/f", mov64_imm(R0, 0), exit_(), name="other", version=0x40100),
}
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
    assert found["filters"]["hits"] >= 1, "kprobe_profile counts what a program filtered out"
    assert found["counts"]["processed"] > 0
    (symbol,), (refused,) = found["openat"]["whys"], found["address"]["whys"]
    assert (symbol["kind"], "__x64_sys_openat" in symbol["remedy"]) == ("symbol", True)
    assert (refused["kind"], refused["instruction"]) == ("verifier", 1)
    assert "R1 invalid mem access 'scalar'" in refused["messages"]
    assert found["other"]["whys"][0]["kind"] == "symbol", "6.12 looks at no version"
    assert '"refused: verifier"' in table.read_text()
    assert not [one["script"] for one in record["results"] if one["verdict"] not in ("agree", "unsupported")]
