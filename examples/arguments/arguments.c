/* SPDX-License-Identifier: MIT */
/* Keeps the arguments of the last lseek(2) on /dev/null: null_lseek(file, offset, whence). */
#include "arguments.h"

LEGACY_MAP(last, ARRAY, u32, u64, 2);

INLINE void keep(u32 key, u64 value)
{
    map_update(&last, &key, &value, ANY);
}

int SEC("kprobe/null_lseek") seek(struct pt_regs *registers)
{
    keep(0, ARGUMENT_2(registers));
    keep(1, (u32)ARGUMENT_3(registers));
    return KEEP;
}

LICENSE("GPL");
