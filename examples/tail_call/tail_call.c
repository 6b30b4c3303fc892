/* SPDX-License-Identifier: MIT */
/* A program for each kind of call: the first argument selects one of two programs, which goes on in its place. The
   array of programs is defined in BTF, which also names the programs that are put into it. */
#include "arguments.h"

struct {
    NUMBER(type, ARRAY);
    NUMBER(max_entries, 3);
    TYPE(key, u32);
    TYPE(value, u64);
} counts SEC(".maps");

INLINE int add(u32 key)
{
    u64 *value = map_lookup(&counts, &key);

    if (value)
        __sync_fetch_and_add(value, 1);
    return KEEP;
}

int SEC("kprobe") zero(struct pt_regs *registers)
{
    return add(0);
}

int SEC("kprobe") one(struct pt_regs *registers)
{
    return add(1);
}

struct {
    NUMBER(type, PROG_ARRAY);
    NUMBER(max_entries, 4);
    TYPE(key, u32);
    int (*values[])(struct pt_regs *);
} kinds SEC(".maps") = {.values = {[0] = zero, [1] = one}};

int SEC("kprobe/cap_task_prctl") select(struct pt_regs *registers)
{
    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    tail_call(registers, &kinds, ARGUMENT_2(registers));
    return add(2); /* reached only when that slot is empty */
}

LICENSE("GPL");
