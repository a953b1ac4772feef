// TAP devices (include/uapi/linux/if_tun.h). Debian 12's header ends before USO, which Linux 6.2 has; tunnels are 6.17's.
#pragma once
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include "result.h"

/// What TUNSETOFFLOAD lets the kernel leave to us.
enum {
    LINUX_TUN_F_CSUM = 0x01,
    LINUX_TUN_F_TSO4 = 0x02,
    LINUX_TUN_F_TSO6 = 0x04,
    LINUX_TUN_F_TSO_ECN = 0x08,
    LINUX_TUN_F_USO4 = 0x20,
    LINUX_TUN_F_USO6 = 0x40,
    LINUX_TUN_F_UDP_TUNNEL_GSO = 0x80,
    LINUX_TUN_F_UDP_TUNNEL_GSO_CSUM = 0x100,
};

enum {
    LINUX_IFF_TAP = 0x0002,
    LINUX_IFF_NO_PI = 0x1000,
    LINUX_IFF_VNET_HDR = 0x4000,
};

static inline int linux_open_tun(void) { return linux_code(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)); }

/// TUNSETIFF. `name` (IFNAMSIZ bytes, zero-terminated, may hold `%d`) comes back as the kernel chose it.
static inline int linux_tun_attach(int fd, char *name, int flags) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = (short)flags;
    int result = linux_code(ioctl(fd, 0x400454caul /* TUNSETIFF */, &request));
    if (result >= 0) {
        memcpy(name, request.ifr_name, IFNAMSIZ);
        name[IFNAMSIZ - 1] = 0;
    }
    return result;
}

static inline int linux_tun_set_offloads(int fd, unsigned int offloads) {
    return linux_code(ioctl(fd, 0x400454d0ul /* TUNSETOFFLOAD */, (unsigned long)offloads));
}

static inline int linux_tun_set_header_size(int fd, int size) {
    return linux_code(ioctl(fd, 0x400454d8ul /* TUNSETVNETHDRSZ */, &size));
}

/// TUNSETVNETLE: the virtio header is little endian whatever the processor is.
static inline int linux_tun_set_little_endian(int fd) {
    int on = 1;
    return linux_code(ioctl(fd, 0x400454dcul /* TUNSETVNETLE */, &on));
}

/// TUNSETCARRIER: what the device's owner sees as the cable.
static inline int linux_tun_set_carrier(int fd, int on) {
    return linux_code(ioctl(fd, 0x400454e2ul /* TUNSETCARRIER */, &on));
}

/// The name of the device behind an open TAP (TUNGETIFF), IFNAMSIZ bytes.
static inline int linux_tun_name(int fd, char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    int result = linux_code(ioctl(fd, 0x800454d2ul /* TUNGETIFF */, &request));
    if (result >= 0) {
        memcpy(name, request.ifr_name, IFNAMSIZ);
        name[IFNAMSIZ - 1] = 0;
    }
    return result;
}
