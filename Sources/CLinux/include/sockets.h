// Making sockets: tunnel endpoints and packet sockets. Numbers are the kernel's (include/uapi/linux), given by hand so
// that neither the age of the headers nor macros that Swift cannot see matter.
#pragma once
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "result.h"

enum {
    LINUX_AF_INET = 2,
    LINUX_AF_INET6 = 10,
    LINUX_AF_PACKET = 17,
    LINUX_SOCK_DGRAM = 2,
    LINUX_SOCK_RAW = 3,
    LINUX_SOL_SOCKET = 1,
    LINUX_SOL_IP = 0,
    LINUX_SOL_UDP = 17,
    LINUX_SOL_IPV6 = 41,
    LINUX_SOL_PACKET = 263,
    LINUX_ETH_P_ALL = 3,
};

/// setsockopt(2) options.
enum {
    LINUX_SO_SNDBUF = 7,
    LINUX_SO_ERROR = 4,
    LINUX_SO_RCVBUF = 8,
    LINUX_SO_NO_CHECK = 11,
    LINUX_SO_REUSEPORT = 15,
    LINUX_SO_SNDBUFFORCE = 32,
    LINUX_SO_RCVBUFFORCE = 33,
    LINUX_SO_PROTOCOL = 38,
    LINUX_IP_TOS = 1,
    LINUX_IP_TTL = 2,
    LINUX_IP_PKTINFO = 8,
    LINUX_IP_MTU_DISCOVER = 10,
    LINUX_IP_RECVERR = 11,
    LINUX_IP_RECVTOS = 13,
    LINUX_IPV6_UNICAST_HOPS = 16,
    LINUX_IPV6_MTU_DISCOVER = 23,
    LINUX_IPV6_RECVERR = 25,
    LINUX_IPV6_RECVPKTINFO = 49,
    LINUX_IPV6_RECVTCLASS = 66,
    LINUX_IPV6_TCLASS = 67,
    LINUX_UDP_NO_CHECK6_RX = 102,
    LINUX_UDP_SEGMENT = 103,
    LINUX_UDP_GRO = 104,
    LINUX_PACKET_ADD_MEMBERSHIP = 1,
    LINUX_PACKET_AUXDATA = 8,
    LINUX_PACKET_VNET_HDR = 15,
    LINUX_PACKET_IGNORE_OUTGOING = 23,
};

/// Values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER.
enum {
    LINUX_PMTUDISC_DO = 2,
    LINUX_PMTUDISC_PROBE = 3,
};

static inline int linux_socket(int family, int type, int protocol) {
    return linux_code(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

static inline int linux_set_option(int fd, int level, int name, int value) {
    return linux_code(setsockopt(fd, level, name, &value, sizeof value));
}

static inline int linux_get_option(int fd, int level, int name, int *value) {
    socklen_t length = sizeof *value;
    return linux_code(syscall(SYS_getsockopt, fd, level, name, value, &length));
}

static inline int linux_bind(int fd, const void *address, unsigned int length) {
    return linux_code(bind(fd, (const struct sockaddr *)address, length));
}

/// The IP protocol that a socket was opened for, or a negative errno.
static inline int linux_socket_protocol(int fd) {
    int protocol = 0, result = linux_get_option(fd, SOL_SOCKET, LINUX_SO_PROTOCOL, &protocol);
    return result < 0 ? result : protocol;
}

/// What a socket's queue had no room for since it was opened (SO_MEMINFO, Linux 4.12), or a negative errno.
static inline long linux_socket_losses(int fd) {
    enum { meminfo = 55, drops = 8, fields = 9 };
    unsigned values[fields] = {0};
    socklen_t length = sizeof values;
    long result = syscall(SYS_getsockopt, fd, SOL_SOCKET, meminfo, values, &length);
    return result < 0 ? -errno : (long)values[drops];
}

/// SIOCGSKNS: a descriptor of the network namespace that a socket belongs to (CAP_NET_ADMIN there).
static inline int linux_socket_namespace(int fd) { return linux_code(ioctl(fd, 0x894C)); }

/// A filter that lets nothing through: a socket that only sends must not collect what others send to its port.
static inline int linux_refuse_input(int fd) {
    struct sock_filter drop = {0x06 /* BPF_RET | BPF_K */, 0, 0, 0};
    struct sock_fprog program = {1, &drop};
    return linux_code(setsockopt(fd, SOL_SOCKET, 26 /* SO_ATTACH_FILTER */, &program, sizeof program));
}

/// Binds a packet socket to a device: from now on it receives every protocol there.
static inline int linux_bind_packet(int fd, int interface_index) {
    struct sockaddr_ll address;
    memset(&address, 0, sizeof address);
    address.sll_family = LINUX_AF_PACKET;
    address.sll_protocol = htons(LINUX_ETH_P_ALL);
    address.sll_ifindex = interface_index;
    return linux_bind(fd, &address, sizeof address);
}

/// Asks the device for frames to any address for as long as the socket and the device live.
static inline int linux_add_promiscuous(int fd, int interface_index) {
    struct packet_mreq request;
    memset(&request, 0, sizeof request);
    request.mr_ifindex = interface_index;
    request.mr_type = 1;  // PACKET_MR_PROMISC
    return linux_code(setsockopt(fd, LINUX_SOL_PACKET, LINUX_PACKET_ADD_MEMBERSHIP, &request, sizeof request));
}
