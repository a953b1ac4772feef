// Messages with ancillary data: many frames with one call, and descriptors between processes.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "result.h"

/// `struct mmsghdr`, which the Glibc headers hide without _GNU_SOURCE.
struct linux_mmsghdr {
    struct msghdr header;
    unsigned int length;
};

/// recvmmsg(2) that does not wait. Returns the number of messages.
static inline int linux_recvmmsg(int fd, struct linux_mmsghdr *messages, unsigned int count) {
    return linux_code(syscall(SYS_recvmmsg, fd, messages, count, 0x40 /* MSG_DONTWAIT */, NULL));
}

/// sendmmsg(2) that does not wait. Returns how many went; the error of a later one is lost, so ask again from there.
static inline int linux_sendmmsg(int fd, struct linux_mmsghdr *messages, unsigned int count) {
    return linux_code(syscall(SYS_sendmmsg, fd, messages, count, 0x40 /* MSG_DONTWAIT */ | 0x4000 /* MSG_NOSIGNAL */));
}

static inline int linux_sendmsg(int fd, const struct msghdr *message) {
    return linux_code(syscall(SYS_sendmsg, fd, message, 0x40 | 0x4000));
}

static inline int linux_read(int fd, void *bytes, size_t count) {
    return linux_code(syscall(SYS_read, fd, bytes, count));
}
static inline int linux_write(int fd, const void *bytes, size_t count) {
    return linux_code(syscall(SYS_write, fd, bytes, count));
}
static inline int linux_readv(int fd, const struct iovec *pieces, int count) {
    return linux_code(syscall(SYS_readv, fd, pieces, count));
}
static inline int linux_writev(int fd, const struct iovec *pieces, int count) {
    return linux_code(syscall(SYS_writev, fd, pieces, count));
}
static inline int linux_close(int fd) { return linux_code(syscall(SYS_close, fd)); }

// Walking ancillary data, which C does with macros.

static inline struct cmsghdr *linux_first_control(const struct msghdr *message) { return CMSG_FIRSTHDR(message); }
static inline struct cmsghdr *linux_next_control(struct msghdr *message, struct cmsghdr *control) {
    return CMSG_NXTHDR(message, control);
}
static inline void *linux_control_data(struct cmsghdr *control) { return CMSG_DATA(control); }
static inline size_t linux_control_length(const struct cmsghdr *control) {
    return control->cmsg_len < CMSG_LEN(0) ? 0 : control->cmsg_len - CMSG_LEN(0);
}
static inline size_t linux_control_space(size_t length) { return CMSG_SPACE(length); }

/// Appends one control message of `length` bytes at `at`. Returns the space that it took.
static inline size_t linux_put_control(void *at, int level, int type, const void *data, size_t length) {
    struct cmsghdr *control = (struct cmsghdr *)at;
    control->cmsg_len = CMSG_LEN(length);
    control->cmsg_level = level;
    control->cmsg_type = type;
    memcpy(CMSG_DATA(control), data, length);
    return CMSG_SPACE(length);
}

/// What the kernel says beside a tunnel packet or a packet-socket frame.
struct linux_ancillary {
    uint32_t interface_index;
    uint32_t segment_size;  ///< UDP_GRO: the datagram is several of this many bytes, the last may have less; or 0.
    uint8_t tos;
    uint8_t has_vlan;
    uint16_t vlan_tci;
    uint16_t vlan_type;
};

/// Reads the ancillary data of a datagram (IP_PKTINFO, IP_TOS and their IPv6 forms, UDP_GRO) or of a packet-socket frame
/// (PACKET_AUXDATA: the VLAN tag that the kernel took out).
static inline void linux_read_ancillary(const struct msghdr *message, struct linux_ancillary *out) {
    memset(out, 0, sizeof *out);
    // By hand, since CMSG_NXTHDR is a call into the C library and this runs for every frame. The kernel wrote it.
    const char *at = (const char *)message->msg_control, *end = at + message->msg_controllen;
    while ((size_t)(end - at) >= CMSG_LEN(0)) {
        const struct cmsghdr *control = (const struct cmsghdr *)at;
        if (control->cmsg_len < CMSG_LEN(0) || control->cmsg_len > (size_t)(end - at)) break;
        const unsigned char *data = CMSG_DATA(control);
        at += CMSG_ALIGN(control->cmsg_len) > (size_t)(end - at) ? (size_t)(end - at) : CMSG_ALIGN(control->cmsg_len);
        switch (control->cmsg_level) {
        case IPPROTO_IP:
            if (control->cmsg_type == 8 /* IP_PKTINFO */)
                memcpy(&out->interface_index, data, 4);
            else if (control->cmsg_type == 1 /* IP_TOS */)
                out->tos = data[0];
            break;
        case IPPROTO_IPV6:
            if (control->cmsg_type == 50 /* IPV6_PKTINFO */) {
                memcpy(&out->interface_index, data + 16, 4);
            } else if (control->cmsg_type == 67 /* IPV6_TCLASS */) {
                int traffic_class;
                memcpy(&traffic_class, data, sizeof traffic_class);
                out->tos = (uint8_t)traffic_class;
            }
            break;
        case IPPROTO_UDP:
            if (control->cmsg_type == 104 /* UDP_GRO */) memcpy(&out->segment_size, data, 4);
            break;
        case 263 /* SOL_PACKET */:
            if (control->cmsg_type == 8 /* PACKET_AUXDATA */) {
                uint32_t status;
                memcpy(&status, data, 4);
                if (status & (1u << 4) /* TP_STATUS_VLAN_VALID */) {
                    out->has_vlan = 1;
                    memcpy(&out->vlan_tci, data + 16, 2);
                    out->vlan_type = 0x8100;
                    if (status & (1u << 6) /* TP_STATUS_VLAN_TPID_VALID */) memcpy(&out->vlan_type, data + 18, 2);
                }
            }
            break;
        }
    }
}

