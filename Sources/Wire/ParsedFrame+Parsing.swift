// The walk from the first byte of a frame to the payload of its transport header. Every header's length is checked
// against the bytes present and against what the header before it claims, once, before its fields are read.

extension ParsedFrame {
    /// IPv6 extension headers that are walked before giving up. Nobody sends more; walking on would let a tenant buy
    /// time with a frame of headers.
    public static let maximumExtensionHeaders = 8

    // Both initialisers are inlined for the caller's value to be filled in where it stands: a copy of it would have to wait
    // for the stores in front of it, which takes half as long as the parsing.

    /// Reads an Ethernet frame of `count` bytes from its first byte.
    @inlinable @inline(__always)
    public init(_ bytes: UnsafeRawPointer, _ count: Int) {
        self.init()
        end = UInt32(truncatingIfNeeded: max(count, 0))
        guard count >= HeaderLength.ethernet else { return }
        flags = .ethernet
        destination = bytes.mac(0)
        source = bytes.mac(6)
        etherType = bytes.be16(12)
        network = UInt16(truncatingIfNeeded: HeaderLength.ethernet)
        if EtherType.isTag(etherType) {
            guard readTags(bytes, count) else { return }
        }
        readNetwork(bytes, count)
    }

    /// Reads an IP datagram without a link layer, as it stands in IPIP, SIT or GRE: the offsets count from the IP header.
    /// `etherType` is `EtherType.ipv4` or `.ipv6`, as the tunnel says.
    @inlinable @inline(__always)
    public init(datagram bytes: UnsafeRawPointer, _ count: Int, etherType: UInt16) {
        self.init()
        end = UInt32(truncatingIfNeeded: max(count, 0))
        self.etherType = etherType
        readNetwork(bytes, count)
    }

    /// Steps over one or two tags; false if the frame ends inside of them or more follow.
    @inlinable
    mutating func readTags(_ bytes: UnsafeRawPointer, _ count: Int) -> Bool {
        guard count >= HeaderLength.ethernet &+ HeaderLength.vlanTag else {
            flags.formUnion(.malformed)
            return false
        }
        outerTagType = etherType
        outerTag = bytes.be16(14)
        etherType = bytes.be16(16)
        network &+= 4
        tagCount = 1
        guard EtherType.isTag(etherType) else { return true }
        guard count >= HeaderLength.ethernet &+ 2 &* HeaderLength.vlanTag else {
            flags.formUnion(.malformed)
            return false
        }
        innerTagType = etherType
        innerTag = bytes.be16(18)
        etherType = bytes.be16(20)
        network &+= 4
        tagCount = 2
        guard EtherType.isTag(etherType) else { return true }
        tagCount = 3
        return false
    }

    @inlinable @inline(__always)
    mutating func readNetwork(_ bytes: UnsafeRawPointer, _ count: Int) {
        if etherType == EtherType.ipv4 {
            readIPv4(bytes, count)
        } else if etherType == EtherType.ipv6 {
            readIPv6(bytes, count)
        }
    }

    @inlinable
    mutating func readIPv4(_ bytes: UnsafeRawPointer, _ count: Int) {
        let present = count &- networkOffset
        let header = bytes + networkOffset
        guard present >= HeaderLength.ipv4, header.byte(0) &>> 4 == 4 else {
            flags.formUnion(.malformed)
            return
        }
        let headerLength = Int(header.byte(0) & 15) &* 4
        let total = Int(header.be16(2))
        guard headerLength >= HeaderLength.ipv4, headerLength <= present, total >= headerLength else {
            flags.formUnion(.malformed)
            return
        }
        flags.formUnion(.ipv4)
        tos = header.byte(1)
        ttl = header.byte(8)
        `protocol` = header.byte(9)
        if total > present {
            flags.formUnion(.cutShort)
        } else {
            end = UInt32(truncatingIfNeeded: networkOffset &+ total)
        }
        let fragment = header.be16(6)
        transport = UInt16(truncatingIfNeeded: networkOffset &+ headerLength)
        readFragment(offset: fragment &<< 3, more: fragment & 0x2000 != 0)
        if flags.isDisjoint(with: .laterFragment) { readTransport(bytes) }
    }

