// The parts of libnl-3 and libnl-route-3 that Sluice uses.
#pragma once
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <netlink/msg.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

// <linux/if_link.h> numbers that are newer than Debian 12's headers, or that C macros hide from Swift.
enum {
    SLUICE_RTEXT_FILTER_SKIP_STATS = 1 << 3,
};

/// The kernel's own words in an error message (NETLINK_EXT_ACK, capped), or NULL. `header` is an NLMSG_ERROR.
static inline const char *sluice_nl_error_text(struct nlmsghdr *header) {
    // Without NLM_F_CAPPED the request follows the error and would have to be skipped; we ask for capped ones.
    if (!(header->nlmsg_flags & 0x200 /* NLM_F_ACK_TLVS */) || !(header->nlmsg_flags & 0x100 /* NLM_F_CAPPED */))
        return NULL;
    struct nlattr *text = nlmsg_find_attr(header, sizeof(struct nlmsgerr), 1 /* NLMSGERR_ATTR_MSG */);
    if (!text || nla_len(text) < 1) return NULL;
    const char *bytes = (const char *)nla_data(text);
    return bytes[nla_len(text) - 1] == 0 ? bytes : NULL;
}
