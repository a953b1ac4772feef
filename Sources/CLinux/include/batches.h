// Many reads or writes with one system call (io_uring(7), io_uring_enter(2)).
#pragma once
#include <linux/io_uring.h>
#include <sys/mman.h>
#include "result.h"

enum {
    LINUX_BATCH_READ = IORING_OP_READ,
    LINUX_BATCH_WRITE = IORING_OP_WRITE,
    LINUX_BATCH_WRITEV = IORING_OP_WRITEV,  ///< Bytes and count are of pieces (`struct iovec`).
    LINUX_RWF_NOWAIT = 8,
};

/// Rings of submissions and completions, shared with the kernel. Between two calls both are empty.
typedef struct {
    int fd;
    struct io_uring_sqe *submissions;
    struct io_uring_cqe *completions;
    unsigned *submission_head, *submission_tail, *completion_head, *completion_tail;
    unsigned submission_mask, completion_mask;
} linux_batch;

/// Makes room for `entries`, a power of two. Returns 0 or a negative errno: kernels, administrators
/// (kernel.io_uring_disabled) and containers may forbid it. What is mapped stays mapped.
static inline int linux_batch_open(linux_batch *batch, unsigned entries) {
    struct io_uring_params params = {0};
    int fd = linux_code(syscall(SYS_io_uring_setup, entries, &params));
    if (fd < 0) return fd;
    size_t end = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t other = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    size_t size = other > end ? other : end;
    int access = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    unsigned char *rings = MAP_FAILED;
    void *submissions = MAP_FAILED;
    // Both rings in one mapping: Linux 5.4.
    if (params.features & IORING_FEAT_SINGLE_MMAP) {
        rings = mmap(NULL, size, access, flags, fd, IORING_OFF_SQ_RING);
        submissions = mmap(
            NULL, params.sq_entries * sizeof(struct io_uring_sqe), access, flags, fd, IORING_OFF_SQES);
    }
    if (rings == MAP_FAILED || submissions == MAP_FAILED) {
        close(fd);
        return -ENOMEM;
    }
    unsigned *order = (unsigned *)(rings + params.sq_off.array);
    for (unsigned i = 0; i < params.sq_entries; i++) order[i] = i;
    *batch = (linux_batch){
        .fd = fd,
        .submissions = submissions,
        .completions = (struct io_uring_cqe *)(rings + params.cq_off.cqes),
        .submission_head = (unsigned *)(rings + params.sq_off.head),
        .submission_tail = (unsigned *)(rings + params.sq_off.tail),
        .completion_head = (unsigned *)(rings + params.cq_off.head),
        .completion_tail = (unsigned *)(rings + params.cq_off.tail),
        .submission_mask = params.sq_entries - 1,
        .completion_mask = params.cq_entries - 1,
    };
    return 0;
}

/// Prepares call `index` of those that `linux_batch_run` carries out next. It does not wait for anything.
static inline void linux_batch_prepare(
    linux_batch *batch, unsigned index, int operation, int fd, const void *bytes, unsigned count) {
    struct io_uring_sqe *entry = &batch->submissions[(*batch->submission_tail + index) & batch->submission_mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = (uint8_t)operation;
    entry->fd = fd;
    entry->addr = (uintptr_t)bytes;
    entry->len = count;
    entry->rw_flags = LINUX_RWF_NOWAIT;
    entry->user_data = index;
}

/// Carries out the first `count` calls in their order. `results` are counts or negative errnos, as each call alone would
/// have returned. All are done afterwards, and what could not be begun will not be.
static inline void linux_batch_run(linux_batch *batch, unsigned count, int *results) {
    for (unsigned i = 0; i < count; i++) results[i] = -EAGAIN;
    unsigned begin = *batch->submission_tail, done = 0;
    __atomic_store_n(batch->submission_tail, begin + count, __ATOMIC_RELEASE);
    while (done < count) {
        unsigned left = begin + count - __atomic_load_n(batch->submission_head, __ATOMIC_ACQUIRE);
        long result = syscall(SYS_io_uring_enter, batch->fd, left, count - done, IORING_ENTER_GETEVENTS, NULL, 0);
        int error = result < 0 ? errno : 0;
        unsigned head = *batch->completion_head, tail = __atomic_load_n(batch->completion_tail, __ATOMIC_ACQUIRE);
        for (; head != tail; head++, done++) {
            struct io_uring_cqe *entry = &batch->completions[head & batch->completion_mask];
            if (entry->user_data < count) results[entry->user_data] = entry->res;
        }
        __atomic_store_n(batch->completion_head, head, __ATOMIC_RELEASE);
        if (error && error != EINTR) break;
    }
    // Without a kernel thread that polls, the kernel looks at the tail in calls only.
    __atomic_store_n(batch->submission_tail, __atomic_load_n(batch->submission_head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}
