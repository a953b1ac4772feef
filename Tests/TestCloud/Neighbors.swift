// ARP and neighbour discovery, and tunnel headers.

/// An ARP packet as a frame, without padding. `destination` is everybody, or the target.
package func arp(
    _ operation: Int,
    _ sender: (mac: String, ip: String),
    _ target: (mac: String, ip: String),
    to destination: String? = nil,
    from source: String? = nil,
    types: [UInt8] = [0, 1, 8, 0, 6, 4]
) -> [UInt8] {
    let packet =
        types + be16(operation) + address(sender.mac) + address(sender.ip) + address(target.mac) + address(target.ip)
    return ethernet(
        to: destination ?? (operation == 1 ? everybody : target.mac),
        from: source ?? sender.mac,
        type: 0x0806,
        packet
    )
}

package let everybody = "ff:ff:ff:ff:ff:ff"
package let noMAC = "00:00:00:00:00:00"

/// A question of ARP.
package func arpRequest(_ sender: (mac: String, ip: String), for target: String, to destination: String = everybody)
    -> [UInt8]
{
    arp(1, sender, (noMAC, target), to: destination)
}

/// An answer of ARP.
package func arpReply(_ sender: (mac: String, ip: String), to target: (mac: String, ip: String)) -> [UInt8] {
    arp(2, sender, target)
}

/// The solicited-node group of an address (RFC 4291 §2.7.1), and the MAC that it has.
package func solicitedNode(_ target: String) -> (ip: String, mac: String) {
    let tail = address(target).suffix(3).map { String($0, radix: 16) }
    let padded = tail.map { $0.count == 1 ? "0" + $0 : $0 }
    return ("ff02::1:ff\(padded[0]):\(padded[1])\(padded[2])", "33:33:ff:\(padded[0]):\(padded[1]):\(padded[2])")
}

/// A neighbour solicitation as a frame: to the group of the target, unless a MAC is given. `option` is the MAC of the
/// source option; by default the sender's.
package func solicitation(
    _ sender: (mac: String, ip: String),
    for target: String,
    to known: String? = nil,
    option: String? = nil,
    hasOption: Bool = true,
    hopLimit: Int = 255
) -> [UInt8] {
    let group = solicitedNode(target)
    let destination = known == nil ? group.ip : target
    let options: [UInt8] = hasOption ? [1, 1] + address(option ?? sender.mac) : []
    let message = icmpv6(135, 0, 0, from: sender.ip, to: destination, address(target) + options)
    let packet = ipv6(from: sender.ip, to: destination, next: 58, hopLimit: hopLimit, message)
    return ethernet(to: known ?? group.mac, from: sender.mac, packet)
}

/// A neighbour advertisement as a frame. `flags`: 0x80 router, 0x40 solicited, 0x20 override.
package func advertisement(
    _ sender: (mac: String, ip: String),
    of target: String,
    to destination: (mac: String, ip: String),
    flags: Int = 0x60,
    option: String? = nil,
    hopLimit: Int = 255
) -> [UInt8] {
    let data = address(target) + [2, 1] + address(option ?? sender.mac)
    let message = icmpv6(136, 0, flags << 24, from: sender.ip, to: destination.ip, data)
    let packet = ipv6(from: sender.ip, to: destination.ip, next: 58, hopLimit: hopLimit, message)
    return ethernet(to: destination.mac, from: sender.mac, packet)
}

package func vxlan(_ vni: Int, flags: Int = 0x0800_0000, reserved: Int = 0, _ content: [UInt8]) -> [UInt8] {
    be32(flags) + be32(vni << 8 | reserved) + content
}

/// GRE with a key, with a checksum (`flags` 0x8000) or a sequence number. `type` is that of the content unless given.
package func gre(
    key: Int? = nil,
    flags: Int = 0,
    type: Int? = nil,
    sequence: Int? = nil,
    _ content: [UInt8]
) -> [UInt8] {
    var flags = flags
    if key != nil { flags |= 0x2000 }
    if sequence != nil { flags |= 0x1000 }
    let family = content.first.map { $0 >> 4 == 6 } == true ? 0x86DD : 0x0800
    var packet = be16(flags) + be16(type ?? family)
    if flags & 0x8000 != 0 { packet += [0, 0, 0, 0] }
    if let key { packet += be32(key) }
    if let sequence { packet += be32(sequence) }
    packet += content
    if flags & 0x8000 != 0 { packet.replaceSubrange(4..<6, with: be16(0xFFFF - onesSum(packet))) }
    return packet
}
