/* SPDX-License-Identifier: MIT */
/* Counts by CPU: each has a value of its own, so that no atomic instruction is needed. */
#include "arguments.h"

LEGACY_MAP(hits, PERCPU_ARRAY, u32, u64, 1);

int SEC("kprobe/cap_task_prctl") count(struct pt_regs *registers)
{
    u32 key = 0;
    u64 *value;

    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    value = map_lookup(&hits, &key);
    if (value)
        *value += 1;
    return KEEP;
}

LICENSE("GPL");
