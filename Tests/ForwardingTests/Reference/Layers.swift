/// The reference model's own reading of a frame, from the standards and not from `Wire`: plain arrays and numbers, one
/// question after the other.
struct Layers {
    /// 802.1Q, 802.1ad and 0x9100 tags before the type; 3 stands for more than two, and then nothing else is known.
    var tags = 0
    /// The type behind all tags that were read.
    var type = 0
    /// Where the bytes after the type begin.
    var l3 = 14
    /// 4, 6, or 0 for anything that is not a whole IP header.
    var version = 0
    var tos = 0
    /// The protocol behind all extension headers, or -1.
    var proto = -1
    /// Where its header begins, or -1.
    var l4 = -1
    /// Where the payload of TCP or UDP begins, or -1 if their header is not complete.
    var payload = -1
    /// Where the IP packet ends.
    var end = 0
    /// The packet says that it is longer than the frame.
    var isCut = false
    var isFragment = false
    /// Any fragment but the first.
    var isLater = false
    /// IPv4 with the flag DF, and all of IPv6.
    var mayNotBeCut = false
    var ttl = 0
    var hasFragmentHeader = false
    var isRouted = false
    var isAuthenticated = false

    static let tagTypes = [0x8100, 0x88A8, 0x9100]

    /// An Ethernet frame.
    init(_ f: ArraySlice<UInt8>) {
        let first = f.startIndex
        let count = f.count
        func word(_ i: Int) -> Int { Int(f[first + i]) << 8 | Int(f[first + i + 1]) }
        end = count
        guard count >= 14 else { return }
        type = word(12)
        while Layers.isTag(type) {
            if tags == 2 {
                tags = 3
                return
            }
            guard count >= l3 + 4 else { return }
            type = word(l3 + 2)
            l3 += 4
            tags += 1
        }
        readPacket(f)
    }

    /// An IP packet of a type without a frame around it.
    init(_ f: ArraySlice<UInt8>, packet type: Int) {
        self.type = type
        l3 = 0
        end = f.count
        readPacket(f)
    }

    private mutating func readPacket(_ f: ArraySlice<UInt8>) {
        let first = f.startIndex
        let count = f.count
        func byte(_ i: Int) -> Int { Int(f[first + i]) }
        func word(_ i: Int) -> Int { byte(i) << 8 | byte(i + 1) }
        let present = count - l3
        var total = 0
        if type == 0x0800 {
            guard present >= 20, byte(l3) >> 4 == 4 else { return }
            let header = (byte(l3) & 15) * 4
            total = word(l3 + 2)
            guard header >= 20, header <= present, total >= header else { return }
            version = 4
            tos = byte(l3 + 1)
            proto = byte(l3 + 9)
            let flags = word(l3 + 6)
            ttl = byte(l3 + 8)
            isFragment = flags & 0x3FFF != 0
            isLater = flags & 0x1FFF != 0
            mayNotBeCut = flags & 0x4000 != 0
            if !isLater { l4 = l3 + header }
        } else if type == 0x86DD {
            guard present >= 40, byte(l3) >> 4 == 6 else { return }
            version = 6
            tos = word(l3) >> 4 & 255
            ttl = byte(l3 + 7)
            mayNotBeCut = true
            total = 40 + word(l3 + 4)
        } else {
            return
        }
        isCut = total > present
        end = isCut ? count : l3 + total
        if version == 6 { readExtensionHeaders(byte, word) }
        guard l4 >= 0 else { return }
        let rest = end - l4
        if proto == 6, rest >= 20 {
            let header = (byte(l4 + 12) >> 4) * 4
            if header >= 20 && header <= rest { payload = l4 + header }
        }
        if proto == 17, rest >= 8 { payload = l4 + 8 }
    }

    private mutating func readExtensionHeaders(_ byte: (Int) -> Int, _ word: (Int) -> Int) {
        var at = l3 + 40
        proto = byte(l3 + 6)
        for walked in 0... {
            switch proto {
            case 0, 43, 44, 51, 60: break
            default:
                if at <= end { l4 = at }
                return
            }
            if walked == 8 || at + 8 > end { return }
            let header = proto
            proto = byte(at)
            switch header {
            case 44:
                hasFragmentHeader = true
                if word(at + 2) & 0xFFF9 != 0 { isFragment = true }
                if word(at + 2) & 0xFFF8 != 0 {
                    isLater = true
                    return
                }
                at += 8
            case 51:
                isAuthenticated = true
                at += 8 + byte(at + 1) * 4
            case 43:
                if byte(at + 3) != 0 { isRouted = true }
                at += 8 + byte(at + 1) * 8
            default: at += 8 + byte(at + 1) * 8
            }
        }
    }

    static func isTag(_ type: Int) -> Bool { type == 0x8100 || type == 0x88A8 || type == 0x9100 }
}
