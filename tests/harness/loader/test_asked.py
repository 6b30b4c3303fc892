# SPDX-License-Identifier: MIT
"""`hil exec` as users call it, with Debian's tools: `make roots`. Each downloads packages and boots machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hil.arch import architecture
from tests.harness.loader.building import built

ASKED = "HIL_TEST_ROOTS"
LANES = "debian-12/x86_64/jit,debian-13/x86_64/jit"
pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(not os.environ.get(ASKED), reason=f"downloads hundreds of packages: set {ASKED}=1"),
]
BCC = """\
from bcc import BPF
import os, time
b = BPF(text='BPF_ARRAY(hits, u64, 1); int count(void *ctx) { hits.increment(0); return 0; }')
b.attach_kprobe(event=b.get_syscall_fnname("getpgid"), fn_name="count")
for _ in range(10):
    os.getpgid(0)
time.sleep(2)
print("hits", b["hits"][0].value)
"""


def run(tmp_path: Path, *words: str) -> tuple[int, dict[str, Any]]:
    argv = [sys.executable, "-m", "hil", "exec", "--output", str(tmp_path / "runs"), *words]
    status = subprocess.run(argv, check=False).returncode
    return status, json.loads((tmp_path / "runs/latest/results.json").read_text())


PACKAGES = "libbpf-tools,bpftrace,python3-bpfcc,bpftool,linux-perf"
"""The same for all, which is one disk to make."""
TOOLS = {
    "libbpf-tools": ([], ["timeout", "-s", "INT", "--preserve-status", "4", "opensnoop"]),
    "bpftrace": (
        [],
        ["bpftrace", "-e", "kprobe:do_sys_openat2 { @ = count(); } interval:s:3 { exit(); }"],
    ),
    "bcc": (["--headers", "--file", "trace.py"], ["python3", "trace.py"]),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_loaders_of_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.py").write_text(BCC)
    options, command = TOOLS[tool]
    status, report = run(
        tmp_path, "--lanes", LANES, "--root", "debian-12", "--packages", PACKAGES, *options, "--", *command
    )
    assert status == 0
    for one in report["executed"]:
        assert {held["kind"] for held in one["seen"]} >= {"program", "map", "perf event"}
        assert one["left"] == []
        assert one["loaded"] >= 1


def test_a_dynamic_program_with_a_root_that_has_its_libraries(tmp_path: Path) -> None:
    program = built(architecture("x86_64"), tmp_path, "-pie")
    lane = ["--lanes", "debian-12/x86_64/jit", "--root", "debian-12", "--packages", PACKAGES]
    status, report = run(tmp_path, *lane, "--", str(program), "linger", "1")
    assert status == 0
    assert report["executed"][0]["stdout"] == "10 hits"


def test_a_guest_that_dies_in_the_middle(tmp_path: Path) -> None:
    status, report = run(
        tmp_path, "--lanes", "debian-12/x86_64/jit", "--", "sh", "-c", "sleep 1; echo c >/proc/sysrq-trigger; sleep 60"
    )
    assert status == 3
    (result,) = report["results"]
    assert result["verdict"] == "lost"
    assert "the guest died while sh ran" in result["reason"]


def test_a_kernel_without_disks(tmp_path: Path) -> None:
    status, report = run(tmp_path, "--lanes", "linux-4.1/x86_64/interp", "--root", "debian-12", "--", "true")
    assert status == 3
    assert "has no driver virtio_blk" in report["results"][0]["reason"]
