# SPDX-License-Identifier: MIT
"""What a script says it needs follows from what it does."""

from __future__ import annotations

from harness.core_scripts import core_scripts
from harness.script.needs import Need
from harness.script.operations import CreateKprobe


def test_a_script_on_a_probe_needs_kprobes_and_probes_on_entries() -> None:
    for script in core_scripts("riscv64", "6.12"):
        probes = [one for one in script.operations if isinstance(one, CreateKprobe)]
        assert not probes or {Need.KPROBES, Need.ENTRY_PROBES} <= script.needs, script.name
        assert probes or Need.ENTRY_PROBES not in script.needs, script.name
