// The receive ring of a packet socket (Documentation/networking/packet_mmap.rst, TPACKET_V2).
#pragma once
#include <linux/if_packet.h>
#include <sys/socket.h>
#include "result.h"

/// What the kernel says in a slot's `tp_status`.
enum {
    LINUX_SLOT_USER = 1,           ///< The slot is ours until we write 0.
    LINUX_SLOT_COPY = 2,           ///< The frame was too long for the slot, and is in the socket's queue too.
    LINUX_SLOT_VLAN_VALID = 16,    ///< A tag was taken out.
    LINUX_SLOT_VLAN_TPID_VALID = 64,
};

/// Gives the socket a ring. Frames that are longer than a slot are put into its queue too. What the queue held is lost.
static inline int linux_packet_ring(int fd, unsigned slot_size, unsigned slots, unsigned block_size) {
    int version = TPACKET_V2, copy = 1;
    struct tpacket_req request = {
        .tp_block_size = block_size,
        .tp_block_nr = slot_size * slots / block_size,
        .tp_frame_size = slot_size,
        .tp_frame_nr = slots,
    };
    if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0) return -errno;
    if (setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &copy, sizeof copy) < 0) return -errno;
    return linux_code(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request));
}

static inline int linux_remove_packet_ring(int fd) {
    struct tpacket_req none = {0};
    return linux_code(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none));
}

/// Frames that a packet socket had no room for since this was asked before, or a negative errno.
static inline int linux_packet_losses(int fd) {
    struct tpacket_stats statistics = {0};
    socklen_t length = sizeof statistics;
    if (syscall(SYS_getsockopt, fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0) return -errno;
    return statistics.tp_drops > 0x7FFFFFFF ? 0x7FFFFFFF : (int)statistics.tp_drops;
}
