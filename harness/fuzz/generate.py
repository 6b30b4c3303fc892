# SPDX-License-Identifier: MIT
"""Cases: scripts around random programs. One seed and one number give the same case on every host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from harness.abi.pt_regs import pt_regs
from harness.core_scripts.parts import PRCTL, array, element, on_our_prctl, prctl, u64
from harness.fuzz.aims import EACH, Aimed, Aims
from harness.fuzz.blocks import Blocks
from harness.fuzz.draw import HELD, KEYS, NUMBERS, NUMBERS_SIZE, PACKET, WORDS, Draw, Surroundings, edge
from harness.fuzz.functions import MAPS, makes_tail_calls, slots_of
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R10,
    Piece,
    add64_reg,
    and64_imm,
    exit_,
    ldx,
    mov64_reg,
    mul64_imm,
    program,
    rsh64_imm,
    stx,
    xor64_reg,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class
from harness.model.eras import Era
from harness.model.rules import JitFault
from harness.model.verifier.fixup import missing_helper
from harness.model.verifier.prototypes import SOCKET_FILTER, kprobe
from harness.script.needs import Need
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    OpenEvent,
    Operation,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)

SAVED = -112
"""The stack offset below which the epilogue saves the registers while it looks up the map's elements."""
KEPT = 8 * (len(NUMBERS) + len(WORDS))
"""How much of the results is for registers and words of the stack."""
RESULTS = KEPT + 8 * EACH
MUTANTS = 0.15
"""The share of cases that are programs with a few fields changed; these are loaded and never run."""
LOG_SIZE = 1 << 15
STACKLESS, STACKLESS_BY_NEED = 0.05, 0.6
"""The share of filters without stack and map: in general, and where the JIT cannot run any other."""


def cases(seed: int, count: int, era: Era) -> Iterator[Script]:
    """The first `count` cases of a seed for the lanes of one kernel. Between kernels they differ where one has kprobes
    or opcodes and the other not, in what the era leaves undefined, and in what its JIT gets wrong."""
    return (case(seed, number, era) for number in range(count))


def case(seed: int, number: int, era: Era) -> Script:
    """One case. Half of them run on a probe where the kernel has probes, the others as socket filters."""
    random = Random(f"{seed}/{number}")
    probed = random.random() < 0.5 and era.kprobes and era.entry_probes
    mutant = random.random() < MUTANTS
    stack = random.random() >= (STACKLESS_BY_NEED if JitFault.STACK in era.faults else STACKLESS)
    kind = ProgramType.KPROBE if probed else ProgramType.SOCKET_FILTER
    name, words = f"case-{seed}-{number}", "a generated program"
    if not (stack or probed or mutant):
        return Script(name, f"{words} that uses registers only", tuple(_filter(_in_registers(random, era))))
    numbers = [random.choice((edge(random), random.randrange(16), random.getrandbits(64))) for _ in range(HELD)]
    maps = generated_maps(random, numbers)
    code = generated_program(random, kind, era, numbers, tail_calls=True, aims=Aims(seed, number, era))
    rest = _mutant(random, kind, code, era) if mutant else _run(random, kind, code)
    needs = frozenset() if mutant else frozenset({Need.STACK})
    return Script(name, words, (*maps, *(MAPS if makes_tail_calls(code) else ()), *rest), needs=needs)


def generated_program(
    random: Random,
    kind: ProgramType,
    era: Era,
    numbers: Sequence[int] = range(HELD),
    *,
    tail_calls: bool = False,
    aims: Aims | None = None,
) -> Program:
    """A program every verifier accepts; its maps are `generated_maps`, of the same `numbers` if it is to run, and with
    `tail_calls` those of `harness.fuzz.functions`. In the end it does what `aims` says."""
    registers = pt_regs(era.arch, era.name)
    fields = tuple(registers.argument(index) for index in range(1, 5)) if kind == ProgramType.KPROBE else (0,)
    blocks = Blocks(Draw(random, Surroundings(kind, era, fields, faults=era.faults, tail_calls=tail_calls), numbers))
    aimed = tuple(aims.pieces(blocks)) if aims else ()
    body = (_body(random, blocks), _epilogue(aimed), blocks.functions.end())
    if kind == ProgramType.KPROBE:
        return _typed(blocks, on_our_prctl(registers, R1_AGAIN, *body))
    return _typed(blocks, program(*body, exit_()))


def _typed(blocks: Blocks, code: Program) -> Program:
    """The program with the name of its first function, if the kernel is told of its functions."""
    return replace(code, functions=((0, "main"), *code.functions)) if blocks.functions.typed else code


def _in_registers(random: Random, era: Era) -> Program:
    """A filter whose verdict depends on every register; it tells as much of it as the packet is long."""
    around = Surroundings(ProgramType.SOCKET_FILTER, era, (0,), stack=False, faults=era.faults)
    mixed = [(mul64_imm(R0, PRIME), add64_reg(R0, register)) for register in NUMBERS if register != R0]
    folded = [(mov64_reg(R1, R0), rsh64_imm(R1, shift), xor64_reg(R0, R1)) for shift in (32, 16, 8)]
    blocks = Blocks(Draw(random, around))
    verdict = and64_imm(R0, len(PACKET) - 1)
    return _typed(blocks, program(_body(random, blocks), mixed, folded, verdict, blocks.functions.end(), exit_()))


