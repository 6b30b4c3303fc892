/* SPDX-License-Identifier: MIT */
// A TCG plugin of QEMU that records registers and memory wherever the guest executes an instruction of given addresses,
// without stopping it. The bench says where and what in a file that both map; the records go to a second one.
//
// API is the plugin interface it is built for. 4 (QEMU 9.2): registers and memory are read through the interface. 1
// (QEMU 4.2 to 8.2) cannot read either; there, functions of QEMU itself are called, which its binary exports. They see
// registers as they were when the translation block was entered. A block in which a later instruction is to be recorded
// is therefore left at once, and QEMU is made to translate its page one instruction a block.
//
// Everything used of QEMU and glib is declared here, as docs/devel/tcg-plugins.rst and include/qemu/qemu-plugin.h of
// QEMU have it, so that a C compiler is enough to build it.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

// glib, which QEMU is linked with.
typedef struct {
    uint8_t *data;
    unsigned len;
} GByteArray;
typedef struct {
    char *data;
    unsigned len;
} GArray;
extern GByteArray *g_byte_array_new(void);
extern GByteArray *g_byte_array_set_size(GByteArray *array, unsigned length);

// The plugin interface.
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
};
enum { CB_R_REGS = 1 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_init_cb(plugin_id id, void (*cb)(plugin_id, unsigned));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned, void *), int flags,
                                                 void *data);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned, void *),
                                                   int flags, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
extern void qemu_plugin_reset(plugin_id id, void (*cb)(plugin_id));
EXPORT int qemu_plugin_version = API;

// The file of the bench's wishes; hil/recorder/control.py has the same layout. All numbers are 64 bits wide.
enum { MOST_REGISTERS = 16, MOST_WINDOWS = 4, MOST_GROUPS = 4, MOST_RANGES = 8192 };
struct window { // `size` bytes at word number `word` of the record's body plus `offset`
    uint64_t word, offset, size;
};
struct group { // what is recorded: the body is the address, the registers, then the windows
    uint64_t registers, reg[MOST_REGISTERS], windows;
    struct window window[MOST_WINDOWS];
};
struct range { // where: instructions at `start` and behind it, before `end`
    uint64_t start, end, group;
};
struct control {
    uint64_t recording; // whether records are taken
    uint64_t wanted;    // the bench adds one after changing what is below `front`
    uint64_t armed;     // `wanted`, once every instruction is translated anew
    uint64_t lost;      // records for which there was no room
    uint64_t failed;    // registers that could not be read
    uint64_t front;     // bytes of records
    uint64_t groups;
    struct group group[MOST_GROUPS];
    uint64_t ranges;
    struct range range[MOST_RANGES]; // sorted, disjoint
};

struct record {
    uint64_t size;    // of all of it, in bytes
    uint64_t order;   // counts all records
    uint64_t where;   // the group; the CPU from bit 8 on; STALE
    uint64_t missing; // bit n: window n could not be read as a whole
    uint64_t body[];
};
enum { CPU_SHIFT = 8, PAGE = 4096 };
static const uint64_t STALE = 1ULL << 63;

struct spot { // an instruction that is recorded
    uint64_t address, group;
    bool stale;
};

static struct control *control;
static char *records;
static uint64_t room;
static uint64_t order;
static __thread GByteArray *buffer;

static GByteArray *scratch(void)
{
    if (!buffer)
        buffer = g_byte_array_new();
    g_byte_array_set_size(buffer, 0);
    return buffer;
}

static uint64_t low64(const GByteArray *bytes)
{
    uint64_t value = 0;
    memcpy(&value, bytes->data, bytes->len < 8 ? bytes->len : 8);
    return value;
}

#if API >= 4

static void be_current(struct qemu_plugin_tb *tb)
{
    (void)tb; // registers can be read at every instruction
}

