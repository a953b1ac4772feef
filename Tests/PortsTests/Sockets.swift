import CLinux
import Glibc
import Testing

/// A UDP socket of the kernel, as a tenant has it.
final class UDPSocket {
    let fd: Int32

    init(port: UInt16) throws {
        fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = ipv4Address(0, port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, 16) }
        }
        try #require(result == 0)
        var patience = timeval(tv_sec: 0, tv_usec: 100_000)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, UInt32(MemoryLayout<timeval>.size))
    }

    deinit { close(fd) }

    func send(_ bytes: [UInt8], to host: UInt32, port: UInt16) throws {
        var address = ipv4Address(host, port)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(fd, bytes, bytes.count, 0, $0, 16) }
        }
        try #require(result == bytes.count)
    }

    /// The next datagram, or nil after a tenth of a second.
    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 70_000)
        let count = recv(fd, &bytes, bytes.count, 0)
        return count < 0 ? nil : Array(bytes[..<count])
    }
}

/// A TCP connection of the kernel between two namespaces, driven step by step beside the datapath under test.
final class Transfer {
    private let listener: Int32
    private let sender: Int32
    private var receiver: Int32 = -1

    init(from: Namespace, to: Namespace, address: UInt32, port: UInt16 = 5000) throws {
        to.enter()
        let flags = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)
        let listener = socket(AF_INET, flags, 0)
        var here = ipv4Address(0, port)
        let bound = withUnsafePointer(to: &here) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, 16) }
        }
        from.enter()
        let sender = socket(AF_INET, flags, 0)
        self.listener = listener
        self.sender = sender
        try #require(bound == 0 && listen(listener, 1) == 0)
        var there = ipv4Address(address, port)
        let connected = withUnsafePointer(to: &there) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(sender, $0, 16) }
        }
        try #require(connected < 0 && errno == EINPROGRESS)
    }

    deinit { for fd in [listener, sender, receiver] where fd >= 0 { close(fd) } }

    /// Sends `total` bytes and compares what arrives; `carry` is called in between. Two seconds at most.
    func run(_ total: Int, _ carry: () -> Void) throws {
        var sent = 0
        var received = 0
        var wrong = 0
        let chunk = (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 256) }
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let end = linux_monotonic() + 2_000_000_000
        while received < total, linux_monotonic() < end {
            carry()
            if receiver < 0 { receiver = accept(listener, nil, nil) }
            if sent < total {
                let offset = sent % chunk.count
                let count = min(total - sent, chunk.count - offset)
                let result = chunk.withUnsafeBytes {
                    Glibc.send(sender, $0.baseAddress! + offset, count, Int32(MSG_NOSIGNAL))
                }
                if result > 0 { sent += result }
            }
            if receiver >= 0 {
                let count = recv(receiver, &bytes, bytes.count, Int32(MSG_DONTWAIT))
                for index in 0..<max(0, count) where bytes[index] != chunk[(received + index) % chunk.count] {
                    wrong += 1
                }
                received += max(0, count)
            }
        }
        #expect(received == total && wrong == 0, "\(received) of \(total) bytes arrived, \(wrong) of them wrong")
    }
}

private func ipv4Address(_ host: UInt32, _ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = UInt16(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = host.bigEndian
    return address
}
