# SPDX-License-Identifier: MIT
"""Which lane is debugged, with which script, and where the kernel is stopped."""

from __future__ import annotations

from harness.debug.debuggee import Debuggee
from harness.debug.hooks import hook
from harness.lane import Engine, Lane, select
from harness.model.eras import era
from harness.run.choice import known_lanes
from harness.run.needs import unmet
from harness.script.needs import Need
from harness.script.operations import Script
from hil.errors import UserError
from hil.gdb.errors import UnknownSymbol

USUAL, WITHOUT_KPROBES = "counting", "socket-filter"


def one_lane(text: str) -> Lane:
    """Returns the one lane that `text` names; without an engine, the one with the interpreter. Raises UserError
    otherwise."""
    found = select([text], known_lanes([text]))
    if len(found) > 1 and text.count("/") == 1:
        found = tuple(lane for lane in found if lane.engine is Engine.INTERP)
    if len(found) != 1:
        names = ", ".join(str(lane) for lane in found)
        raise UserError(f"{text!r} names {len(found)} lanes", remedy=f"choose one of: {names}")
    return found[0]


def usual(arch: str, release: str) -> str:
    """Returns the name of the script that is debugged by default."""
    return USUAL if era(release, arch).kprobes else WITHOUT_KPROBES


def stop_at(debuggee: Debuggee, script: Script, symbol: str | None) -> str:
    """Returns the function to stop at: the one that runs the script's programs, unless a `symbol` is named. The guest
    is made ready for the script. Raises UserError when the lane cannot run it, or there is no such function."""
    if reason := unmet(script.needs, debuggee.environment):
        raise UserError(f"{debuggee.lane} cannot run {script.name}: {reason}", remedy="choose another script or lane")
    if Need.TWO_CPUS in script.needs:
        debuggee.session.bring_up_cpus()
    if symbol is None:
        return hook(debuggee.kernel.era, script, lambda name: debuggee.table.address(name) is not None).symbol
    if debuggee.table.address(symbol) is None:
        raise UnknownSymbol(f"the kernel has no symbol {symbol!r}", remedy="see /proc/kallsyms in a guest")
    return symbol
