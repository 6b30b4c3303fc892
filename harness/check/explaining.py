# SPDX-License-Identifier: MIT
"""Why a program did not load or attach: the kernel's message, the place, the rule behind it, a remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from harness.check import accesses, since
from harness.check.symbols import Found
from harness.check.tracepoints import ANY_GROUP
from harness.check.trying import Trial
from harness.isa.opcodes import Class, Jump
from harness.isa.text import listing
from harness.lowering.verifier_log import Reading
from harness.model.environment import Environment
from harness.model.rules import LoadCheck, dotted
from harness.objects.adjusting import POISON
from harness.objects.loading import Stage, Step
from harness.objects.map_types import type_name
from harness.objects.places import ATTACHED, Place, needs, portable, user_place
from harness.objects.reasons import Refusal
from harness.objects.user_files import NoPlace
from harness.run.checked import Why
from harness.script.operations import (
    CreateKprobe,
    CreateMap,
    FindTracepoint,
    Operation,
    ProgramType,
    RawBpf,
    RawOpenEvent,
    UpdateElement,
)
from harness.script.text import describe

_CALL = Class.JMP | Jump.CALL
_GPL = re.compile(r"GPL", re.IGNORECASE)
_HELPER = re.compile(r"unknown func|invalid func|cannot use helper")
"""What verifiers say of a helper that the program may not call; 4.1 names it by its number alone."""
_LARGE = re.compile(
    r"too large|too complex|too many (?:instructions|states)|BPF program is too|back-edge|infinite loop|very many"
)
_REGISTERS = {
    "struct user_pt_regs.": "arm64",
    "struct user_regs_struct.": "riscv64",
    **{f"struct pt_regs.{name},": "x86_64" for name in ("di", "si", "dx", "cx", "r8", "ax", "sp", "ip", "bp")},
}
"""By what CO-RE asks for, the architecture whose registers it is: PT_REGS_PARM1_CORE() and its neighbours,
tools/lib/bpf/bpf_tracing.h."""
_NOT_SUPPORTED = "errno 524"
"""ENOTSUPP, include/linux/errno.h, which callers are not meant to see."""
_OF_SEVERAL_SINCE = (5, 18)
_TRACEPOINTS = "a kernel has those that its release and its configuration bring"
_NEEDS_JIT = "requires BPF JIT compiler"
_EVERY_POISON = range(POISON, POISON + (1 << 16))


@dataclass(frozen=True)
class Where:
    """A place in a program as people find it: the instruction, its text, and the line of the source."""

    instruction: int | None = None
    text: str = ""
    line: str = ""
    source: str = ""


def of_refusal(refusal: Refusal) -> Why:
    """Why a program was not passed to the kernel at all."""
    line = refusal.line
    return Why(
        Stage.LOAD,
        refusal.what,
        kind=refusal.reason.word,
        rule=refusal.reason.value,
        remedy=refusal.remedy,
        instruction=refusal.instruction,
        line=str(line) if line else "",
        source=line.text if line else "",
    )


def not_made(operation: Operation, errno: str, environment: Environment) -> Why:
    """Why a map could not be made."""
    what = f"the map is refused with {errno}: {describe(operation)}"
    type, flags = None, 0
    if isinstance(operation, CreateMap):
        type, flags = int(operation.type), operation.flags
    elif isinstance(operation, RawBpf):
        type = next((part.value for part in operation.parts if part.offset == 0 and isinstance(part.value, int)), None)
    if isinstance(type, int) and type not in environment.rules.maps.types:
        change = since.map_type(type)
        rule = (
            f"maps of type {type_name(type)} are {since.says(change)}"
            if change
            else f"no known release has {type_name(type)}"
        )
        return Why(Stage.MAPS, what, "newer-kernel", errno, rule, since.needs(change) if change else "")
    if isinstance(operation, CreateMap) and flags & ~environment.rules.maps.flags.get(int(type or 0), 0):
        rule = f"maps of type {type_name(int(type or 0))} do not take flags {flags:#x} in {environment.rules.name}"
        remedy = "needs a newer kernel: .rodata takes flags of 5.2, and maps that are mapped one of 5.5"
        return Why(Stage.MAPS, what, "newer-kernel", errno, rule, remedy)
    if errno == "EPERM":
        return _memlock(Stage.MAPS, what, environment)
    if isinstance(operation, CreateMap) and not (operation.max_entries and operation.value_size):
        rule = "a map has elements, and these a size; the object leaves that to its own loader"
        return Why(Stage.MAPS, what, "size-left-open", errno, rule, "give the map its size, or use its own loader")
    if errno == "E2BIG" or errno == "ENOMEM":
        return Why(Stage.MAPS, what, "size", errno, "the kernel does not make maps of this size", "make it smaller")
    return Why(Stage.MAPS, what, "map", errno)


def not_complete(step: Step, errno: str) -> Why:
    """Why a program that was loaded cannot be used: one that it calls, or the content of a map, is missing."""
    if step.stage is Stage.LOAD:
        rule = "a program that is in a slot of a program array is loaded with it; it has a row of its own"
        return Why(Stage.MAPS, f"{step.subject}, which it calls, is refused with {errno}", "slot", errno, rule)
    what = f"the map {step.subject} is not filled, {errno}: {describe(step.operation)}"
    return Why(Stage.MAPS, what, "slot" if isinstance(step.operation, UpdateElement) else "map", errno)


def left_alone(trial: Trial) -> Why:
    """Why the bench does not attach a program: what that takes is not there, or the section does not say where."""
    said = trial.program.meaning
    if said is not None and isinstance(none := user_place(said, trial.prepared.kernel), NoPlace):
        return Why(Stage.ATTACH, f"loaded, not attached: {none.what}", none.kind, remedy=none.remedy)
    if said is None or said.mechanism not in ATTACHED:
        what = f"loaded, not attached: needs {needs(said)}"
        return Why(Stage.ATTACH, what, "not-attached")
    rule = "the bench attaches by the name of the section alone; a loader of its own chooses the place"
    what = f"loaded, not attached: section {trial.program.section} names no place to attach to"
    return Why(Stage.ATTACH, what, "no-place", None, rule, f"name one there: {ATTACHED[said.mechanism]}")


def not_loaded(trial: Trial, errno: str, reading: Reading | None, environment: Environment) -> Why:
    """Why a program was refused by bpf(BPF_PROG_LOAD)."""
    program, rules = trial.program, environment.rules
    count = len(program.program.instructions)
    type = program.meaning.type if program.meaning else ProgramType.UNSPEC
    what = f"{program.name} is refused with {errno}"
    if int(type) not in rules.program_types:
        change = since.program_type(int(type))
        rule = (
            f"programs of type {type.name} are {since.says(change)}" if change else f"no known release has {type.name}"
        )
        return Why(Stage.LOAD, what, "newer-kernel", errno, rule, since.needs(change) if change else "")
    if type is ProgramType.KPROBE and not environment.kprobes:
        rule = f"{rules.name} has no kprobes on {environment.arch}, and so no programs of their type"
        return Why(Stage.LOAD, what, "no-kprobes", errno, rule, "choose another lane")
    if count > rules.instruction_limit:
        rule = f"{rules.name} takes {rules.instruction_limit} instructions, the program has {count}"
        return Why(
            Stage.LOAD, what, "too-many-instructions", errno, rule, "a million are allowed since 5.2 (c04c0d2b968a)"
        )
    wanted = trial.kern_version
    if (
        LoadCheck.KERNEL_VERSION in rules.load_checks
        and type is ProgramType.KPROBE
        and wanted not in (None, environment.version_code)
    ):
        own = dotted(environment.version_code)
        rule = f"until 5.0 the kernel demands its own version: {own}, the object has {dotted(wanted or 0)}"
        return Why(
            Stage.LOAD,
            what,
            "version",
            errno,
            rule,
            "build it for this kernel, set version to 0xFFFFFFFE, or use --portable",
        )
    if errno == "EPERM":
        return _memlock(Stage.LOAD, what, environment)
    if reading is None or (reading.instruction is None and not reading.reason):
        return Why(Stage.LOAD, what, "load", errno, "the kernel gives no log")
    if _NEEDS_JIT in " ".join(reading.reason):
        reading = replace(reading, instruction=_first_call(trial, environment.rules.jit_helpers))
    where = place(trial, reading)
    why = Why(
        Stage.LOAD,
        what,
        "verifier",
        errno,
        instruction=where.instruction,
        line=where.line,
        source=where.source or where.text,
        messages=reading.reason,
    )
    return _by_verifier(trial, why, environment)


def _first_call(trial: Trial, helpers: Collection[int]) -> int | None:
    """Returns the first instruction that calls one of these helpers."""
    instructions = enumerate(trial.program.program.instructions)
    return next((at for at, one in instructions if one.code == _CALL and not one.src and one.imm in helpers), None)


def _by_verifier(trial: Trial, why: Why, environment: Environment) -> Why:
    """What is behind a refusal of the verifier, as far as its words or the instruction say."""
    said = " ".join(why.messages)
    code = trial.program.program.instructions
    called = code[why.instruction] if why.instruction is not None and why.instruction < len(code) else None
    number = called.imm if called is not None and called.code == _CALL and called.src == 0 else None
    if number in _EVERY_POISON or "195896080" in said:
        missing = next((one for one in trial.missing if one.instruction == why.instruction), None)
        if missing is not None and (other := other_architecture(missing.what, environment.arch)):
            rule = f"the object is compiled for {other}, whose registers it reads; the lane is {environment.arch}"
            return replace(why, kind="architecture", rule=rule, remedy=f"compile it for {environment.arch}")
        rule = missing.what if missing else "the types of the kernel have not what the instruction asks for (CO-RE)"
        return replace(
            why, kind="core-field-missing", rule=rule, remedy="check with bpf_core_field_exists() before it is used"
        )
    if _GPL.search(said):
        name = since.helper_name(number) if number is not None else "the helper"
        rule = (
            f"{name} is for programs under the GPL only; the licence of the object is {trial.license or 'not told'!r}"
        )
        return replace(why, kind="not-gpl", rule=rule, remedy='put "GPL" into the section license')
    if number is not None and _HELPER.search(said):
        return replace(
            why, kind="helper", rule=_helper_rule(number, environment), remedy=_helper_remedy(number, environment)
        )
    if _LARGE.search(said):
        rule = "the verifier follows every path, up to a limit of its own; loops are allowed since 5.3"
        return replace(why, kind="too-complex", rule=rule, remedy="fewer branches or shorter loops, or a newer kernel")
    rule, remedy = accesses.rule(why) or ("the verifier's own words say why", why.remedy)
    return replace(why, rule=rule, remedy=remedy)


def other_architecture(missing: str, arch: str) -> str:
    """Returns the architecture whose registers are missing in the kernel's types; empty when it is something else."""
    whose = next((name for words, name in _REGISTERS.items() if words in missing), arch)
    return whose if whose != arch else ""


