// Waiting, waking and time.
#pragma once
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include "result.h"

/// What epoll says about one descriptor. The kernel's layout (packed on x86-64), with the data as one integer.
struct linux_epoll_event {
    uint32_t events;
    uint64_t data;
}
#if defined(__x86_64__)
__attribute__((packed))
#endif
;

enum {
    LINUX_EPOLLIN = 1,
    LINUX_EPOLLOUT = 4,
    LINUX_EPOLLERR = 8,
    LINUX_EPOLLHUP = 16,
};

static inline int linux_epoll_create(void) { return linux_code(epoll_create1(EPOLL_CLOEXEC)); }

/// Level-triggered. EEXIST turns the call into a change of what is asked for.
static inline int linux_epoll_add(int epoll, int fd, uint32_t events, uint64_t data) {
    struct linux_epoll_event event = {.events = events, .data = data};
    long result = syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event);
    if (result < 0 && errno == EEXIST) result = syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, fd, &event);
    return linux_code(result);
}

static inline int linux_epoll_remove(int epoll, int fd) {
    return linux_code(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, fd, NULL));
}

/// The number of events; 0 after the time-out or a signal. `milliseconds` -1 waits for ever, 0 not at all.
static inline int linux_epoll_wait(int epoll, struct linux_epoll_event *events, int count, int milliseconds) {
    long result = syscall(SYS_epoll_pwait, epoll, events, count, milliseconds, NULL, 8);
    if (result < 0 && errno == EINTR) return 0;
    return linux_code(result);
}

/// An eventfd to wake a thread that sleeps in epoll.
static inline int linux_eventfd(void) { return linux_code(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

static inline int linux_eventfd_signal(int fd) {
    uint64_t one = 1;
    return linux_code(write(fd, &one, sizeof one));
}

static inline int linux_eventfd_clear(int fd) {
    uint64_t value;
    return linux_code(read(fd, &value, sizeof value));
}

static inline uint64_t linux_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/// Nanoseconds that only move forward.
static inline uint64_t linux_monotonic(void) { return linux_clock(CLOCK_MONOTONIC); }
/// The same clock as of the last timer tick: a few nanoseconds to read, a few milliseconds coarse.
static inline uint64_t linux_monotonic_coarse(void) { return linux_clock(CLOCK_MONOTONIC_COARSE); }
/// Nanoseconds since 1970.
static inline uint64_t linux_wall_clock(void) { return linux_clock(CLOCK_REALTIME); }

/// Keeps the calling thread on one processor.
static inline int linux_pin_thread(int processor) {
    unsigned long mask[16] = {0};
    if (processor < 0 || (size_t)processor >= sizeof mask * 8) return -EINVAL;
    mask[processor / (8 * sizeof mask[0])] = 1ul << (processor % (8 * sizeof mask[0]));
    return linux_code(syscall(SYS_sched_setaffinity, 0, sizeof mask, mask));
}

/// Lets others run who want the processor.
static inline void linux_yield(void) { syscall(SYS_sched_yield); }

/// One processor's hint that it spins.
static inline void linux_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}
