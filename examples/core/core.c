/* SPDX-License-Identifier: MIT */
/* Reads a field of the kernel's struct task_struct, whose place the loader takes from the kernel's own types (CO-RE).
   Kernels without BTF, 4.1 among them, cannot tell it. */
#include "arguments.h"

/* Of the kernel's structure only what is used; the loader finds the rest by the names. */
struct task_struct {
    int pid;
    int tgid;
} __attribute__((preserve_access_index));

struct {
    NUMBER(type, ARRAY);
    NUMBER(max_entries, 2);
    TYPE(key, u32);
    TYPE(value, u64);
} same SEC(".maps");

int SEC("kprobe/cap_task_prctl") compare(struct pt_regs *registers)
{
    struct task_struct *task = current_task();
    u64 *count;
    u32 key;
    int tgid = 0;

    if ((u32)ARGUMENT_1(registers) != OUR_OPTION)
        return DROP;
    probe_read_kernel(&tgid, sizeof(tgid), &task->tgid);
    key = (u32)tgid == current_pid_tgid() >> 32;
    count = map_lookup(&same, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    return KEEP;
}

LICENSE("GPL");
