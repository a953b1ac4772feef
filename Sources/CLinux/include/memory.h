// Memory that processes share, and the order in which two threads or processes see it.
#pragma once
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include "result.h"

/// Zeroed private pages. Returns 0 and the address in `out`.
static inline int linux_map_private(size_t size, void **out) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -errno;
    *out = memory;
    return 0;
}

/// mmap(2) of a descriptor, shared, from its beginning.
static inline int linux_map_shared(int fd, size_t size, int writable, void **out) {
    void *memory = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return -errno;
    *out = memory;
    return 0;
}

static inline int linux_unmap(void *memory, size_t size) { return linux_code(munmap(memory, size)); }

/// madvise(MADV_HUGEPAGE): a hint; failure costs speed only.
static inline int linux_use_huge_pages(void *memory, size_t size) {
    return linux_code(madvise(memory, size, 14 /* MADV_HUGEPAGE */));
}

/// madvise(MADV_DONTDUMP): tenants' frames stay out of core files.
static inline int linux_keep_out_of_dumps(void *memory, size_t size) {
    return linux_code(madvise(memory, size, 16 /* MADV_DONTDUMP */));
}

/// <linux/fcntl.h>, seals of a memfd.
enum {
    LINUX_F_SEAL_SEAL = 1,
    LINUX_F_SEAL_SHRINK = 2,
    LINUX_F_SEAL_GROW = 4,
    LINUX_F_SEAL_WRITE = 8,
    LINUX_F_SEAL_FUTURE_WRITE = 16,
};

/// memfd_create(2) of `size` bytes: close-on-exec, sealable, never executable where the kernel knows MFD_NOEXEC_SEAL.
static inline int linux_memfd(const char *name, size_t size) {
    long fd = syscall(SYS_memfd_create, name, 1 /* CLOEXEC */ | 2 /* ALLOW_SEALING */ | 8 /* NOEXEC_SEAL */);
    if (fd < 0 && errno == EINVAL) fd = syscall(SYS_memfd_create, name, 1 | 2);
    if (fd < 0) return -errno;
    if (ftruncate((int)fd, (off_t)size) < 0) {
        int error = errno;
        close((int)fd);
        return -error;
    }
    return (int)fd;
}

static inline int linux_add_seals(int fd, int seals) { return linux_code(fcntl(fd, 1033 /* F_ADD_SEALS */, seals)); }
static inline int linux_get_seals(int fd) { return linux_code(fcntl(fd, 1034 /* F_GET_SEALS */)); }

/// The size of the file behind `fd`, or a negative errno.
static inline int64_t linux_file_size(int fd) {
    off_t end = lseek(fd, 0, SEEK_END);
    return end < 0 ? -errno : (int64_t)end;
}

// Atomics over plain memory: Swift's Synchronization types cannot be laid over a mapping that another process made.

static inline uint64_t linux_load_acquire(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static inline void linux_store_release(uint64_t *at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
static inline uint64_t linux_load_relaxed(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }
static inline void linux_store_relaxed(uint64_t *at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_RELAXED); }
static inline uint32_t linux_load_acquire32(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static inline void linux_store_release32(uint32_t *at, uint32_t value) {
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}
static inline uint64_t linux_add_relaxed(uint64_t *at, uint64_t value) {
    return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
}
static inline uint64_t linux_exchange(uint64_t *at, uint64_t value) {
    return __atomic_exchange_n(at, value, __ATOMIC_ACQ_REL);
}
/// Nothing that follows in program order is seen before what precedes.
static inline void linux_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Gives free memory of the heap back to the system.
static inline void linux_trim_memory(void) { malloc_trim(0); }

static inline void linux_prefetch(const void *at) { __builtin_prefetch(at, 0, 3); }
static inline void linux_prefetch_write(const void *at) { __builtin_prefetch(at, 1, 3); }
