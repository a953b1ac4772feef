import CLinux

/// Has the kernel know a tunnel packet when it sees one.
///
/// A virtio header can say that a frame is a TCP super-frame, and that it is one in VXLAN; it has no words for GRE and IP in
/// IP, and that of a packet socket none for any tunnel. A kernel that gets such a frame takes the outer header for TCP's and
/// throws it away. A small program in the device's way (tcx, Linux 6.6) makes up for it: where it finds a super-frame behind
/// outer headers it takes these off and puts them on again by `bpf_skb_adjust_room`, which says what they are
/// (`SKB_GSO_GRE`, `SKB_GSO_IPXIP4`, `SKB_GSO_IPXIP6`, `SKB_GSO_UDP_TUNNEL`). From there on it is a super-frame like those of
/// the kernel's own tunnels: it crosses veth and bridges whole, and is cut by the network card or in front of it.
///
/// To be attached only where everything that comes by is ours.
public enum TunnelMark {
    /// Which way frames go that are to be marked.
    public enum Place: Sendable {
        /// What a packet socket sends by the device.
        case egress
        /// What is written into a TAP.
        case ingress
    }

    /// Shorter frames are not looked at.
    static let leastLength = 96

    /// Loads the program and attaches it to a device of the calling thread's namespace.
    ///
    /// - Returns: a descriptor; the program is in the way as long as somebody holds it.
    public static func attach(interfaceIndex: Int32, _ place: Place) throws(PortError) -> Int32 {
        let steps = OpeningSteps(object: "tunnel mark on interface \(interfaceIndex)", advise: advice)
        let instructions = TunnelMarkProgram.instructions(withVXLAN: place == .egress)
        var log = [CChar](repeating: 0, count: 16_384)
        let size = UInt32(log.count)
        let loaded = log.withUnsafeMutableBufferPointer { log in
            instructions.withUnsafeBytes {
                linux_load_program($0.baseAddress, UInt32(instructions.count), log.baseAddress, size)
            }
        }
        let program = OpenDescriptor(try steps.check(loaded, "load the"))
        let stage = Int32(place == .egress ? LINUX_TCX_EGRESS : LINUX_TCX_INGRESS)
        return try steps.check(linux_attach_program(program.value, interfaceIndex, stage), "attach the")
    }

    private static func advice(_ code: Int32) -> String {
        switch code {
        case EPERM, EACCES: "It takes CAP_BPF and CAP_NET_ADMIN in the first user namespace."
        case EINVAL: "It takes Linux 6.6."
        case ENOSYS: "The kernel has no bpf(2)."
        default: ""
        }
    }
}