_OFFSETS = (-32, -8, -2, -1, 1, 2, 8, 16)
"""What `off` of arithmetic may be taken for: a sign, or a width; and negative ones."""
PRIME = 0x01000193
"""The multiplier of FNV hashes."""


def _body(random: Random, blocks: Blocks) -> Piece:
    return (blocks.prologue(), [blocks.any() for _ in range(random.randrange(6, 24))])


R1_AGAIN: Piece = Instruction(Class.ALU64 | 0xB8, R1, 6)
"""`r1 = r6`: where `on_our_prctl` has put the context."""


def _epilogue(aimed: Sequence[Aimed]) -> Piece:
    """Registers and words of the stack go to the map `results`, and behind them what comes of `aimed`; R0 is what it
    was."""
    saved = [SAVED - 8 * index for index in range(len(NUMBERS))]
    return (
        [stx(DW, R10, place, register) for place, register in zip(saved, NUMBERS, strict=True)],
        element("results"),
        [(ldx(DW, R1, R10, word), stx(DW, R0, 8 * slot, R1)) for slot, word in enumerate((*saved, *WORDS))],
        [(one.code, stx(DW, R0, KEPT + 8 * slot, one.result)) for slot, one in enumerate(aimed)],
        ldx(DW, R0, R10, saved[NUMBERS.index(R0)]),
    )


def generated_maps(random: Random, numbers: Sequence[int] = range(HELD)) -> tuple[Operation, ...]:
    """A place for results, a table with two elements, and numbers that the program does not know."""
    present = random.sample(range(KEYS), 2)
    return (
        array("results", value_size=RESULTS),
        array("numbers", value_size=NUMBERS_SIZE),
        UpdateElement(Ref("numbers"), bytes(4), b"".join(map(u64, numbers)).ljust(NUMBERS_SIZE, b"\0")),
        CreateMap("table", MapType.HASH, 8, 8, KEYS - 1),
        *(UpdateElement(Ref("table"), u64(key), u64(random.getrandbits(64))) for key in present),
    )


def _run(random: Random, kind: ProgramType, code: Program) -> Iterator[Operation]:
    """Loads the program, runs it once, and reads everything that it could have changed."""
    if kind == ProgramType.KPROBE:
        yield LoadProgram("program", kind, code)
        yield from slots_of(code, kind)
        yield CreateKprobe("probe", PRCTL)
        yield OpenEvent("event", Ref("probe"))
        yield Attach(Ref("event"), Ref("program"))
        yield prctl(*(random.getrandbits(64) for _ in range(4)))
    else:
        yield from _filter(code)
    yield LookupElement(Ref("results"), bytes(4), RESULTS)
    if makes_tail_calls(code):
        yield LookupElement(Ref("runs"), bytes(4), 8)
    for key in range(KEYS):
        yield LookupElement(Ref("table"), u64(key), 8)


def _filter(code: Program) -> Iterator[Operation]:
    yield LoadProgram("program", ProgramType.SOCKET_FILTER, code)
    yield from slots_of(code, ProgramType.SOCKET_FILTER)
    yield RunSocketFilter(Ref("program"), PACKET)


def _mutant(random: Random, kind: ProgramType, code: Program, era: Era) -> Iterator[Operation]:
    """Loads a program that may be refused: the errno is compared."""
    instructions = list(code.instructions)
    if random.random() < 0.2:
        arithmetic = [index for index, one in enumerate(instructions) if one.opcode_class in (Class.ALU, Class.ALU64)]
        divisions = [index for index in arithmetic if instructions[index].operation in (Alu.DIV, Alu.MOD)]
        index = random.choice(divisions or arithmetic)
        instructions[index] = replace(instructions[index], off=random.choice(_OFFSETS))
    else:
        for _ in range(random.randrange(1, 4)):
            index = random.randrange(len(instructions))
            instructions[index] = changed(random, instructions[index])
    if deadly(instructions, kind, era):
        instructions = list(code.instructions)
    maps = tuple((index, name) for index, name in code.maps if instructions[index] == code.instructions[index])
    mutant = Program(tuple(instructions), maps, code.functions)
    yield LoadProgram("program", kind, mutant)
    if era.verifier.specified:  # no other log is predicted
        yield LoadProgram("logged", kind, mutant, log_level=1, log_size=LOG_SIZE)


def changed(random: Random, instruction: Instruction) -> Instruction:
    """The instruction with another value in one field."""
    field = random.choice(("code", "dst", "src", "off", "imm"))
    values = {
        "code": random.randrange(256),
        "dst": random.randrange(16),
        "src": random.randrange(16),
        "off": random.choice((random.randrange(-8, 9), random.randrange(-512, 512))),
        "imm": random.choice((random.randrange(-8, 9), random.randrange(-(1 << 31), 1 << 31))),
    }
    return replace(instruction, **{field: values[field]})


def deadly(instructions: list[Instruction], kind: ProgramType, era: Era) -> bool:
    """Returns whether 4.1 may follow a null pointer while it loads the program (harness.model.verifier.fixup)."""
    size = pt_regs(era.arch, era.name).size
    offered = (kprobe(size) if kind == ProgramType.KPROBE else SOCKET_FILTER).helpers
    return missing_helper(instructions, offered) is not None
