/* SPDX-License-Identifier: MIT */
// A loader without any library: counts hits of a kprobe on the system call getpgid in a map, on every kernel since 4.1.
//
//     loader [leave | linger SECONDS | fail | fork | fill]
//
// leave: the line of kprobe_events stays. linger: keeps everything attached. fail: ends with status 7. fork: leaves a
// process with everything attached. fill: writes until there is no space.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const tracing[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
static const char *const symbols[] = {"__x64_sys_getpgid", "__arm64_sys_getpgid", "__riscv_sys_getpgid", "SyS_getpgid",
                                      "sys_getpgid"};

static long bpf(int command, union bpf_attr *attr)
{
    return syscall(__NR_bpf, command, attr, sizeof(*attr));
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "loader: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int append(const char *file, const char *line)
{
    int fd = -1;
    ssize_t written;

    for (size_t i = 0; i < sizeof(tracing) / sizeof(*tracing) && fd < 0; i++) {
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", tracing[i], file);
        fd = open(path, O_WRONLY | O_APPEND);
    }
    if (fd < 0)
        return -1;
    written = write(fd, line, strlen(line));
    close(fd);
    return written < 0 ? -1 : 0;
}

static int event_id(void)
{
    FILE *file = NULL;
    int id;

    for (size_t i = 0; i < sizeof(tracing) / sizeof(*tracing) && !file; i++) {
        char path[256];

        snprintf(path, sizeof(path), "%s/events/hil_loader/hits/id", tracing[i]);
        file = fopen(path, "r");
    }
    if (!file || fscanf(file, "%d", &id) != 1)
        die("no id of the event");
    fclose(file);
    return id;
}

static int make_map(void)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};

    return bpf(BPF_MAP_CREATE, &attr);
}

static int load(int map)
{
    struct utsname name;
    unsigned int major, minor, sublevel = 0;
    struct bpf_insn code[] = {
        {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
        {0},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 2},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1},
        {.code = BPF_STX | 0xc0 | BPF_DW, .dst_reg = 0, .src_reg = 1},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attr = {
        .prog_type = BPF_PROG_TYPE_KPROBE,
        .insns = (unsigned long)code,
        .insn_cnt = sizeof(code) / sizeof(*code),
        .license = (unsigned long)"GPL",
    };

    // Kernels before 5.0 compare this, with at most 255 for the sublevel.
    uname(&name);
    sscanf(name.release, "%u.%u.%u", &major, &minor, &sublevel);
    attr.kern_version = major << 16 | minor << 8 | (sublevel > 255 ? 255 : sublevel);
    return bpf(BPF_PROG_LOAD, &attr);
}

static void probe(void)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
        char line[128];

        snprintf(line, sizeof(line), "p:hil_loader/hits %s\n", symbols[i]);
        if (!append("kprobe_events", line))
            return;
    }
    die("no probe on getpgid");
}

static void fill(void)
{
    static char zeros[1 << 20];
    int fd = open("filled", O_WRONLY | O_CREAT, 0600);

    while (write(fd, zeros, sizeof(zeros)) > 0)
        ;
    die("write");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct perf_event_attr event = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(event), .sample_period = 1};
    unsigned int key = 0;
    unsigned long long hits = 0;
    union bpf_attr lookup = {.key = (unsigned long)&key, .value = (unsigned long)&hits};
    int map, program, fd;

    if (!strcmp(what, "fill"))
        fill();
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    map = make_map();
    if (map < 0)
        die("map");
    program = load(map);
    if (program < 0)
        die("program");
    probe();
    event.config = event_id();
    fd = syscall(__NR_perf_event_open, &event, 0, -1, -1, 0);
    if (fd < 0)
        die("perf_event_open");
    if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
        die("attach");
    for (int i = 0; i < 10; i++)
        getpgid(0);
    lookup.map_fd = map;
    if (bpf(BPF_MAP_LOOKUP_ELEM, &lookup))
        die("lookup");
    printf("%llu hits\n", hits);
    fflush(stdout);
    if (!strcmp(what, "linger"))
        sleep(argc > 2 ? atoi(argv[2]) : 2);
    if (!strcmp(what, "fork") && !fork()) {
        setsid();
        pause();
    }
    if (!strcmp(what, "fork"))
        return 0;
    close(fd);
    if (strcmp(what, "leave") && append("kprobe_events", "-:hil_loader/hits\n"))
        die("kprobe_events");
    return strcmp(what, "fail") ? 0 : 7;
}
