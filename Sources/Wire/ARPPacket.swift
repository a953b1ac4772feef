/// ARP for IPv4 over Ethernet (RFC 826).
@frozen
public struct ARPPacket: Equatable, Sendable {
    public static let request: UInt16 = 1
    public static let reply: UInt16 = 2
    /// A whole Ethernet frame without tags. Padding to 60 bytes is left to whoever has a wire that wants it.
    public static let frameLength = HeaderLength.ethernet + HeaderLength.arp
    /// Hardware type Ethernet, protocol type IPv4.
    @usableFromInline static let types: UInt32 = 0x0001_0800
    /// Their address lengths.
    @usableFromInline static let lengths: UInt16 = 0x0604

    /// `request`, `reply` or anything else.
    public var operation: UInt16
    public var senderMAC: MACAddress
    public var senderIP: IPv4Address
    /// Means nothing in a request.
    public var targetMAC: MACAddress
    public var targetIP: IPv4Address

    /// Reads what follows the EtherType of a parsed frame, after any tags; nil if that is not ARP, is for another kind of
    /// hardware or protocol, or is shorter than its 28 bytes (the packet reception algorithm of RFC 826).
    ///
    /// - Parameter frame: the bytes that `parsed` was read from.
    @inlinable
    public init?(_ frame: UnsafeRawPointer, _ parsed: ParsedFrame) {
        guard parsed.isEthernet, parsed.etherType == EtherType.arp else { return nil }
        self.init(frame + parsed.networkOffset, parsed.endOffset &- parsed.networkOffset)
    }

    /// Reads the bytes of ARP itself; nil as above.
    @inlinable
    public init?(_ bytes: UnsafeRawPointer, _ count: Int) {
        guard count >= HeaderLength.arp, bytes.be32(0) == ARPPacket.types, bytes.be16(4) == ARPPacket.lengths else {
            return nil
        }
        operation = bytes.be16(6)
        senderMAC = bytes.mac(8)
        senderIP = bytes.ipv4(14)
        targetMAC = bytes.mac(18)
        targetIP = bytes.ipv4(24)
    }

    /// Asks whether an address is free (RFC 5227 §2.1.1): it is answered, and nothing is learned from it.
    @inlinable @inline(__always)
    public var isProbe: Bool { senderIP.bits == 0 }

    /// Tells everybody about the sender (RFC 5227 §2.3 and §3): request or reply about its own address.
    @inlinable @inline(__always)
    public var isGratuitous: Bool { senderIP == targetIP && !isProbe }

    /// Whether the sender's pair of addresses may be learned: not from a probe, not a group's MAC (RFC 1812 §3.3.2), not
    /// an address that no host has.
    @inlinable @inline(__always)
    public var isLearnable: Bool { senderMAC.isUnicast && !senderIP.isMartianSource }

    /// Writes a reply as a whole frame of `frameLength` bytes, to the asker alone.
    ///
    /// - Parameters:
    ///   - senderMAC: source of the frame, and what the asker wants to know.
    ///   - senderIP: the address that was asked for.
    ///   - targetMAC: the asker's.
    ///   - targetIP: the asker's, 0 after a probe.
    @inlinable
    public static func writeReply(
        to bytes: UnsafeMutableRawPointer,
        senderMAC: MACAddress,
        senderIP: IPv4Address,
        targetMAC: MACAddress,
        targetIP: IPv4Address
    ) {
        write(to: bytes, operation: reply, destination: targetMAC, senderMAC, senderIP, targetMAC, targetIP)
    }

    /// Writes a request as a whole frame of `frameLength` bytes.
    ///
    /// - Parameters:
    ///   - senderIP: ours; 0 makes it a probe (RFC 5227 §2.1.1).
    ///   - targetIP: the address to be resolved.
    ///   - targetMAC: destination of the frame: everybody, or who is expected to have the address still (RFC 1122
    ///     §2.3.2.1). The field in the packet stays zero.
    @inlinable
    public static func writeRequest(
        to bytes: UnsafeMutableRawPointer,
        senderMAC: MACAddress,
        senderIP: IPv4Address,
        targetIP: IPv4Address,
        targetMAC: MACAddress = MACAddress(bits: 0xFFFF_FFFF_FFFF)
    ) {
        let none = MACAddress(bits: 0)
        write(to: bytes, operation: request, destination: targetMAC, senderMAC, senderIP, none, targetIP)
    }

    /// Writes an announcement as a whole frame of `frameLength` bytes: a broadcast request of `mac` about its own `ip`
    /// (RFC 5227 §2.3, §3).
    @inlinable
    public static func writeAnnouncement(to bytes: UnsafeMutableRawPointer, mac: MACAddress, ip: IPv4Address) {
        writeRequest(to: bytes, senderMAC: mac, senderIP: ip, targetIP: ip)
    }

    @inlinable @inline(__always)
    static func write(
        to bytes: UnsafeMutableRawPointer,
        operation: UInt16,
        destination: MACAddress,
        _ senderMAC: MACAddress,
        _ senderIP: IPv4Address,
        _ targetMAC: MACAddress,
        _ targetIP: IPv4Address
    ) {
        bytes.setMAC(0, destination)
        bytes.setMAC(6, senderMAC)
        bytes.set16(12, EtherType.arp)
        bytes.set32(14, types)
        bytes.set16(18, lengths)
        bytes.set16(20, operation)
        bytes.setMAC(22, senderMAC)
        bytes.set32(28, senderIP.bits)
        bytes.setMAC(32, targetMAC)
        bytes.set32(38, targetIP.bits)
    }
}