def _helper_rule(number: int, environment: Environment) -> str:
    name = since.helper_name(number)
    change = since.helper(number)
    if change is not None and number not in environment.rules.helpers:
        called = f"{name} may be called by programs on kprobes {since.says(change)}"
        return f"{called}; this is {environment.rules.name}"
    if change is None and number >= environment.rules.helper_limit:
        return f"there is no helper {number} in {environment.rules.name}"
    return f"{name} is not for programs of this type in {environment.rules.name}"


def _helper_remedy(number: int, environment: Environment) -> str:
    change = since.helper(number)
    return since.needs(change) if change is not None and number not in environment.rules.helpers else ""


def not_attached(
    trial: Trial, operation: Operation, errno: str, found: Mapping[str, Found], environment: Environment
) -> Why:
    """Why a loaded program could not be attached, by the operation that failed."""
    match operation:
        case CreateKprobe(symbol=symbol):
            return _no_probe(trial, symbol, errno, found.get(symbol), environment)
        case FindTracepoint(tracepoint=name):
            rule = _TRACEPOINTS
            if name.startswith("syscalls/"):
                rule = "those of system calls need CONFIG_FTRACE_SYSCALLS, and are of calls that the architecture has"
            return Why(Stage.ATTACH, f"no tracepoint {name}", "no-tracepoint", errno, rule, _question(found.get(name)))
        case RawBpf() if trial.place is not None:
            return _no_link(trial.place, errno, environment, found)
        case RawOpenEvent() if trial.place is not None and trial.place.kind == "uprobe":
            return _no_user_probe(trial.place, errno)
    what = f"{describe(operation)}: {errno}"
    if errno in ("EACCES", "EPERM"):
        level = (environment.settings or {}).get("kernel/perf_event_paranoid")
        rule = f"kernel.perf_event_paranoid is {level}; events are for callers with CAP_PERFMON or CAP_SYS_ADMIN"
        if "Attach" in type(operation).__name__:
            rule = "the program reads beyond the record of the tracepoint" if errno == "EACCES" else rule
        return Why(Stage.ATTACH, what, "permission", errno, rule)
    return Why(Stage.ATTACH, what, "attach", errno)


