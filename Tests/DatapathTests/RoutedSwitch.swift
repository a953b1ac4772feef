import Datapath
import Forwarding
import Ports
import Rings
import Tables
import TestCloud
import Wire

/// One host of a test cloud as a whole switch over memory ports. Tenants' ports leave frames as they are, as TAPs do;
/// tunnels finish checksums and cut super-frames, as sockets do.
final class RoutedSwitch {
    let host: Int
    private(set) var tables: HostTables
    let states: [TestState]
    private var snapshots: [TestSnapshot]
    private let ports: UnsafeMutablePointer<MemoryPort>
    private let count: Int
    let crew: Crew

    init(_ cloud: TestCloud, host: Int, now: UInt32 = 1000, workers: Int = Crew.usual) throws {
        self.host = host
        tables = HostTables(cloud, host: host)
        let first = try TestSnapshot(tables.builder)
        snapshots = [first]
        count = tables.builder.endpoints.count
        ports = .allocate(capacity: count)
        states = (0..<workers).map { _ in TestState() }
        crew = Crew(first.snapshot, states.map(\.region), now: now)
        for slot in 0..<count {
            let kind = tables.builder.endpoints[slot].kind
            let isPort = kind == EndpointKind.port || kind == EndpointKind.provider
            (ports + slot).initialize(to: MemoryPort(finishesOffloads: !isPort))
            crew.attach(ports[slot].io, slot: UInt32(slot))
        }
    }

    deinit {
        ports.deinitialize(count: count)
        ports.deallocate()
    }

    var snapshot: Snapshot { snapshots[snapshots.count - 1].snapshot }

    // MARK: Frames

    /// Lets a frame wait at a door.
    func inject(_ frame: [UInt8], at door: Door, offload: Offload = .none) -> Bool {
        ports[slot(door)].inject(frame, offload: offload)
    }

    /// The same without an array.
    func inject(_ bytes: UnsafeRawBufferPointer, slot: Int) -> Bool { ports[slot].inject(bytes) }

    /// Lets a frame in by a tenant's port.
    func send(_ frame: [UInt8], at port: String, offload: Offload = .none) {
        precondition(inject(frame, at: .port(port), offload: offload), "the port's ring is full")
        turn(.port(port))
    }

    /// Lets a packet in from the underlay.
    func receive(_ packet: [UInt8], by door: Door, from source: String, tos: UInt8 = 0) {
        precondition(ports[slot(door)].inject(packet, outerSource: mapped(source), outerTOS: tos))
        turn(door)
    }

    func turn(_ door: Door) { crew.turn(UInt32(slot(door))) }
    func turn(slot: Int) { crew.turn(UInt32(slot)) }

    func take(_ door: Door) -> MemoryFrame? { ports[slot(door)].take() }

    /// Everything that left by a tenant's port.
    func taken(_ port: String) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        while let frame = take(.port(port)) { frames.append(frame.bytes) }
        return frames
    }

    func discard(slot: Int) { ports[slot].discard() }

    func discardAll() { for slot in 0..<count { ports[slot].discard() } }

    func slot(_ door: Door) -> Int { Int(tables.slot(of: door)) }

    // MARK: Time and tables

    func advance(to second: UInt32) {
        crew.advance(toMilliseconds: second &* 1000)
        crew.review()
    }

    func advance(toMilliseconds time: UInt32) { crew.advance(toMilliseconds: time) }

    /// Forwards by other tables from the next burst on. The old ones stay in memory.
    func use(_ new: HostTables) throws {
        tables = new
        let next = try TestSnapshot(new.builder, generation: UInt64(snapshots.count + 1))
        snapshots.append(next)
        crew.use(next.snapshot)
    }

    /// Forwards by tables that were frozen before.
    func use(_ snapshot: TestSnapshot) { crew.use(snapshot.snapshot) }

    // MARK: Counts

    func drops(_ port: String, _ reason: DropReason) -> UInt64 { drops(.port(port), reason) }

    func drops(_ door: Door, _ reason: DropReason) -> UInt64 {
        crew.drops(UInt32(slot(door)), reason.rawValue)
    }

    func events(_ event: Event) -> UInt64 { crew.events(event.rawValue) }

    func learnPathMTU(_ mtu: UInt32, to peer: String, now: UInt32) {
        for state in states {
            state.region.taught.learnPathMTU(mtu, peer: tables.peer(peer), now: now, snapshot: snapshot)
        }
    }
}

/// The hosts of a cloud and the wires between them.
final class Underlay {
    /// A tunnel packet to somebody who is no host of the cloud.
    struct Packet: Equatable {
        var door: Door
        var destination: IPv6Address
        var bytes: [UInt8]
        var tos: UInt8 = 0
    }

    let hosts: [RoutedSwitch]
    private(set) var now: UInt32
    /// What left for elsewhere, the oldest first.
    private var away: [Packet] = []
    /// Tunnel packets that one host sent to another.
    private(set) var carried = 0

    init(_ cloud: TestCloud = .twoTenants, now: UInt32 = 1000) throws {
        hosts = try (1...cloud.hosts).map { try RoutedSwitch(cloud, host: $0, now: now) }
        self.now = now
    }

    subscript(_ host: Int) -> RoutedSwitch { hosts[host - 1] }

    /// The host that a port is on.
    func home(of port: String) -> RoutedSwitch {
        guard
            let home = hosts.first(where: {
                $0.tables.builder.endpoints[$0.slot(.port(port))].kind == EndpointKind.port
            })
        else { preconditionFailure("\(port) is nowhere") }
        return home
    }

    /// Lets a frame in by a port and everything happen that comes of it.
    func send(_ frame: [UInt8], at port: String, offload: Offload = .none) {
        home(of: port).send(frame, at: port, offload: offload)
        carry()
    }

    func receive(_ packet: [UInt8], by door: Door, from source: String, at host: Int = 1) {
        self[host].receive(packet, by: door, from: source)
        carry()
    }

    func taken(_ port: String) -> [[UInt8]] { home(of: port).taken(port) }

    func takenAway() -> [Packet] {
        defer { away = [] }
        return away
    }

    /// Carries tunnel packets from host to host until there are none.
    func carry() {
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            for host in hosts {
                for door in Door.tunnels {
                    while let packet = host.take(door) {
                        isQuiet = false
                        deliver(packet, door, from: host.host)
                    }
                }
            }
        }
    }

    private func deliver(_ packet: MemoryFrame, _ door: Door, from source: Int) {
        let isIPv6 = door.isIPv6
        guard
            let target = hosts.first(where: {
                mapped(TestCloud.underlay($0.host, isIPv6: isIPv6)) == packet.destination
            })
        else {
            away.append(Packet(door: door, destination: packet.destination, bytes: packet.bytes, tos: packet.tos))
            return
        }
        carried += 1
        target.receive(packet.bytes, by: door, from: TestCloud.underlay(source, isIPv6: isIPv6), tos: packet.tos)
    }

    /// Every host forgets what it learned about the way to a peer.
    func forgetPathMTU(of peer: String) {
        for host in hosts where host.tables.peers[peer] != nil {
            for state in host.states { state.region.taught.pathMTUs[Int(host.tables.peer(peer))].mtu = 0 }
        }
    }

    /// Seconds pass, one by one.
    func wait(_ seconds: Int) {
        for _ in 0..<seconds {
            now += 1
            for host in hosts { host.advance(to: now) }
            carry()
        }
    }
}
