import CLinux
import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// A network namespace that lives as long as this value. Tests are synchronous, so each stays on one thread, and the
/// thread is back where it came from when the test ends.
final class Namespace {
    let fd: Int32

    /// Makes a namespace and enters it. Without privilege this fails, and so does the test: run it as root, or the
    /// whole test program under `unshare -Urn`.
    init() throws {
        try #require(linux_unshare(Int32(LINUX_CLONE_NEWNET)) == 0, "network namespaces take root or `unshare -Urn`")
        fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        try #require(fd >= 0)
        // Router solicitations and multicast reports would get in between the frames of a test.
        try sh("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up")
    }

    deinit { close(fd) }

    func enter() { precondition(linux_setns(fd, Int32(LINUX_CLONE_NEWNET)) == 0) }

    /// A name that `ip link set … netns` understands.
    var path: String { "/proc/\(getpid())/fd/\(fd)" }
}

/// Runs `body` with fresh namespaces, in the last of them, and comes back.
func withNamespaces(_ count: Int, _ body: ([Namespace]) throws -> Void) throws {
    let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    try #require(home >= 0)
    defer {
        precondition(linux_setns(home, Int32(LINUX_CLONE_NEWNET)) == 0)
        close(home)
    }
    var namespaces: [Namespace] = []
    for _ in 0..<count { namespaces.append(try Namespace()) }
    try body(namespaces)
}

/// Runs a shell command in the thread's namespace.
func sh(_ command: String) throws {
    let status = system("{ \(command); } >&2")
    try #require(status == 0, "\(command)")
}

/// Two namespaces joined by a veth pair `left`–`right`, 192.0.2.1/24 and 2001:db8::1/64 against `.2` and `::2`.
/// The thread is in the left one.
func withPair(mtu: Int = 1500, _ body: (_ left: Namespace, _ right: Namespace) throws -> Void) throws {
    try withNamespaces(2) { spaces in
        let (left, right) = (spaces[0], spaces[1])
        left.enter()
        try sh(
            """
            echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6 &&
            ip link add left mtu \(mtu) address 02:00:00:00:0a:01 type veth \
                peer name right mtu \(mtu) address 02:00:00:00:0a:02 netns \(right.path) &&
            ip link set left up && ip addr add 192.0.2.1/24 dev left &&
            echo 0 > /proc/sys/net/ipv6/conf/left/disable_ipv6 && ip addr add 2001:db8::1/64 dev left nodad &&
            ip neigh add 192.0.2.2 lladdr 02:00:00:00:0a:02 dev left &&
            ip neigh add 2001:db8::2 lladdr 02:00:00:00:0a:02 dev left
            """
        )
        right.enter()
        try sh(
            """
            echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6 &&
            ip link set right up && ip addr add 192.0.2.2/24 dev right &&
            echo 0 > /proc/sys/net/ipv6/conf/right/disable_ipv6 && ip addr add 2001:db8::2/64 dev right nodad &&
            ip neigh add 192.0.2.1 lladdr 02:00:00:00:0a:01 dev right &&
            ip neigh add 2001:db8::1 lladdr 02:00:00:00:0a:01 dev right
            """
        )
        try waitForCarrier("right")
        left.enter()
        try waitForCarrier("left")
        try body(left, right)
    }
}

/// From now on the kernel sends nothing by itself from the namespace that the thread is in.
func silence() throws { try sh("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6") }

/// The kernel turns a device's queue on a moment after its cable is in; what is sent before is lost.
func waitForCarrier(_ device: String) throws {
    try sh("for i in $(seq 100); do ip -br link show dev \(device) | grep -q ' UP ' && break; sleep 0.01; done")
}

/// The index of a device in the thread's namespace.
func index(of device: String) throws -> Int32 {
    let index = if_nametoindex(device)
    try #require(index > 0, "no device \(device)")
    return Int32(index)
}

/// A frame as it came in, copied out of its buffer.
struct Received: Equatable {
    var bytes: [UInt8]
    var offload: Offload
    var source: IPv6Address
    var tos: UInt8
    var interface: UInt32
}

/// A frame to send, in the two parts that a slot has.
struct Outgoing {
    var header: [UInt8] = []
    var payload: [UInt8] = []
    var offload = Offload.none
    var tos: UInt8 = 0
    var flow: UInt32 = 0
    var destination = IPv6Address(high: 0, low: 0)
    var port: UInt16 = 4789
    /// Bytes of the tunnel header; nil: 8 where there is a destination, none elsewhere.
    var tunnel: UInt8?
    /// EtherType of a bare datagram behind the tunnel header.
    var network: UInt16 = 0
    /// On an uplink, what follows the outer IP header.
    var outerTransport: UInt16 = 0
}

/// Endpoints with what a worker has around them. Closes their descriptors in the end.
final class Bench {
    let engine: PortEngine
    let ring = ReceiveRing()
    let pool = BufferPool(count: 40)
    let queues = TransmitQueues(endpoints: 16)
    let ports = UnsafeMutablePointer<PortIO>.allocate(capacity: 16)
    var count: UInt32 = 0
    /// Result of the last `receive` on any port.
    var lastError: Int32 = 0

