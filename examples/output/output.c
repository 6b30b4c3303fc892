/* SPDX-License-Identifier: MIT */
/* Sends a record of its own for each call to the ring buffer of the CPU it runs on. */
#include "arguments.h"

#define THIS_CPU 0xffffffffULL /* BPF_F_CURRENT_CPU, 4.5 */

struct record {
    u64 first;
    u64 second;
};

LEGACY_MAP(rings, PERF_EVENT_ARRAY, u32, u32, 2);

int SEC("kprobe/cap_task_prctl") tell(struct pt_regs *registers)
{
    struct record record = {ARGUMENT_2(registers), ARGUMENT_3(registers)};

    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    perf_output(registers, &rings, THIS_CPU, &record, sizeof(record));
    return KEEP;
}

LICENSE("GPL");
