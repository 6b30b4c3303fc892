/* SPDX-License-Identifier: MIT */
/* Counts the calls of prctl(2) with an option that no kernel knows. */
#include "arguments.h"

LEGACY_MAP(hits, ARRAY, u32, u64, 1);

int SEC("kprobe/cap_task_prctl") count(struct pt_regs *registers)
{
    u32 key = 0;
    u64 *value;

    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    value = map_lookup(&hits, &key);
    if (value)
        __sync_fetch_and_add(value, 1);
    return KEEP;
}

LICENSE("GPL");
