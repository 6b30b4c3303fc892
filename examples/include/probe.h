/* SPDX-License-Identifier: MIT */
/* What a probe needs, without anybody else's headers: types, sections, helpers by their numbers, definitions of maps.
   The numbers are those of enum bpf_func_id, include/uapi/linux/bpf.h; each helper says since which release kprobe
   programs may call it. */
#ifndef PROBE_H
#define PROBE_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* What the program returns: whether the event counts the hit, and its ring buffer gets a sample. */
#define DROP 0
#define KEEP 1

#define ANY 0 /* BPF_ANY: make the element or change it */

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;                              /* 4.1 */
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2; /* 4.1 */
static long (*const map_delete)(void *map, const void *key) = (void *)3;                               /* 4.1 */
static u64 (*const ktime_ns)(void) = (void *)5;                                                        /* 4.1 */
static long (*const tail_call)(void *context, void *map, u32 index) = (void *)12;                      /* 4.2 */
static u64 (*const current_pid_tgid)(void) = (void *)14;                                               /* 4.2 */
static long (*const perf_output)(void *context, void *map, u64 flags, const void *data,
                                 u64 size) = (void *)25;                                    /* 4.4 */
static long (*const stack_id)(void *context, void *map, u64 flags) = (void *)27;            /* 4.6 */
static void *(*const current_task)(void) = (void *)35;                                      /* 4.8 */
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113; /* 5.5 */

/* enum bpf_map_type */
#define HASH 1
#define ARRAY 2
#define PROG_ARRAY 3       /* 4.2 */
#define PERF_EVENT_ARRAY 4 /* 4.3 */
#define PERCPU_ARRAY 6     /* 4.6 */
#define STACK_TRACE 7      /* 4.6 */

/* The definition of a map as every loader since 4.1 reads it, in the section "maps". */
struct legacy_map {
    u32 type;
    u32 key_size;
    u32 value_size;
    u32 max_entries;
    u32 flags;
};
#define LEGACY_MAP(name, kind, key, value, entries)                                                                    \
    struct legacy_map SEC("maps")                                                                                      \
        name = {.type = kind, .key_size = sizeof(key), .value_size = sizeof(value), .max_entries = entries}

/* Fields of a definition in BTF, in the section ".maps": a number is the size of an array that nobody allocates. */
#define NUMBER(name, value) int (*name)[value]
#define TYPE(name, value) typeof(value) *name

#define LICENSE(text) char SEC("license") _license[] = text

#endif
