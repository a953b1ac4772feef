import CLinux

/// A packet socket on an existing device: a NIC, a veth end, a TAP that somebody else owns.
public enum PacketSocket {
    /// Opens a packet socket that receives every frame that comes in on the device, with its offloads and VLAN tag, and
    /// sends frames out there. What the host itself sends by the device is not seen.
    ///
    /// - Parameters:
    ///   - interfaceIndex: in the calling thread's namespace.
    ///   - promiscuous: whether the device is to take frames that are not addressed to it.
    public static func open(interfaceIndex: Int32, promiscuous: Bool = true) throws(PortError) -> Int32 {
        let steps = OpeningSteps(object: "packet socket on interface \(interfaceIndex)", advise: advice)
        // With protocol 0 nothing is received until the socket is bound: no frame of another device gets in between.
        let fd = OpenDescriptor(
            try steps.check(Syscall.socket(Int32(LINUX_AF_PACKET), Int32(LINUX_SOCK_RAW), 0), "open a")
        )
        try steps.set(fd.value, LINUX_SOL_PACKET, LINUX_PACKET_VNET_HDR, 1, "turn on virtio headers on the")
        try steps.set(fd.value, LINUX_SOL_PACKET, LINUX_PACKET_AUXDATA, 1, "ask for VLAN tags on the")
        try steps.set(fd.value, LINUX_SOL_PACKET, LINUX_PACKET_IGNORE_OUTGOING, 1, "ignore outgoing frames on the")
        steps.enlargeBuffers(fd.value, receive: SocketBuffer.receive, send: SocketBuffer.send)
        try bind(fd.value, interfaceIndex, promiscuous, steps)
        return fd.release()
    }

    /// Binds an open packet socket to another device: to the new one of a name whose old one is gone. Whoever waits for
    /// the descriptor goes on waiting for it.
    public static func rebind(
        _ descriptor: Int32,
        interfaceIndex: Int32,
        promiscuous: Bool = true
    ) throws(PortError) {
        let steps = OpeningSteps(object: "packet socket on interface \(interfaceIndex)", advise: advice)
        try bind(descriptor, interfaceIndex, promiscuous, steps)
    }

    private static func bind(
        _ fd: Int32,
        _ interfaceIndex: Int32,
        _ promiscuous: Bool,
        _ steps: OpeningSteps
    ) throws(PortError) {
        try steps.check(Syscall.bindPacket(fd, interfaceIndex), "bind the")
        if promiscuous {
            try steps.check(Syscall.addPromiscuous(fd, interfaceIndex), "make promiscuous the device of the")
        }
    }

    private static func advice(_ code: Int32) -> String {
        switch code {
        case EPERM: "It takes CAP_NET_RAW in the device's namespace."
        case ENODEV, ENXIO: "There is no such device (any more)."
        case EAFNOSUPPORT: "The kernel has no packet sockets; try `modprobe af_packet`."
        default: ""
        }
    }
}