struct qemu_plugin_register;
typedef struct {
    struct qemu_plugin_register *handle;
    const char *name, *feature;
} register_descriptor;
extern GArray *qemu_plugin_get_registers(void);
extern int qemu_plugin_read_register(struct qemu_plugin_register *handle, GByteArray *into);
extern bool qemu_plugin_read_memory_vaddr(uint64_t address, GByteArray *into, size_t size);

// Numbers of registers are gdb's: features/64bit-core.xml and features/aarch64-core.xml there.
static const char *const x86_names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
enum { MOST_NUMBERS = 32, X86_REGISTERS = 16, SP = 31 };
static struct qemu_plugin_register *handles[MOST_NUMBERS];

static void on_init(plugin_id id, unsigned cpu)
{
    (void)id, (void)cpu;
    GArray *all = qemu_plugin_get_registers();
    const register_descriptor *each = (const register_descriptor *)all->data;
    for (unsigned i = 0; i < all->len; i++) {
        unsigned number;
        char more;
        for (unsigned n = 0; n < X86_REGISTERS; n++)
            if (!strcmp(each[i].name, x86_names[n]))
                handles[n] = each[i].handle;
        if (sscanf(each[i].name, "x%u%c", &number, &more) == 1 && number < SP)
            handles[number] = each[i].handle;
        if (!strcmp(each[i].name, "sp"))
            handles[SP] = each[i].handle;
    }
}

static uint64_t read_register(unsigned cpu, uint64_t number)
{
    (void)cpu;
    GByteArray *into = scratch();
    if (number >= MOST_NUMBERS || !handles[number] || qemu_plugin_read_register(handles[number], into) <= 0)
        __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
    return low64(into);
}

static bool read_memory(unsigned cpu, uint64_t address, void *to, size_t size)
{
    (void)cpu;
    GByteArray *into = scratch();
    if (!qemu_plugin_read_memory_vaddr(address, into, size) || into->len < size)
        return false;
    memcpy(to, into->data, size);
    return true;
}

#else

// QEMU's own functions; a binary for one target has only one of the two that read registers.
struct CPUState;
extern struct CPUState *qemu_get_cpu(int index);
extern int x86_cpu_gdb_read_register(struct CPUState *cpu, GByteArray *into, int number) __attribute__((weak));
extern int aarch64_cpu_gdb_read_register(struct CPUState *cpu, GByteArray *into, int number) __attribute__((weak));
extern int cpu_memory_rw_debug(struct CPUState *cpu, uint64_t address, void *buffer, uint64_t size, bool write);
struct CPUBreakpoint;
extern int cpu_breakpoint_insert(struct CPUState *cpu, uint64_t pc, int flags, struct CPUBreakpoint **breakpoint);
extern void cpu_breakpoint_remove_by_ref(struct CPUState *cpu, struct CPUBreakpoint *breakpoint);
extern void cpu_loop_exit_noexc(struct CPUState *cpu) __attribute__((noreturn));
union run_on_cpu_data {
    void *pointer;
    uint64_t number;
};
extern void async_run_on_cpu(struct CPUState *cpu, void (*work)(struct CPUState *, union run_on_cpu_data),
                             union run_on_cpu_data data);

// The pages that a CPU last was made to execute one instruction a block. QEMU does so where a page has a breakpoint
// (check_for_breakpoints(), accel/tcg/cpu-exec.c). It looks at all of them whenever it enters a block, so they are few.
enum { MOST_CPUS = 16, MOST_PAGES = 16 };
struct single {
    struct CPUBreakpoint *first, *last;
};
static struct single singles[MOST_CPUS][MOST_PAGES];
static unsigned oldest[MOST_CPUS]; // both are used by the CPU's own thread only

