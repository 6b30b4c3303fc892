# SPDX-License-Identifier: MIT
"""The checks of bpf(2) before a command: the size, the address, and bytes behind the fields."""

from __future__ import annotations

from harness.abi.bpf import Command
from harness.clauses.bpf.parts import HASH_MAP, KERNEL_ADDRESS, KEY, VALUE, clause, element
from harness.clauses.parts import MAP
from harness.core_scripts.parts import array, u32, u64
from harness.script.clause import WORKS, Clause, expect
from harness.script.operations import (
    LookupElement,
    Part,
    RawBpf,
)

PAGE = 4096
LATER_SIZES = {"5.10": 120, "6.1": 144, "6.12": 152, "7.2": 168}
"""sizeof(union bpf_attr); 48 in 4.1."""


def entry_clauses() -> tuple[Clause, ...]:
    return (
        clause(
            "SYS-02.address-or-size",
            "An attribute at a kernel address that is also larger than a page gives EFAULT in 4.1, which "
            "checks the address first, and E2BIG in later kernels",
            expect(RawBpf(0, size=PAGE + 1, address=KERNEL_ADDRESS), "EFAULT", {"5.10": "E2BIG"}),
        ),
        clause(
            "SYS-02.address",
            "An attribute at a kernel address gives EFAULT",
            expect(RawBpf(0, address=KERNEL_ADDRESS), "EFAULT"),
        ),
        clause("SYS-02.null", "A null pointer as attribute gives EFAULT", expect(RawBpf(0, address=0), "EFAULT")),
        clause(
            "SYS-03",
            "An attribute larger than a page gives E2BIG, whatever it holds",
            expect(RawBpf(0, HASH_MAP, size=PAGE + 1), "E2BIG"),
        ),
        clause(
            "SYS-03.unmapped",
            "An attribute larger than a page gives E2BIG even if its memory is not mapped",
            expect(RawBpf(0, HASH_MAP, size=PAGE + 1, length=48), "E2BIG"),
        ),
        clause(
            "SYS-03.page",
            "An attribute of a whole page is accepted if all bytes behind the fields the kernel knows are zero",
            expect(RawBpf(0, HASH_MAP, size=PAGE), WORKS),
        ),
        clause(
            "SYS-04",
            "A byte of the attribute that is not zero, behind the fields the kernel knows, gives E2BIG",
            expect(RawBpf(0, (*HASH_MAP, Part(200, 1, 1)), size=256), "E2BIG"),
        ),
        clause(
            "SYS-04.first",
            "The first byte behind the 48 bytes of attribute that 4.1 knows must be zero; otherwise bpf(2) gives E2BIG",
            expect(RawBpf(0, (*HASH_MAP, Part(48, 1, 1)), size=56), "E2BIG"),
            until="4.1",
        ),
        *(
            clause(
                f"SYS-04.size-{size}",
                f"The first byte behind the {size} bytes of attribute that {era} knows must be zero; otherwise bpf(2) "
                "gives E2BIG",
                expect(RawBpf(2, (Part(size, 1, 1),), size=size + 8), "E2BIG"),
                since=era,
                until=era,
            )
            for era, size in LATER_SIZES.items()
        ),
        clause(
            "SYS-05",
            "An attribute larger than the kernel's is accepted if what the kernel does not know is zero",
            expect(RawBpf(0, HASH_MAP, size=1024), WORKS),
        ),
        clause(
            "SYS-06",
            "Bytes of the attribute behind the fields the kernel knows must be readable; otherwise bpf(2) gives EFAULT",
            expect(RawBpf(0, HASH_MAP, size=512, length=256), "EFAULT"),
        ),
        clause(
            "SYS-07.short",
            "Fields behind the end of a short attribute count as zero",
            expect(RawBpf(0, HASH_MAP, size=16), WORKS),
        ),
        clause(
            "SYS-07.too-short",
            "An attribute that ends before max_entries makes no map: the field counts as zero, which gives EINVAL",
            expect(RawBpf(0, HASH_MAP[:3], size=12), "EINVAL"),
        ),
        clause(
            "SYS-07.guarded",
            "The kernel reads no byte behind the size that the caller gives",
            expect(RawBpf(0, HASH_MAP, size=16, length=16), WORKS),
        ),
        clause(
            "SYS-08",
            "BPF_MAP_CREATE with an attribute of size 0 asks for a map of type 0, which gives EINVAL",
            expect(RawBpf(0, size=0), "EINVAL"),
        ),
        *(
            clause(
                f"SYS-09.{command}",
                f"bpf(2) with command {command}, which no kernel has, gives EINVAL",
                expect(RawBpf(command), "EINVAL"),
            )
            for command in (1000, 4096)
        ),
        *(
            clause(
                f"SYS-09.{command}",
                f"bpf(2) with command {command} gives EINVAL in 4.1, whose last command is 5",
                expect(RawBpf(command), "EINVAL"),
                until="4.1",
            )
            for command in (6, 7, 0x10000, -1)
        ),
        clause(
            "SYS-10",
            "An attribute that cannot be read gives EFAULT, also with a command that does not exist",
            expect(RawBpf(1000, size=48, length=16), "EFAULT"),
        ),
        clause(
            "SYS-10.size",
            "An attribute that is larger than a page gives E2BIG, also with a command that does not exist",
            expect(RawBpf(1000, size=PAGE + 1), "E2BIG"),
        ),
    )


