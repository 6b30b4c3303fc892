# SPDX-License-Identifier: MIT
"""Scripts by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from harness.clauses import clauses
from harness.core_scripts import core_scripts
from harness.fuzz import generate
from harness.fuzz import scripts as fuzzed
from harness.model.eras import ERAS
from harness.model.eras import era as rules_of
from harness.run.again import CASE
from harness.script.operations import Script
from hil.errors import UserError


def named(name: str, arch: str, era: str, bugs: Collection[str] = ()) -> tuple[str, Script]:
    """Returns the core script, the clause or the case of that name in its form for an architecture and an era, and the
    subcommand that runs it; raises UserError when there is none, with similar names, among them those of `bugs`, errors
    of kernels that may be named as well."""
    if drawn := CASE.fullmatch(name):
        make = fuzzed.script if drawn["kind"] == "script" else generate.case
        return "fuzz", make(int(drawn["seed"]), int(drawn["number"]), rules_of(era, arch))
    scripts = {one.name: ("run", one) for one in core_scripts(arch, era)}
    scripts |= {clause.id: ("conform", clause.script(era)) for clause in clauses(arch, era)}
    if name in scripts:
        return scripts[name]
    eras = [other for other in ERAS if any(clause.id == name for clause in clauses(arch, other))]
    if eras:
        raise UserError(f"clause {name} is not about era {era}", remedy=f"give --era {' or '.join(eras)}")
    near = like(name, [*scripts, *bugs])
    kinds = "script, clause, case or error of kernels" if bugs else "script, clause or case"
    lists = "hil run --list, hil conform --list and hil bugs" if bugs else "hil run --list and hil conform --list"
    raise UserError(
        f"there is no {kinds} {name!r}{f'; there is {near}' if near else ''}",
        remedy=f"see {lists}; a case is case-SEED-NUMBER or script-SEED-NUMBER",
    )


def like(name: str, names: Iterable[str]) -> str:
    """Returns similar names: all variants of one statement where `name` is what their ids have in common."""
    names = [*names]
    return " or ".join([one for one in names if one.startswith(f"{name}.")] or get_close_matches(name, names, 3, 0.5))
