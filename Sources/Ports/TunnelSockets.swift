import CLinux
import Wire

// Sockets that tunnels start and end on.
//
// The outer header has DF set and is never fragmented (RFC 7348 §4.3). IP_PMTUDISC_DO rather than PROBE: with DO the
// kernel learns the path MTU from ICMP, after it has made sure that the message quotes a packet of ours, and refuses
// with EMSGSIZE what would be lost on the way. So oversize packets are counted as such and can be answered; with PROBE
// they would vanish in a router.

/// The sockets of VXLAN.
public enum VXLANSocket {
    /// RFC 7348 §5: outer source ports come from the dynamic range (RFC 6335 §6).
    static let firstSourcePort = 49_152
    static let sourcePorts = 65_536 - 49_152

    /// Opens the sockets for a VTEP at `address`, which must belong to this host, in the calling thread's namespace.
    ///
    /// The first receives on `port`. The others only send, from eight free ports, one for each group of flows. For IPv4
    /// there are two to a port: datagrams of one frame go without an outer checksum, as RFC 7348 §5 prefers, and
    /// UDP_SEGMENT insists on one.
    ///
    /// - Returns: the receiving socket, eight to send by, and for IPv4 eight to send super-frames by, on the same ports.
    public static func open(address: IPAddress, port: UInt16 = vxlanPort) throws(PortError) -> [Int32] {
        let steps = OpeningSteps(object: "VXLAN socket on \(address) port \(port)", advise: tunnelAdvice)
        var opened: [Int32] = []
        do throws(PortError) {
            opened.append(try receiver(address, port, steps))
            let first = Int.random(in: 0..<sourcePorts)
            var tried = 0
            var ports: [UInt16] = []
            for _ in 0..<PortIO.transmitSockets {
                let fd = OpenDescriptor(try steps.check(sender(address), "open a second"))
                try prepare(fd.value, address, checksum: address.isIPv6, steps)
                ports.append(try bindToFreePort(fd.value, address, first, &tried, steps))
                opened.append(fd.release())
            }
            guard !address.isIPv6 else { return opened }
            for (index, port) in ports.enumerated() {
                // The two share a port because both say so, the first only after it had the port for itself.
                try steps.set(opened[1 + index], LINUX_SOL_SOCKET, LINUX_SO_REUSEPORT, 1, "share the port of the")
                let fd = OpenDescriptor(try steps.check(sender(address), "open a second"))
                try prepare(fd.value, address, checksum: true, steps)
                try steps.set(fd.value, LINUX_SOL_SOCKET, LINUX_SO_REUSEPORT, 1, "share the port of the")
                try steps.check(Syscall.bind(fd.value, SocketAddress(address, port: port)), "bind a second")
                opened.append(fd.release())
            }
            return opened
        } catch {
            for descriptor in opened { Syscall.close(descriptor) }
            throw error
        }
    }

    private static func receiver(
        _ address: IPAddress,
        _ port: UInt16,
        _ steps: OpeningSteps
    ) throws(PortError) -> Int32 {
        let fd = OpenDescriptor(try steps.check(sender(address), "open the"))
        // It sends nothing, so it has nothing to hear about: errors are the senders'.
        try askForOuterHeader(fd.value, address, steps)
        if address.isIPv6 {
            // A zero checksum must be accepted (RFC 7348 §5), which for IPv6 is the tunnel's to say (RFC 6935).
            try steps.set(fd.value, LINUX_SOL_UDP, LINUX_UDP_NO_CHECK6_RX, 1, "accept a zero checksum on the")
        }
        steps.enlargeBuffers(fd.value, receive: SocketBuffer.receive, send: nil)
        try steps.check(Syscall.bind(fd.value, SocketAddress(address, port: port)), "bind the")
        return fd.release()
    }

    private static func sender(_ address: IPAddress) -> Int32 {
        Syscall.socket(Int32(address.isIPv6 ? LINUX_AF_INET6 : LINUX_AF_INET), Int32(LINUX_SOCK_DGRAM), 0)
    }

    private static func prepare(
        _ fd: Int32,
        _ address: IPAddress,
        checksum: Bool,
        _ steps: OpeningSteps
    ) throws(PortError) {
        try setOuterHeader(fd, address, steps)
        if !checksum { try steps.set(fd, LINUX_SOL_SOCKET, LINUX_SO_NO_CHECK, 1, "leave out the checksum of the") }
        // Whatever is sent to a source port is not for us, and must not fill a queue that nobody reads. Only errors are
        // received, for which there has to be room.
        try steps.check(Syscall.refuseInput(fd), "close the input of the")
        _ = Syscall.set(fd, LINUX_SOL_SOCKET, LINUX_SO_RCVBUF, SocketBuffer.errors)
        steps.enlargeBuffers(fd, receive: nil, send: SocketBuffer.send)
    }

