import CNetlink
import Glibc

/// Keeps the host's own IP stack away from a tenant's device that stays in the host's namespace.
///
/// A packet socket gets a copy of what arrives; the original still goes up the host's stack, which would answer ARP
/// and pings for its own addresses and take a tenant's packets to its VTEP. A netdev base chain with policy drop
/// (nf_tables, `include/uapi/linux/netfilter/nf_tables.h`) stands behind the packet sockets and before that stack.
/// The table is named after the device, so that it is found again after a crash and seen in `nft list ruleset`.
public enum IngressGuard {
    private static let netdevFamily: UInt8 = 5
    private static let newTable: UInt16 = 0
    private static let deleteTable: UInt16 = 2
    private static let newChain: UInt16 = 3

    /// Installs or renews the guard of a device.
    public static func install(on device: String, in namespace: NetworkNamespace) throws {
        let table = name(device)
        // Creating first makes the deletion of what an earlier run left behind succeed in every case.
        try transact(
            namespace,
            device,
            [
                message(newTable, [text(1, table)], create: true),
                message(deleteTable, [text(1, table)], create: false),
                message(newTable, [text(1, table)], create: true),
                message(
                    newChain,
                    [
                        text(1, table), text(3, "ingress"),
                        attribute(4 | 0x8000, number(1, 0) + number(2, 0) + text(3, device)),
                        number(5, 0), text(7, "filter"),
                    ],
                    create: true
                ),
            ]
        )
    }

    /// Removes the guard; a device without one is no error.
    public static func remove(from device: String, in namespace: NetworkNamespace) {
        try? transact(namespace, device, [message(deleteTable, [text(1, name(device))], create: false)])
    }

    private static func name(_ device: String) -> String { "sluice-\(device)" }

    // MARK: Messages

    private static func message(_ type: UInt16, _ attributes: [[UInt8]], create: Bool) -> (UInt16, UInt16, [UInt8]) {
        let flags = UInt16(NLM_F_REQUEST | NLM_F_ACK) | (create ? 0x400 : 0)
        return (10 << 8 | type, flags, [netdevFamily, 0, 0, 0] + attributes.joined())
    }

    private static func attribute(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        let length = UInt16(4 + payload.count)
        let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
        return bytes(length) + bytes(type) + payload + padding
    }

    private static func text(_ type: UInt16, _ value: String) -> [UInt8] { attribute(type, Array(value.utf8) + [0]) }

    /// nf_tables wants its numbers in network order.
    private static func number(_ type: UInt16, _ value: UInt32) -> [UInt8] { attribute(type, bytes(value.bigEndian)) }

    private static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    private static func frame(_ type: UInt16, _ flags: UInt16, _ sequence: UInt32, _ body: [UInt8]) -> [UInt8] {
        bytes(UInt32(16 + body.count)) + bytes(type) + bytes(flags) + bytes(sequence) + bytes(UInt32(0)) + body
    }

    /// Sends one batch, which takes effect whole or not at all, and waits for its acknowledgements.
    private static func transact(
        _ namespace: NetworkNamespace,
        _ device: String,
        _ messages: [(UInt16, UInt16, [UInt8])]
    ) throws {
        let refusal = { (code: Int32) in NetlinkError("guard", device, errno: code, detail: "nf_tables refuses") }
        let socket = try namespace.run {
            Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 12)
        }
        guard socket >= 0 else { throw refusal(errno) }
        defer { close(socket) }
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let edge: [UInt8] = [0, 0, 0, 10]
        var batch = frame(16, UInt16(NLM_F_REQUEST), 0, edge)
        for (i, item) in messages.enumerated() { batch += frame(item.0, item.1, UInt32(i + 1), item.2) }
        batch += frame(17, UInt16(NLM_F_REQUEST), UInt32(messages.count + 1), edge)
        guard send(socket, batch, batch.count, 0) == batch.count else { throw refusal(errno) }
        var pending = messages.count
        var buffer = [UInt8](repeating: 0, count: 8192)
        while pending > 0 {
            let n = recv(socket, &buffer, buffer.count, 0)
            guard n > 0 else { throw refusal(n < 0 ? errno : EPIPE) }
            var at = 0
            while at + 20 <= n {
                let (length, type, code) = buffer.withUnsafeBytes {
                    (
                        Int($0.loadUnaligned(fromByteOffset: at, as: UInt32.self)),
                        $0.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self),
                        $0.loadUnaligned(fromByteOffset: at + 16, as: Int32.self)
                    )
                }
                guard length >= 16 else { break }
                if type == UInt16(NLMSG_ERROR) {
                    guard code == 0 else { throw refusal(-code) }
                    pending -= 1
                }
                at += (length + 3) & ~3
            }
        }
    }
}