    @inlinable @inline(__always)
    mutating func readFragment(offset: UInt16, more: Bool) {
        fragmentOffset = offset
        if offset != 0 { flags.formUnion([.fragment, .laterFragment]) }
        if more { flags.formUnion(.fragment) }
    }

    @inlinable
    mutating func readIPv6(_ bytes: UnsafeRawPointer, _ count: Int) {
        let present = count &- networkOffset
        let header = bytes + networkOffset
        guard present >= HeaderLength.ipv6, header.byte(0) &>> 4 == 6 else {
            flags.formUnion(.malformed)
            return
        }
        flags.formUnion(.ipv6)
        tos = UInt8(truncatingIfNeeded: header.be16(0) &>> 4)
        ttl = header.byte(7)
        let total = HeaderLength.ipv6 &+ Int(header.be16(4))
        if total > present {
            flags.formUnion(.cutShort)
        } else {
            end = UInt32(truncatingIfNeeded: networkOffset &+ total)
        }
        walkExtensionHeaders(bytes, first: header.byte(6))
    }

    /// Follows the chain of RFC 8200 §4 to the first header that is none of IPv6's own.
    @inlinable
    mutating func walkExtensionHeaders(_ bytes: UnsafeRawPointer, first: UInt8) {
        var at = networkOffset &+ HeaderLength.ipv6
        var next = first
        var walked = 0
        while true {
            `protocol` = next
            let isFragment = next == IPProtocol.fragment
            let routes = next == IPProtocol.routing
            let isAuthentication = next == IPProtocol.authentication
            guard
                isFragment || isAuthentication || routes || next == IPProtocol.hopByHop
                    || next == IPProtocol.destinationOptions
            else { break }
            guard walked < ParsedFrame.maximumExtensionHeaders, at &+ 8 <= endOffset else {
                flags.formUnion(.malformed)
                return
            }
            walked &+= 1
            let header = bytes + at
            next = header.byte(0)
            if isFragment {
                let field = header.be16(2)
                flags.formUnion(.fragmentHeader)
                readFragment(offset: field & 0xFFF8, more: field & 1 != 0)
                at &+= 8
                if !flags.isDisjoint(with: .laterFragment) {
                    `protocol` = next
                    return
                }
            } else {
                if isAuthentication { flags.formUnion(.authenticationHeader) }
                if routes, header.byte(3) != 0 { flags.formUnion(.routingHeader) }
                // Lengths count what follows the first 8 bytes: in units of 8, AH (RFC 4302 §2.2) in units of 4.
                at &+= isAuthentication ? 8 &+ Int(header.byte(1)) &* 4 : 8 &+ Int(header.byte(1)) &* 8
            }
        }
        guard at <= endOffset else {
            flags.formUnion(.malformed)
            return
        }
        transport = UInt16(truncatingIfNeeded: at)
        readTransport(bytes)
    }

    /// Reads what stands at `transportOffset` of a datagram that has its beginning.
    @inlinable
    mutating func readTransport(_ bytes: UnsafeRawPointer) {
        flags.formUnion(.transport)
        let present = endOffset &- transportOffset
        let header = bytes + transportOffset
        switch `protocol` {
        case IPProtocol.tcp:
            guard present >= 4 else { return }
            readPorts(header)
            guard present >= HeaderLength.tcp else { return }
            let length = Int(header.byte(12) &>> 4) &* 4
            guard length >= HeaderLength.tcp, length <= present else { return }
            payload = UInt16(truncatingIfNeeded: transportOffset &+ length)
            flags.formUnion(.transportHeader)
        case IPProtocol.udp:
            guard present >= 4 else { return }
            readPorts(header)
            guard present >= HeaderLength.udp else { return }
            payload = UInt16(truncatingIfNeeded: transportOffset &+ HeaderLength.udp)
            flags.formUnion(.transportHeader)
        case IPProtocol.sctp, IPProtocol.dccp, IPProtocol.udpLite:
            if present >= 4 { readPorts(header) }
        default:
            break
        }
    }

    @inlinable @inline(__always)
    mutating func readPorts(_ header: UnsafeRawPointer) {
        sourcePort = header.be16(0)
        destinationPort = header.be16(2)
        flags.formUnion(.ports)
    }
}