    private static func bindToFreePort(
        _ fd: Int32,
        _ address: IPAddress,
        _ first: Int,
        _ tried: inout Int,
        _ steps: OpeningSteps
    ) throws(PortError) -> UInt16 {
        while tried < sourcePorts {
            let port = UInt16(firstSourcePort + (first + tried) % sourcePorts)
            tried += 1
            let result = Syscall.bind(fd, SocketAddress(address, port: port))
            if result != -EADDRINUSE {
                try steps.check(result, "bind a source port of the")
                return port
            }
        }
        throw PortError(
            operation: "find a free source port for the",
            object: steps.object,
            code: EADDRINUSE,
            advice: "All UDP ports from \(firstSourcePort) on are taken on this address."
        )
    }
}

/// The raw sockets of tunnels that stand directly on IP.
public enum RawSocket {
    /// Opens a raw socket for one IP protocol at `address`, which must belong to this host, in the calling thread's
    /// namespace. It sends and receives; the kernel writes the outer IP header and takes it off again.
    ///
    /// Linux gives raw sockets every packet of their protocol, whether or not a driver for such tunnels is loaded
    /// (raw(7)); with a raw socket there, no ICMP message says that the protocol is unknown.
    ///
    /// - Parameter protocol: the outer header's protocol or next header: 47 for GRE (RFC 2784), 4 for IPv4 and 41 for
    ///   IPv6 in IP (RFC 2003, RFC 4213, RFC 2473). 94 is KA9Q's, opened only to count what comes.
    public static func open(address: IPAddress, protocol: UInt8) throws(PortError) -> Int32 {
        let steps = OpeningSteps(
            object: "raw socket for IP protocol \(`protocol`) on \(address)",
            advise: tunnelAdvice
        )
        let family = Int32(address.isIPv6 ? LINUX_AF_INET6 : LINUX_AF_INET)
        let fd = OpenDescriptor(
            try steps.check(
                Syscall.socket(family, Int32(LINUX_SOCK_RAW), Int32(`protocol`)),
                "open the"
            )
        )
        try askForOuterHeader(fd.value, address, steps)
        try setOuterHeader(fd.value, address, steps)
        steps.enlargeBuffers(fd.value, receive: SocketBuffer.receive, send: SocketBuffer.send)
        try steps.check(Syscall.bind(fd.value, SocketAddress(address, port: 0)), "bind the")
        return fd.release()
    }
}

/// Has the socket tell each packet's type of service and the interface that it came in by.
private func askForOuterHeader(_ fd: Int32, _ address: IPAddress, _ steps: OpeningSteps) throws(PortError) {
    if address.isIPv6 {
        try steps.set(fd, LINUX_SOL_IPV6, LINUX_IPV6_RECVPKTINFO, 1, "ask for interfaces on the")
        try steps.set(fd, LINUX_SOL_IPV6, LINUX_IPV6_RECVTCLASS, 1, "ask for traffic classes on the")
    } else {
        try steps.set(fd, LINUX_SOL_IP, LINUX_IP_PKTINFO, 1, "ask for interfaces on the")
        try steps.set(fd, LINUX_SOL_IP, LINUX_IP_RECVTOS, 1, "ask for types of service on the")
    }
}

/// The outer header of what is sent: TTL 64 and no fragmentation.
private func setOuterHeader(_ fd: Int32, _ address: IPAddress, _ steps: OpeningSteps) throws(PortError) {
    let discover = Int32(LINUX_PMTUDISC_DO)
    // What comes of a packet later is told in the error queue: see UnderlayNews.
    if address.isIPv6 {
        try steps.set(fd, LINUX_SOL_IPV6, LINUX_IPV6_RECVERR, 1, "ask for errors on the")
        try steps.set(fd, LINUX_SOL_IPV6, LINUX_IPV6_MTU_DISCOVER, discover, "forbid fragments on the")
        try steps.set(fd, LINUX_SOL_IPV6, LINUX_IPV6_UNICAST_HOPS, 64, "set the hop limit of the")
    } else {
        try steps.set(fd, LINUX_SOL_IP, LINUX_IP_RECVERR, 1, "ask for errors on the")
        try steps.set(fd, LINUX_SOL_IP, LINUX_IP_MTU_DISCOVER, discover, "set DF on the")
        try steps.set(fd, LINUX_SOL_IP, LINUX_IP_TTL, 64, "set the TTL of the")
    }
}

private func tunnelAdvice(_ code: Int32) -> String {
    switch code {
    case EADDRNOTAVAIL:
        "No interface of this host has that address, or it is still being checked for duplicates. Add it, or correct "
            + "the host's vtep."
    case EADDRINUSE: "Something else has it: another switch, or a vxlan device of the kernel with the same port."
    case EPERM: "It takes CAP_NET_RAW in the host's namespace."
    case EAFNOSUPPORT: "The kernel has no support for this address family."
    default: ""
    }
}
