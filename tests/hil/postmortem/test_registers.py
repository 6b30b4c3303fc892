# SPDX-License-Identifier: MIT
"""What QEMU's monitor prints of registers, as 7.2 does."""

from __future__ import annotations

from hil.postmortem.registers import parse

X86_64 = """
CPU#0
RAX=000000000000000f RBX=ffffffff823697b9 RCX=00000000c0000080 RDX=0000000000000cf9
RSI=000000000000000f RDI=0000000000000cf9 RBP=000000000000000f RSP=ffa000000041ba68
R8 =0000000000000001 R9 =ffa000000041ba94 R10=0000000000000003 R11=ffffffff82ad2328
RIP=ffffffff8163020f RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0000 0000000000000000 ffffffff 00c00000
CR0=80050033 CR2=00007ffd CR3=000000000a52c000 CR4=000006f0

CPU#1
RAX=ffffffff8106ab00 RBX=0000000000000001 RCX=00000000c0000080 RDX=0000000000000000
RIP=ffffffff8103d023 RFL=00000093 [--S-A-C] CPL=0 II=0 A20=1 SMM=0 HLT=1
"""
ARM64 = """
CPU#0
 PC=ffff8000080280ac X00=0000000084000009 X01=0000000000000000
X02=0000000000000000 X29=ffff800009d6b8d0
X30=ffff8000088fabc0  SP=ffff800009d6b890
PSTATE=800000c5 N--- EL1h    FPU disabled
"""
RISCV64 = """
CPU#0
 V      =   0
 pc       ffffffff80003a4c
 mhartid  0000000000000000
 x0/zero  0000000000000000 x1/ra    ffffffff80003a4c x2/sp    ffffffff81403f10 x3/gp    ffffffff81500000
 x8/s0    ffffffff81403f20 x9/s1    0000000000000001 x10/a0   0000000000000002 x11/a1   0000000000000003
"""


def test_of_x86_64_every_cpu_is_read() -> None:
    found = parse(X86_64, "x86_64")
    assert list(found) == [0, 1]
    first = found[0]
    assert (first["rip"], first["rsp"], first["r8"], first["r11"]) == (
        0xFFFFFFFF8163020F,
        0xFFA000000041BA68,
        1,
        0xFFFFFFFF82AD2328,
    )
    assert first["eflags"] == 0x46 and "cr0" not in first and "es" not in first
    assert found[1]["rip"] == 0xFFFFFFFF8103D023


def test_arm64_has_its_names() -> None:
    (found,) = parse(ARM64, "arm64").values()
    assert found == {
        "x0": 0x84000009,
        "x1": 0,
        "x2": 0,
        "x29": 0xFFFF800009D6B8D0,
        "x30": 0xFFFF8000088FABC0,
        "sp": 0xFFFF800009D6B890,
        "pc": 0xFFFF8000080280AC,
        "cpsr": 0x800000C5,
    }


def test_riscv64_has_the_names_of_its_convention() -> None:
    (found,) = parse(RISCV64, "riscv64").values()
    assert found["pc"] == found["ra"] == 0xFFFFFFFF80003A4C
    assert (found["sp"], found["fp"], found["a1"]) == (0xFFFFFFFF81403F10, 0xFFFFFFFF81403F20, 3)


def test_what_is_no_dump_has_no_cpus() -> None:
    assert parse("unknown command: 'info registers'", "x86_64") == {}
