/* SPDX-License-Identifier: MIT */
/* Lets only the calls with an odd first argument through: for the others it returns 0, and then there is no sample in
   the ring buffer of the event. It uses no map and no helper, so its licence does not matter. */
#include "arguments.h"

int SEC("kprobe/cap_task_prctl") odd(struct pt_regs *registers)
{
    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    return ARGUMENT_2(registers) & 1 ? KEEP : DROP;
}

LICENSE("Dual MIT/GPL");
