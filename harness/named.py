# SPDX-License-Identifier: MIT
"""Scripts by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from harness.core_scripts import each_script
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
    scripts = []
    for script in each_script(arch, era):
        if script.name == name:
            return "run", script
        scripts.append(script.name)
    from harness.clauses import clauses  # a great many modules, which neither a core script nor a case needs

    held = {clause.id: clause for clause in clauses(arch, era)}
    if name in held:
        return "conform", held[name].script(era)
    eras = [other for other in ERAS if any(clause.id == name for clause in clauses(arch, other))]
    if eras:
        raise UserError(f"clause {name} is not about era {era}", remedy=f"give --era {' or '.join(eras)}")
    near = like(name, [*scripts, *held, *bugs])
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
