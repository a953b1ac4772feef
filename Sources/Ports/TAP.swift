import CLinux

/// A TAP device, opened so that super-frames and unfinished checksums pass whole in both directions.
public enum TAP {
    /// An open TAP. Its descriptor is the whole port; the device lives as long as somebody holds it.
    public struct Opened: Equatable, Sendable {
        public var descriptor: Int32
        /// The device's name, as the kernel chose it.
        public var name: String
        /// What the kernel leaves to us (`TUN_F_*`).
        public var offloads: UInt32

        /// Whether super-frames in UDP tunnels pass whole, with and without an outer checksum.
        public var carriesTunnels: Bool { offloads & UInt32(LINUX_TUN_F_UDP_TUNNEL_GSO_CSUM) != 0 }
    }

    /// What to ask the kernel for, most first. UDP segmentation is known since Linux 6.2; both families go together.
    static let offloadChoices: [UInt32] = {
        let checksum = UInt32(LINUX_TUN_F_CSUM)
        let tcp = UInt32(LINUX_TUN_F_TSO4 | LINUX_TUN_F_TSO6)
        let ecn = UInt32(LINUX_TUN_F_TSO_ECN)
        let udp = UInt32(LINUX_TUN_F_USO4 | LINUX_TUN_F_USO6)
        return [checksum | tcp | ecn | udp, checksum | tcp | ecn, checksum | tcp, checksum, 0]
    }()

    /// The same for an uplink, with segmentation inside of UDP tunnels. A peer's UDP_SEGMENT comes as one frame of many tunnel
    /// packets, which `UplinkArrivals` takes apart.
    static let uplinkChoices: [UInt32] = {
        let tcp = UInt32(LINUX_TUN_F_CSUM | LINUX_TUN_F_TSO4 | LINUX_TUN_F_TSO6)
        let ecn = UInt32(LINUX_TUN_F_TSO_ECN)
        let tunnel = UInt32(LINUX_TUN_F_UDP_TUNNEL_GSO)
        let checksum = UInt32(LINUX_TUN_F_UDP_TUNNEL_GSO_CSUM)
        let udp = UInt32(LINUX_TUN_F_USO4 | LINUX_TUN_F_USO6)
        return [tcp | ecn | udp | tunnel | checksum, tcp | ecn | udp, tcp | ecn, tcp, UInt32(LINUX_TUN_F_CSUM), 0]
    }()

    /// Creates a TAP for the underlay, on which super-frames in tunnels pass whole where the kernel can do it (Linux 6.17);
    /// `Opened.carriesTunnels` tells.
    public static func openUplink(name: String) throws(PortError) -> Opened {
        try open(name, headerLength: VirtioHeader.tunnelLength, uplinkChoices)
    }

    /// Creates a TAP, or attaches to a persistent one, in the calling thread's network namespace. The device may be
    /// moved to another namespace afterwards; the descriptor stays with it.
    ///
    /// The send buffer is left as it is: only with the default does the kernel build small frames in one copy.
    ///
    /// - Parameter name: at most 15 bytes; `%d` in it becomes a free number.
    public static func open(name: String) throws(PortError) -> Opened {
        try open(name, headerLength: VirtioHeader.length, offloadChoices)
    }

    private static func open(
        _ name: String,
        headerLength: Int,
        _ choices: [UInt32]
    ) throws(PortError) -> Opened {
        let steps = OpeningSteps(object: "TAP \(name)") { advice($0, name) }
        let bytes = Array(name.utf8)
        guard (1...15).contains(bytes.count), name != ".", name != "..",
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") })
        else {
            throw PortError(
                operation: "create",
                object: "TAP \(name)",
                code: EINVAL,
                advice: "The name of a device has 1 to 15 letters, digits or signs other than '/' and ':'."
            )
        }
        let fd = OpenDescriptor(try steps.check(Syscall.openTUN(), "open /dev/net/tun for"))
        var buffer = [CChar](repeating: 0, count: 16)
        for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
        let flags = LINUX_IFF_TAP | LINUX_IFF_NO_PI | LINUX_IFF_VNET_HDR
        let attached = buffer.withUnsafeMutableBufferPointer { Syscall.attachTUN(fd.value, $0.baseAddress!, flags) }
        try steps.check(attached, "create")
        try steps.check(Syscall.setTUNHeaderSize(fd.value, Int32(headerLength)), "set the header size of")
        // Fails on kernels without the option only, where the header has the processor's order: little endian, too.
        _ = Syscall.setTUNLittleEndian(fd.value)
        var granted: UInt32 = 0
        for choice in choices where Syscall.setTUNOffloads(fd.value, choice) >= 0 {
            granted = choice
            break
        }
        let chosen = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return Opened(descriptor: fd.release(), name: String(decoding: chosen, as: UTF8.self), offloads: granted)
    }

    private static func advice(_ code: Int32, _ name: String) -> String {
        switch code {
        case ENOENT, ENODEV, ENXIO: "The kernel has no TUN/TAP driver loaded; try `modprobe tun`."
        case EPERM, EACCES: "It takes CAP_NET_ADMIN in the namespace, and /dev/net/tun must be readable and writable."
        case EBUSY: "Another program holds it; stop that program or choose another name."
        case EINVAL: "A device of this name exists and is not a TAP with one queue; remove it or choose another name."
        default: ""
        }
    }
}