def _no_user_probe(where: Place, errno: str) -> Why:
    what = f"no probe at byte {where.offset:#x} of {where.target}"
    if errno == "ENOENT":
        rule = "the kernel has no such file, or no source of events for places in files (CONFIG_UPROBE_EVENTS)"
        return Why(Stage.ATTACH, what, "no-uprobes", errno, rule, "choose another lane")
    rule = "a probe is at the beginning of an instruction, in a file that can be mapped to be executed"
    return Why(Stage.ATTACH, what, "attach", errno, rule)


def _no_link(where: Place, errno: str, environment: Environment, found: Mapping[str, Found]) -> Why:
    matched = found.get(where.pattern)
    what = f"{where.target} gives {errno}"
    if where.kind == "trampoline" and errno in (_NOT_SUPPORTED, "EOPNOTSUPP"):
        rule = f"{environment.rules.name} has no trampolines for programs on {environment.arch}"
        remedy = "use a kprobe; on arm64 programs are attached to functions by trampolines since 6.4"
        return Why(Stage.ATTACH, what, "no-trampoline", errno, rule, remedy)
    if where.kind == "multi" and environment.rules.release < _OF_SEVERAL_SINCE:
        rule = f"links to functions by their names are since 5.18; this is {environment.rules.name}"
        return Why(Stage.ATTACH, what, "newer-kernel", errno, rule, "needs Linux 5.18, or use a kprobe")
    if where.kind == "multi" and errno in ("EOPNOTSUPP", "ENOTSUP"):
        rule = "the kernel is built without CONFIG_FPROBE, or has none on this architecture"
        return Why(Stage.ATTACH, what, "no-fprobe", errno, rule, "use a kprobe, or a kernel with CONFIG_FPROBE")
    if where.pattern and matched is not None and not matched.same:
        rule = "no function of this kernel that can be traced matches the pattern (available_filter_functions)"
        return Why(Stage.ATTACH, f"{where.pattern} matches nothing", "symbol", errno, rule, _question(matched))
    if where.kind == "raw_tracepoint" and errno == "ENOENT":
        near = _question(found.get(ANY_GROUP + where.target))
        return Why(Stage.ATTACH, f"no tracepoint {where.target}", "no-tracepoint", errno, _TRACEPOINTS, near)
    return Why(Stage.ATTACH, what, "attach", errno)


