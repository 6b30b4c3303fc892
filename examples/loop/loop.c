/* SPDX-License-Identifier: MIT */
/* Counts the bits of an argument in a loop. Verifiers before 5.3 refuse every jump back, even of a loop that ends. */
#include "arguments.h"

LEGACY_MAP(bits, ARRAY, u32, u64, 1);

int SEC("kprobe/cap_task_prctl") count(struct pt_regs *registers)
{
    u64 argument = ARGUMENT_2(registers), set = 0;
    u32 key = 0;

    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
#pragma clang loop unroll(disable)
    for (u32 bit = 0; bit < 64; bit++) {
        set += argument & 1;
        argument >>= 1;
    }
    map_update(&bits, &key, &set, ANY);
    return KEEP;
}

LICENSE("GPL");