/// One entry of a socket's error queue (IP_RECVERR, `struct sock_extended_err`): what happened to a packet sent earlier.
struct linux_socket_error {
    uint64_t name[4];  ///< Where that packet went: `struct sockaddr_in` or `_in6`.
    uint32_t code;     ///< An errno.
    uint32_t info;     ///< With EMSGSIZE: the MTU.
    uint8_t origin;    ///< LINUX_ORIGIN_….
    uint8_t is_ipv6;
};

enum { LINUX_ORIGIN_LOCAL = 1, LINUX_ORIGIN_ICMP = 2, LINUX_ORIGIN_ICMP6 = 3 };

/// Takes the oldest entry off the error queue, without waiting. Returns 1 if there was one (`code` is 0 if it is none
/// of IP's), 0 if the queue is empty.
static inline int linux_read_error(int fd, struct linux_socket_error *out) {
    char control[256] __attribute__((aligned(8)));
    memset(out, 0, sizeof *out);
    struct msghdr message = {
        .msg_name = out->name, .msg_namelen = sizeof out->name, .msg_control = control, .msg_controllen = sizeof control};
    long result = syscall(SYS_recvmsg, fd, &message, 0x2040 /* MSG_ERRQUEUE | MSG_DONTWAIT */);
    if (result < 0) return errno == EAGAIN ? 0 : -errno;
    const char *at = control, *end = at + message.msg_controllen;
    while ((size_t)(end - at) >= CMSG_LEN(16)) {
        const struct cmsghdr *part = (const struct cmsghdr *)at;
        if (part->cmsg_len < CMSG_LEN(0) || part->cmsg_len > (size_t)(end - at)) break;
        int is_ipv4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == 11 /* IP_RECVERR */;
        int is_ipv6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == 25 /* IPV6_RECVERR */;
        if ((is_ipv4 || is_ipv6) && part->cmsg_len >= CMSG_LEN(16)) {
            const unsigned char *data = CMSG_DATA(part);
            memcpy(&out->code, data, 4);
            out->origin = data[4];
            memcpy(&out->info, data + 8, 4);
            out->is_ipv6 = (uint8_t)is_ipv6;
        }
        at += CMSG_ALIGN(part->cmsg_len) > (size_t)(end - at) ? (size_t)(end - at) : CMSG_ALIGN(part->cmsg_len);
    }
    return 1;
}

// Descriptors between processes.

/// More descriptors than this with one message are refused here, long before the kernel's 253.
enum { LINUX_MAX_DESCRIPTORS = 64 };

/// A connected pair of Unix sockets that keep message boundaries.
static inline int linux_seqpacket_pair(int descriptors[2]) {
    return linux_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, descriptors));
}

/// Sends one message with up to LINUX_MAX_DESCRIPTORS descriptors. Returns its length.
static inline int linux_send_descriptors(int socket, const void *bytes, size_t count, const int *descriptors,
                                         size_t descriptor_count) {
    if (descriptor_count > LINUX_MAX_DESCRIPTORS) return -EINVAL;
    struct iovec piece = {(void *)bytes, count};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * LINUX_MAX_DESCRIPTORS)];
    } control;
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen =
            linux_put_control(&control, SOL_SOCKET, SCM_RIGHTS, descriptors, sizeof(int) * descriptor_count);
    }
    long result;
    do result = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (result < 0 && errno == EINTR);
    return linux_code(result);
}

/// Receives one message and its descriptors, all close-on-exec. Returns its length, 0 at the end. A message that is
/// longer than `count` or brings more than `*descriptor_count` descriptors is refused with EMSGSIZE; none stays open.
static inline int linux_receive_descriptors(int socket, void *bytes, size_t count, int *descriptors,
                                            size_t *descriptor_count, int flags) {
    struct iovec piece = {bytes, count};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * LINUX_MAX_DESCRIPTORS)];
    } control;
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    size_t room = *descriptor_count, used = 0;
    *descriptor_count = 0;
    long result;
    do result = recvmsg(socket, &message, flags | 0x40000000 /* MSG_CMSG_CLOEXEC */);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    int overflow = (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        size_t got = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            if (used < room) {
                descriptors[used++] = fd;
            } else {
                overflow = 1;
                close(fd);
            }
        }
    }
    if (overflow) {
        for (size_t i = 0; i < used; i++) close(descriptors[i]);
        return -EMSGSIZE;
    }
    *descriptor_count = used;
    return (int)result;
}