// Leaves the block before its first instruction; QEMU then makes another one, of this instruction alone. A breakpoint
// that is neither gdb's nor the CPU's (flags) stops nothing. At its own address it does not count for the page: hence
// two of them.
static void on_entry(unsigned cpu, void *data)
{
    uint64_t page = (uint64_t)(uintptr_t)data & ~(uint64_t)(PAGE - 1);
    if (cpu >= MOST_CPUS)
        return; // its records are marked as stale
    struct CPUState *state = qemu_get_cpu((int)cpu);
    struct single *single = &singles[cpu][oldest[cpu]++ % MOST_PAGES];
    if (single->first) {
        cpu_breakpoint_remove_by_ref(state, single->first);
        cpu_breakpoint_remove_by_ref(state, single->last);
    }
    cpu_breakpoint_insert(state, page, 0, &single->first);
    cpu_breakpoint_insert(state, page + PAGE - 1, 0, &single->last);
    cpu_loop_exit_noexc(state);
}

static void be_current(struct qemu_plugin_tb *tb)
{
    uint64_t address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_entry, CB_R_REGS, (void *)(uintptr_t)address);
}

static void on_init(plugin_id id, unsigned cpu)
{
    (void)id, (void)cpu;
}

static uint64_t read_register(unsigned cpu, uint64_t number)
{
    GByteArray *into = scratch();
    int (*read)(struct CPUState *, GByteArray *, int) =
        x86_cpu_gdb_read_register ? x86_cpu_gdb_read_register : aarch64_cpu_gdb_read_register;
    if (!read || !read(qemu_get_cpu((int)cpu), into, (int)number))
        __atomic_fetch_add(&control->failed, 1, __ATOMIC_RELAXED);
    return low64(into);
}

static bool read_memory(unsigned cpu, uint64_t address, void *to, size_t size)
{
    return cpu_memory_rw_debug(qemu_get_cpu((int)cpu), address, to, size, false) == 0;
}

#endif

// Reads what there is, page by page: what follows the memory that is asked for need not be there. The rest is zero.
static bool read_window(unsigned cpu, uint64_t address, char *to, size_t size)
{
    bool whole = true;
    while (size) {
        size_t part = PAGE - address % PAGE;
        if (part > size)
            part = size;
        if (!read_memory(cpu, address, to, part)) {
            whole = false;
            memset(to, 0, part);
        }
        address += part, to += part, size -= part;
    }
    return whole;
}

static size_t size_of(const struct group *group)
{
    size_t size = sizeof(struct record) + 8 * (1 + group->registers);
    for (uint64_t i = 0; i < group->windows; i++)
        size += group->window[i].size;
    return (size + 7) & ~(size_t)7;
}

static void on_execution(unsigned cpu, void *data)
{
    const struct spot *spot = data;
    if (!__atomic_load_n(&control->recording, __ATOMIC_ACQUIRE))
        return;
    const struct group *group = &control->group[spot->group];
    size_t size = size_of(group);
    uint64_t at = __atomic_fetch_add(&control->front, size, __ATOMIC_ACQ_REL);
    if (at + size > room) {
        __atomic_fetch_sub(&control->front, size, __ATOMIC_ACQ_REL);
        __atomic_fetch_add(&control->lost, 1, __ATOMIC_RELAXED);
        return;
    }
    struct record *record = (struct record *)(records + at);
    record->size = size;
    record->order = __atomic_fetch_add(&order, 1, __ATOMIC_RELAXED);
    record->where = spot->group | (uint64_t)cpu << CPU_SHIFT | (spot->stale ? STALE : 0);
    record->missing = 0;
    record->body[0] = spot->address;
    for (uint64_t i = 0; i < group->registers; i++)
        record->body[1 + i] = read_register(cpu, group->reg[i]);
    char *next = (char *)&record->body[1 + group->registers];
    for (uint64_t i = 0; i < group->windows; i++) {
        const struct window *window = &group->window[i];
        if (!read_window(cpu, record->body[window->word] + window->offset, next, window->size))
            record->missing |= 1ULL << i;
        next += window->size;
    }
}

