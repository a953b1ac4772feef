// bpf(2) (include/uapi/linux/bpf.h). Debian 12's header ends before tcx, which Linux 6.6 has.
#pragma once
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "result.h"

/// Where in a device's way a program stands.
enum {
    LINUX_TCX_INGRESS = 46,
    LINUX_TCX_EGRESS = 47,
};

/// BPF_PROG_LOAD of a program that looks at frames (BPF_PROG_TYPE_SCHED_CLS). `instructions` are eight bytes each. Returns
/// its descriptor. What the verifier says is written to `log`.
static inline int linux_load_program(const void *instructions, uint32_t count, char *log, uint32_t log_size) {
    struct {
        uint32_t type, count;
        uint64_t instructions, license;
        uint32_t log_level, log_size;
        uint64_t log;
        uint32_t rest[24];
    } attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = 3;
    attributes.count = count;
    attributes.instructions = (uint64_t)(uintptr_t)instructions;
    attributes.license = (uint64_t)(uintptr_t) "Dual BSD/GPL";
    attributes.log_level = 1;
    attributes.log_size = log_size;
    attributes.log = (uint64_t)(uintptr_t)log;
    return linux_code(syscall(SYS_bpf, 5, &attributes, sizeof attributes));
}

/// BPF_LINK_CREATE: puts a program into the way of a device of the calling thread's namespace, for as long as somebody holds
/// the descriptor that is returned.
static inline int linux_attach_program(int program, int interface_index, int place) {
    uint32_t attributes[16];
    memset(attributes, 0, sizeof attributes);
    attributes[0] = (uint32_t)program;
    attributes[1] = (uint32_t)interface_index;
    attributes[2] = (uint32_t)place;
    return linux_code(syscall(SYS_bpf, 28, attributes, sizeof attributes));
}
