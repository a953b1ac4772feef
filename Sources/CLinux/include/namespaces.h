// Namespaces, mounts and processes: what `Netlink` and `Lab` need beyond Swift's Glibc overlay.
// Every wrapper returns a negative errno on failure and names the system call that it stands for.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// <linux/sched.h>; glibc shows them only with _GNU_SOURCE, which a module import may have missed.
enum {
    LINUX_CLONE_NEWNS = 0x00020000,
    LINUX_CLONE_NEWUSER = 0x10000000,
    LINUX_CLONE_NEWPID = 0x20000000,
    LINUX_CLONE_NEWNET = 0x40000000,
};

// <sys/mount.h>, as plain integers.
enum {
    LINUX_MS_RDONLY = 1,
    LINUX_MS_BIND = 1 << 12,
    LINUX_MS_REC = 1 << 14,
    LINUX_MS_PRIVATE = 1 << 18,
    LINUX_MS_SLAVE = 1 << 19,
    LINUX_MS_SHARED = 1 << 20,
    LINUX_MNT_DETACH = 2,
};

static inline int linux_result(long value) { return value < 0 ? -errno : (int)value; }

/// setns(2): the calling thread enters the namespace behind `fd`.
static inline int linux_setns(int fd, int type) { return linux_result(syscall(SYS_setns, fd, type)); }

/// unshare(2).
static inline int linux_unshare(int flags) { return linux_result(syscall(SYS_unshare, flags)); }

/// mount(2).
static inline int linux_mount(const char *source, const char *target, const char *type, unsigned long flags,
                              const char *data) {
    return linux_result(syscall(SYS_mount, source, target, type, flags, data));
}

/// umount2(2).
static inline int linux_umount(const char *target, int flags) {
    return linux_result(syscall(SYS_umount2, target, flags));
}

/// pipe2(2).
static inline int linux_pipe(int ends[2], int flags) { return linux_result(syscall(SYS_pipe2, ends, flags)); }

// <spawn.h> shows it with _GNU_SOURCE only.
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);

/// posix_spawn_file_actions_addchdir_np(3).
static inline int linux_spawn_in_directory(posix_spawn_file_actions_t *actions, const char *path) {
    return -posix_spawn_file_actions_addchdir_np(actions, path);
}

extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

/// posix_spawn_file_actions_addclosefrom_np(3).
static inline int linux_spawn_close_from(posix_spawn_file_actions_t *actions, int from) {
    return -posix_spawn_file_actions_addclosefrom_np(actions, from);
}

/// pidfd_open(2): a handle that never comes to mean another process.
static inline int linux_pidfd_open(pid_t pid) { return linux_result(syscall(434, pid, 0)); }

/// pidfd_send_signal(2).
static inline int linux_pidfd_send_signal(int pidfd, int signal) {
    return linux_result(syscall(424, pidfd, signal, NULL, 0));
}

/// ioctl(NS_GET_USERNS): a descriptor of the user namespace that owns the namespace behind `fd`.
static inline int linux_owning_user_namespace(int fd) { return linux_result(ioctl(fd, 0xb701)); }

/// ioctl(NS_GET_NSTYPE): LINUX_CLONE_NEWNET for a network namespace; -ENOTTY for what is no namespace.
static inline int linux_namespace_type(int fd) { return linux_result(ioctl(fd, 0xb703)); }

/// The steps of `linux_spawn_sandboxed`, for the sentence about the one that failed.
enum {
    LINUX_SANDBOX_CLONE = 1,
    LINUX_SANDBOX_MAP,
    LINUX_SANDBOX_PRIVATE,
    LINUX_SANDBOX_PROC,
    LINUX_SANDBOX_EXEC,
};

struct linux_sandbox_failure {
    int step;
    int error;
};

static inline int linux_write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t written = write(fd, text, strlen(text));
    int result = written < 0 ? -errno : 0;
    close(fd);
    return result;
}