static const struct range *range_of(uint64_t address)
{
    uint64_t low = 0, high = control->ranges;
    while (low < high) { // the first range that ends behind the address
        uint64_t middle = (low + high) / 2;
        if (control->range[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct range *range = &control->range[low];
    return low < control->ranges && range->start <= address ? range : NULL;
}

static void on_reset(plugin_id id);
static plugin_id self;
static uint64_t resetting;

// Takes up what the bench wants by now; returns whether it is taken up already. Nothing but a reset drops translations
// that were made before the ranges were known. A CPU's thread must call it.
static bool take_up(void)
{
    uint64_t wanted = __atomic_load_n(&control->wanted, __ATOMIC_ACQUIRE);
    if (wanted == __atomic_load_n(&control->armed, __ATOMIC_ACQUIRE))
        return true;
    if (__atomic_exchange_n(&resetting, wanted, __ATOMIC_ACQ_REL) != wanted)
        qemu_plugin_reset(self, on_reset);
    return false;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    if (!take_up())
        return;
    bool later = false; // whether an instruction behind the first one is recorded
    size_t count = control->ranges ? qemu_plugin_tb_n_insns(tb) : 0;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const struct range *range = range_of(qemu_plugin_insn_vaddr(insn));
        if (!range)
            continue;
        struct spot *spot = malloc(sizeof *spot); // as long as QEMU: nothing tells when a translation is dropped
        if (!spot)
            return;
        later = later || i > 0;
        *spot = (struct spot){qemu_plugin_insn_vaddr(insn), range->group, API < 4 && i > 0};
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_execution, CB_R_REGS, spot);
    }
    if (later)
        be_current(tb);
}

static void subscribe(plugin_id id)
{
    qemu_plugin_register_vcpu_init_cb(id, on_init);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
}

static void on_reset(plugin_id id)
{
    subscribe(id);
    __atomic_store_n(&control->armed, resetting, __ATOMIC_RELEASE);
}

#if API >= 4

static bool await_wishes(plugin_id id)
{
    subscribe(id);
    return true;
}

#else

// A plugin that is told of translations makes each of them dearer, by a tenth of what a busy guest costs. Therefore it
// is not told of any before there is something to record: a thread looks whether there is, and lets a CPU's thread take
// it up.
static const struct timespec LOOK = {.tv_nsec = 10000000};

static void on_cpu(struct CPUState *cpu, union run_on_cpu_data data)
{
    (void)cpu, (void)data;
    take_up();
}

static void *look(void *nothing)
{
    uint64_t asked = 0;
    for (;;) {
        uint64_t wanted = __atomic_load_n(&control->wanted, __ATOMIC_ACQUIRE);
        struct CPUState *cpu = qemu_get_cpu(0);
        if (wanted != asked && cpu) {
            asked = wanted;
            async_run_on_cpu(cpu, on_cpu, (union run_on_cpu_data){nothing});
        }
        nanosleep(&LOOK, NULL);
    }
    return NULL;
}

static bool await_wishes(plugin_id id)
{
    (void)id;
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for QEMU's own threads
    bool begun = !pthread_create(&thread, NULL, look, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return begun && !pthread_detach(thread);
}

#endif

// Maps the file in the argument `name=path`; its size in bytes is returned, 0 when that fails.
static uint64_t map(int argc, char **argv, const char *name, void **at)
{
    size_t length = strlen(name);
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], name, length) || argv[i][length] != '=')
            continue;
        int file = open(argv[i] + length + 1, O_RDWR | O_CLOEXEC);
        off_t size = file < 0 ? 0 : lseek(file, 0, SEEK_END);
        *at = size > 0 ? mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
        if (file >= 0)
            close(file);
        return *at == MAP_FAILED ? 0 : (uint64_t)size;
    }
    return 0;
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    void *first, *second;
    if (!info->system_emulation || map(argc, argv, "control", &first) < sizeof *control)
        return -1;
    room = map(argc, argv, "records", &second);
    if (!room)
        return -1;
    control = first;
    records = second;
    self = id;
    return await_wishes(id) ? 0 : -1;
}