def tails_clauses() -> tuple[Clause, ...]:
    """Returns SYS-20 to SYS-26: bytes behind a command's last field."""
    rows: tuple[tuple[str, Command, int], ...] = (
        ("SYS-21", Command.MAP_LOOKUP_ELEM, 24),
        ("SYS-22", Command.MAP_UPDATE_ELEM, 32),
        ("SYS-23", Command.MAP_DELETE_ELEM, 16),
        ("SYS-24", Command.MAP_GET_NEXT_KEY, 24),
    )
    return (
        *(
            clause(
                f"{id}.first",
                f"BPF_{command.name} gives EINVAL if the first byte behind its last field is not zero",
                array("map"),
                expect(RawBpf(command, element(MAP, KEY, None, Part(last, 1, 1))), "EINVAL"),
            )
            for id, command, last in rows
        ),
        *(
            clause(
                f"{id}.last",
                f"BPF_{command.name} gives EINVAL if a byte of the attribute far behind its last field is not zero",
                array("map"),
                expect(RawBpf(command, element(MAP, KEY, None, Part(47, 1, 1))), "EINVAL"),
            )
            for id, command, _ in rows
        ),
        *(
            clause(
                f"SYS-26.{command.name.lower()}",
                f"BPF_{command.name} gives EINVAL for a byte behind its last field that is not zero, before it looks "
                "at the descriptor",
                expect(RawBpf(command, (Part(0, 4, -1), Part(40, 8, 1))), "EINVAL"),
            )
            for _, command, _ in rows
        ),
        clause(
            "SYS-20.map-name",
            "A byte behind max_entries that is not zero gives EINVAL in 4.1; in later kernels the map's name is there",
            expect(RawBpf(0, (*HASH_MAP, Part(28, 1, 65))), "EINVAL", {"5.10": WORKS}),
        ),
        clause(
            "SYS-25",
            "BPF_PROG_LOAD gives EINVAL if a byte behind its fields is not zero; in 4.1 kern_version is the last field",
            expect(RawBpf(Command.PROG_LOAD, (Part(0, 4, 1), Part(44, 4, 1 << 31))), "EINVAL"),
        ),
        clause(
            "SYS-13",
            "bpf(2) does not look at the bytes between the map's descriptor and the pointer to the key",
            array("map"),
            expect(RawBpf(Command.MAP_UPDATE_ELEM, element(MAP, KEY, VALUE, Part(4, 4, 0xFFFFFFFF))), 0),
            expect(LookupElement(MAP, u32(0), 8), u64(7)),
        ),
    )
