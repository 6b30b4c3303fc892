/* SPDX-License-Identifier: MIT */
/* How long write(2) to /dev/null takes in the driver: a histogram whose slot n counts the calls that took at least 2^n
   and less than 2^(n+1) ns. Entry and return find each other by the calling thread. */
#include "arguments.h"

#define SLOTS 32

LEGACY_MAP(starts, HASH, u64, u64, 1024);
LEGACY_MAP(slots, ARRAY, u32, u64, SLOTS);

int SEC("kprobe/write_null") enter(struct pt_regs *registers)
{
    u64 thread = current_pid_tgid(), now = ktime_ns();

    map_update(&starts, &thread, &now, ANY);
    return KEEP;
}

/* Without a loop, which kernels before 5.3 refuse. */
INLINE u32 log2(u64 value)
{
    u32 power = 0;

    if (value >> 16) {
        power += 16;
        value >>= 16;
    }
    if (value >> 8) {
        power += 8;
        value >>= 8;
    }
    if (value >> 4) {
        power += 4;
        value >>= 4;
    }
    if (value >> 2) {
        power += 2;
        value >>= 2;
    }
    return power + (value >> 1 ? 1 : 0);
}

int SEC("kretprobe/write_null") leave(struct pt_regs *registers)
{
    u64 thread = current_pid_tgid(), *start = map_lookup(&starts, &thread), *count;
    u32 slot;

    if (!start)
        return DROP; /* the call began before the probe was there */
    slot = log2((ktime_ns() - *start) & 0xffffffff);
    map_delete(&starts, &thread);
    count = map_lookup(&slots, &slot);
    if (count)
        __sync_fetch_and_add(count, 1);
    return KEEP;
}

LICENSE("GPL");
