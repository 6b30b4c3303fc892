/* SPDX-License-Identifier: MIT */
/* Counts by which way the kernel came to cap_task_prctl: stacks holds the return addresses, the innermost first, ways
   how often each stack was seen. */
#include "arguments.h"

#define DEPTH 127

struct stack {
    u64 addresses[DEPTH];
};

LEGACY_MAP(stacks, STACK_TRACE, u32, struct stack, 64);
LEGACY_MAP(ways, HASH, u32, u64, 64);

int SEC("kprobe/cap_task_prctl") trace(struct pt_regs *registers)
{
    u64 one = 1, *count;
    s64 id;
    u32 key;

    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    id = stack_id(registers, &stacks, 0);
    if (id < 0)
        return DROP;
    key = id;
    count = map_lookup(&ways, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        map_update(&ways, &key, &one, ANY);
    return KEEP;
}

LICENSE("GPL");