def _question(found: Found | None) -> str:
    return f"did you mean {' or '.join(found.near)}?" if found is not None and found.near else ""


def _no_probe(trial: Trial, symbol: str, errno: str, found: Found | None, environment: Environment) -> Why:
    if not environment.kprobes:
        rule = f"{environment.rules.name} has no kprobes on {environment.arch}"
        return Why(Stage.ATTACH, f"no probe on {symbol}", "no-kprobes", errno, rule, "choose another lane")
    same = found.same if found else ()
    near = f"nearest: {', '.join(found.near)}" if found and found.near else ""
    if errno == "EADDRNOTAVAIL" or len(same) > 1:
        listed = ", ".join(f"{one.address:#x}" for one in same)
        unique = len({one.address for one in same}) == 1
        said = "such a name is refused since 6.7 (b022f0c7e404), and in stable releases"
        rule = f"{len(same)} functions are called {symbol} (at {listed}); {said}"
        remedy = (
            f"probe the address {same[0].address:#x}"
            if unique and same
            else f"probe an address of its own{'; ' + near if near else ''}"
        )
        return Why(Stage.ATTACH, f"{symbol} is ambiguous", "ambiguous-symbol", errno, rule, remedy)
    if not same:
        there = portable(symbol, trial.prepared.kernel)
        rule = f"{trial.prepared.kernel.name} has no function {symbol}"
        remedy = f"the same system call is {there} here; --portable translates it" if there != symbol else near
        return Why(Stage.ATTACH, f"no function {symbol}", "symbol", errno, rule, remedy)
    if environment.rules.entry_probes is False:
        lane = f"{environment.rules.name} on {environment.arch}"
        rule = f"in {lane} the first instruction of a function belongs to ftrace alone"
        return Why(
            Stage.ATTACH, f"no probe on {symbol}", "no-entry-probe", errno, rule, "use fentry, or another kernel"
        )
    rule = (
        f"{symbol} is there, but takes no probe (notrace, as what is `inline` is where the compiler makes "
        "a function of it; NOKPROBE_SYMBOL; or in a section of its own)"
    )
    return Why(Stage.ATTACH, f"no probe on {symbol}", "not-probeable", errno, rule, near)


def place(trial: Trial, reading: Reading) -> Where:
    """Where in the program the verifier stopped."""
    at = reading.instruction
    if at is None:
        return Where()
    line = trial.program.line(at)
    instructions = trial.program.program.instructions
    text = ""
    if at < len(instructions):
        text = next((words for index, words in listing(trial.program.program) if index == at), reading.text)
    return Where(at, text, str(line) if line else "", reading.source or (line.text if line else ""))


def _memlock(stage: Stage, what: str, environment: Environment) -> Why:
    if environment.rules.charges_locked_memory:
        rule = "until 5.11 maps and programs count against RLIMIT_MEMLOCK, root's too"
        return Why(
            stage, what, "memlock", "EPERM", rule, "raise it: ulimit -l unlimited, or setrlimit(2) in the loader"
        )
    rule = "bpf(2) is for callers with CAP_BPF or CAP_SYS_ADMIN (kernel.unprivileged_bpf_disabled)"
    return Why(stage, what, "permission", "EPERM", rule)