/// The child's side of `linux_spawn_sandboxed`: system calls only, since the parent may have had other threads.
static inline struct linux_sandbox_failure linux_enter_sandbox(int flags, const char *uid_map, const char *gid_map) {
    int error = 0;
    if (flags & LINUX_CLONE_NEWUSER) {
        // An unprivileged writer of gid_map has to give up setgroups(2) first (user_namespaces(7)).
        if ((error = linux_write_file("/proc/self/setgroups", "deny")) < 0 && error != -ENOENT)
            return (struct linux_sandbox_failure){LINUX_SANDBOX_MAP, -error};
        if ((error = linux_write_file("/proc/self/uid_map", uid_map)) < 0 ||
            (error = linux_write_file("/proc/self/gid_map", gid_map)) < 0)
            return (struct linux_sandbox_failure){LINUX_SANDBOX_MAP, -error};
    }
    if ((error = linux_mount("none", "/", NULL, LINUX_MS_REC | LINUX_MS_PRIVATE, NULL)) < 0)
        return (struct linux_sandbox_failure){LINUX_SANDBOX_PRIVATE, -error};
    if (flags & LINUX_CLONE_NEWPID) {
        if ((error = linux_mount("proc", "/proc", "proc", 0, NULL)) < 0)
            return (struct linux_sandbox_failure){LINUX_SANDBOX_PROC, -error};
    }
    return (struct linux_sandbox_failure){0, 0};
}

/// clone(2) with fork semantics into new namespaces (`flags`: LINUX_CLONE_NEW*, always with NEWNS), where
/// mounts no longer spread to ours, and execve(2) of `path`. With NEWPID the child is that namespace's first process, so that nothing it starts
/// outlives it; it dies with the caller's thread (PR_SET_PDEATHSIG: SIGKILL with NEWPID, else SIGTERM).
/// Returns the child's process id, or a negative errno with the step that failed. Safe with several threads.
static inline int linux_spawn_sandboxed(const char *path, char *const argv[], char *const envp[], int flags,
                                        const char *uid_map, const char *gid_map, int *failed_step) {
    int report[2];
    *failed_step = LINUX_SANDBOX_CLONE;
    if (syscall(SYS_pipe2, report, O_CLOEXEC) < 0) return -errno;
    long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child < 0) {
        int error = errno;
        close(report[0]);
        close(report[1]);
        return -error;
    }
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);  // the caller's thread may be one of a pool, which blocks all signals
        sigprocmask(SIG_SETMASK, &none, NULL);
        struct linux_sandbox_failure failure = linux_enter_sandbox(flags, uid_map, gid_map);
        if (failure.step == 0) {
            // Changing credentials clears it, so it comes last.
            prctl(PR_SET_PDEATHSIG, flags & LINUX_CLONE_NEWPID ? SIGKILL : SIGTERM, 0, 0, 0);
            execve(path, argv, envp);
            failure = (struct linux_sandbox_failure){LINUX_SANDBOX_EXEC, errno};
        }
        if (write(report[1], &failure, sizeof failure) < 0) _exit(126);
        _exit(127);
    }
    close(report[1]);
    struct linux_sandbox_failure failure = {0, 0};
    ssize_t length;
    do length = read(report[0], &failure, sizeof failure);
    while (length < 0 && errno == EINTR);
    close(report[0]);
    if (length != (ssize_t)sizeof failure) return (int)child;  // end of file: execve closed it
    siginfo_t info;
    while (syscall(SYS_waitid, 1 /* P_PID */, (pid_t)child, &info, 4 /* WEXITED */, NULL) < 0 && errno == EINTR) {}
    *failed_step = failure.step;
    return -failure.error;
}

/// recvmsg(2) on a netlink socket that listens to many namespaces, without waiting. Returns the message's own length or
/// -1 with errno; `namespace_id` is untouched for a message from the socket's own namespace (netlink(7),
/// NETLINK_LISTEN_ALL_NSID).
static inline long linux_receive_located(int fd, void *bytes, size_t count, int *namespace_id) {
    struct iovec piece = {bytes, count};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    long result = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
    if (result < 0) return result;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item))
        if (item->cmsg_level == 270 /* SOL_NETLINK */ && item->cmsg_type == 8 /* NETLINK_LISTEN_ALL_NSID */)
            memcpy(namespace_id, CMSG_DATA(item), sizeof *namespace_id);
    return result;
}