    init(withBatches: Bool = true) { engine = PortEngine(withBatches: withBatches) }

    deinit {
        for index in 0..<Int(count) { ports[index].closeDescriptors() }
        ports.deallocate()
    }

    func add(_ io: PortIO) -> UInt32 {
        (ports + Int(count)).initialize(to: io)
        count += 1
        return count - 1
    }

    func add(_ kind: PortKind, _ descriptors: [Int32], flags: UInt32 = 0, makesRing: Bool = false) throws -> UInt32 {
        let io = descriptors.withUnsafeBufferPointer {
            PortIO(kind: kind, flags: flags, descriptors: $0, makesRing: makesRing)
        }
        return add(try #require(io))
    }

    /// Takes the endpoint that was added last away again.
    func closeLast() {
        count -= 1
        ports[Int(count)].closeDescriptors()
    }

    func receive(_ endpoint: UInt32) -> [Received] {
        lastError = engine.receive(ports + Int(endpoint), endpoint: endpoint, ring: ring, pool: pool)
        return (0..<ring.count).map { index in
            let frame = ring[index].pointee
            return Received(
                bytes: Array(UnsafeRawBufferPointer(start: frame.bytes, count: frame.length)),
                offload: frame.offload,
                source: frame.outerSource,
                tos: frame.outerTOS,
                interface: frame.outerInterface
            )
        }
    }

    /// Receives until there are `count` frames or a second is over.
    func receive(_ endpoint: UInt32, count: Int, where wanted: (Received) -> Bool = { _ in true }) -> [Received] {
        var frames: [Received] = []
        let end = linux_monotonic() + 1_000_000_000
        while frames.count < count, linux_monotonic() < end {
            let burst = receive(endpoint).filter(wanted)
            frames += burst
            if burst.isEmpty { usleep(500) }
        }
        return frames
    }

    @discardableResult
    func send(_ endpoint: UInt32, _ frames: [Outgoing]) -> TransmitResult {
        queues.reset()
        // Payloads are shared and must not be written: give them to the slot from one block that can be compared.
        let size = frames.reduce(0) { $0 + $1.payload.count }
        let payloads = UnsafeMutableRawPointer.allocate(byteCount: size + 1, alignment: 1)
        defer { payloads.deallocate() }
        var at = payloads
        for frame in frames {
            guard let slot = queues.append(endpoint) else {
                Issue.record("the slots are used up")
                break
            }
            slot.header.copyMemory(from: frame.header, byteCount: frame.header.count)
            slot.pointee.headerLength = UInt16(frame.header.count)
            // Frames for tunnels are those with a destination.
            let isTunnelled = frame.destination != IPv6Address(high: 0, low: 0)
            slot.pointee.networkType = frame.network
            slot.pointee.outerTransport = frame.outerTransport
            slot.pointee.tunnelHeaderLength = frame.tunnel ?? (isTunnelled ? 8 : 0)
            at.copyMemory(from: frame.payload, byteCount: frame.payload.count)
            slot.pointee.payload = frame.payload.isEmpty ? nil : at
            slot.pointee.payloadLength = frame.payload.count
            slot.pointee.offload = frame.offload
            slot.pointee.tos = frame.tos
            slot.pointee.flowHash = frame.flow
            slot.pointee.destination = frame.destination
            slot.pointee.destinationPort = frame.port
            at += frame.payload.count
        }
        let result = engine.transmit(ports + Int(endpoint), queues: queues, endpoint: endpoint)
        let after = Array(UnsafeRawBufferPointer(start: payloads, count: size))
        #expect(after == frames.flatMap(\.payload), "a shared payload was written")
        queues.reset()
        return result
    }

    /// Carries everything that waits on one port to another, whole. Returns the largest frame.
    func carry(from: UInt32, to: UInt32) -> Int {
        lastError = engine.receive(ports + Int(from), endpoint: from, ring: ring, pool: pool)
        var largest = 0
        for index in 0..<ring.count {
            let frame = ring[index].pointee
            guard let slot = queues.append(to) else { break }
            slot.pointee.payload = frame.bytes
            slot.pointee.payloadLength = frame.length
            slot.pointee.offload = frame.offload
            largest = max(largest, frame.length)
        }
        if ring.count > 0 { _ = engine.transmit(ports + Int(to), queues: queues, endpoint: to) }
        queues.reset()
        return largest
    }
}

extension IPv6Address {
    static let left = IPv6Address(mapping: IPv4Address("192.0.2.1")!)
    static let right = IPv6Address(mapping: IPv4Address("192.0.2.2")!)
    static let left6 = IPv6Address("2001:db8::1")!
    static let right6 = IPv6Address("2001:db8::2")!
}

/// Numbers that depend on the seed only.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
