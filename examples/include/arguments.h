/* SPDX-License-Identifier: MIT */
/* Arguments and result of the probed function, in the registers that the C calling convention of the architecture puts
   them into: struct pt_regs of arch/ARCH/include/asm/ptrace.h. An object is of one architecture because of this. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "probe.h"

#if defined(FOR_x86_64)
struct pt_regs {
    u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#define ARGUMENT_1(registers) ((registers)->di)
#define ARGUMENT_2(registers) ((registers)->si)
#define ARGUMENT_3(registers) ((registers)->dx)
#define RESULT(registers) ((registers)->ax)
#elif defined(FOR_arm64)
struct pt_regs {
    u64 x[31], sp, pc, pstate;
};
#define ARGUMENT_1(registers) ((registers)->x[0])
#define ARGUMENT_2(registers) ((registers)->x[1])
#define ARGUMENT_3(registers) ((registers)->x[2])
#define RESULT(registers) ((registers)->x[0])
#elif defined(FOR_riscv64)
struct pt_regs {
    u64 epc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a[8];
};
#define ARGUMENT_1(registers) ((registers)->a[0])
#define ARGUMENT_2(registers) ((registers)->a[1])
#define ARGUMENT_3(registers) ((registers)->a[2])
#define RESULT(registers) ((registers)->a[0])
#else
#error "compile with -DFOR_x86_64, -DFOR_arm64 or -DFOR_riscv64"
#endif

/* An option that no kernel knows: other callers of prctl(2) are told from a test's by it. */
#define OUR_OPTION 0x7fff0001

#endif
