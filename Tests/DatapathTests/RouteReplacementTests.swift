import AllocationCounter
import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// Tables that change under traffic, and what a routed frame costs in memory: nothing.
@Suite struct RouteReplacementTests {
    /// 100 000 routes of 10.64.0.0/10 and 2001:db8:64::/48, all by one way.
    private static func routes(_ way: TestCloud.Via) throws -> (HostTables, TestSnapshot) {
        var cloud = TestCloud.twoTenants
        cloud.change("red/gw") { router in
            for i in 0..<50_000 {
                router.routes.append(("10.\(64 + i / 1024).\(i / 4 % 256).\(i % 4 * 64)/26", [way]))
                router.routes.append(("2001:db8:64:\(String(i, radix: 16))::/64", [way]))
            }
        }
        let tables = HostTables(cloud, host: 1)
        return (tables, try TestSnapshot(tables.builder))
    }

    @Test("100 000 routes replaced between two bursts: no packet meets half a table, none is lost")
    func replaced() throws {
        let (tables, before) = try RouteReplacementTests.routes(.tunnel("gre"))
        let (_, after) = try RouteReplacementTests.routes(.tunnel("gre6"))
        #expect(tables.builder.routes.count > 100_000)
        let host = try RoutedSwitch(.twoTenants, host: 1)
        var sent = 0
        var number = 1
        for round in 0..<200 {
            host.use(round % 2 == 0 ? before : after)
            let (own, other): (Door, Door) = round % 2 == 0 ? (.gre, .gre6) : (.gre6, .gre)
            for i in 0..<32 {
                number = number &* 48_271 % 0x7FFF_FFFF
                let route = number % 50_000
                let destination =
                    i % 2 == 0
                    ? "10.\(64 + route / 1024).\(route / 4 % 256).\(route % 4 * 64 + number % 64)"
                    : "2001:db8:64:\(String(route, radix: 16))::\(String(number & 0xFFFF, radix: 16))"
                let packet = numbered(sent, from: i % 2 == 0 ? web4 : web6, to: destination)
                try #require(host.inject(fromWeb(packet), at: .port("red/web")))
                sent += 1
            }
            host.turn(.port("red/web"))
            var arrived = 0
            while host.take(own) != nil { arrived += 1 }
            #expect(arrived == 32)
            #expect(host.take(other) == nil)
        }
        #expect(host.taken("red/web").isEmpty)
    }

    @Test("a tenant's table that goes leaves the other's as it is")
    func removed() throws {
        let cloud = try Underlay()
        var without = TestCloud.twoTenants
        without.change("red/gw") { $0.routes = [] }
        try cloud[1].use(HostTables(without, host: 1))
        cloud.send(fromWeb(numbered(1, from: web4, to: "10.9.0.5")), at: "red/web")
        #expect(cloud[1].drops("red/web", .noRoute) == 1)
        cloud.send(fromWeb(numbered(1, from: web4, to: "10.9.0.5")), at: "blue/web")
        #expect(cloud.takenAway().map(\.destination) == [mapped(Names.ipipEnd(1))])
    }

    @Test("a million routed frames allocate nothing, whatever becomes of them")
    func allocations() throws {
        let host = try RoutedSwitch(.twoTenants, host: 1)
        // A neighbour that has answered, so that it is asked again now and then, and one that never will.
        host.send(arpRequest(("02:00:00:00:00:99", "10.0.1.99"), for: dataGateway4), at: "red/db")
        let large = ipv4(from: web4, to: "10.9.0.5", filler(3000))
        let frames: [(frame: [UInt8], count: Int)] = [
            (fromWeb(numbered(1, from: web4, to: db4)), 8), (fromWeb(numbered(1, from: web6, to: db6)), 4),
            (fromWeb(numbered(1, from: web4, to: "10.9.0.5")), 4),
            (fromWeb(numbered(1, from: web6, to: "2001:db8:8::5")), 2),
            (fromWeb(numbered(1, from: web4, to: "10.0.1.22")), 4),
            (fromWeb(numbered(1, from: web4, to: "10.0.1.99")), 1),
            (fromWeb(numbered(1, from: web4, to: "10.0.1.98")), 1), (fromWeb(large), 1),
            (fromWeb(numbered(1, from: web4, to: db4, ttl: 1)), 1),
            (fromWeb(numbered(1, from: web4, to: "10.77.0.1")), 1),
            (fromWeb(echo(from: web4, to: gateway4)), 1), (arpRequest((Names.web, web4), for: gateway4), 1),
            (solicitation((Names.web, web6), for: gateway6), 1),
            (
                ethernet(
                    to: Names.far,
                    from: Names.web,
                    ipv4(from: web4, to: far4, fragment: dontFragment, filler(1440))
                ), 1
            ),
            (fromWeb(numbered(1, from: db4, to: "10.9.0.5")), 1),
        ]
        let burst = frames.reduce(0) { $0 + $1.count }
        #expect(burst == 32)
        let doors = [Door.port("red/web"), .port("red/db"), .raw(4), .gre, .vxlan, .raw6(4)].map(host.slot)
        let door = doors[0]
        var second: UInt32 = 1000
        func round(_ i: Int) {
            if i % 50 == 0 {
                second += 1
                host.advance(to: second)
            }
            for entry in frames {
                entry.frame.withUnsafeBytes { bytes in
                    for _ in 0..<entry.count { _ = host.inject(bytes, slot: door) }
                }
            }
            host.turn(slot: door)
            for slot in doors { host.discard(slot: slot) }
        }
        for i in 0..<200 { round(i) }
        let before = allocation_count()
        for i in 0..<31_250 { round(i) }
        #expect(allocation_count() - before == 0)
        #expect(host.crew.counters(UInt32(door)).receivedFrames == 32 * 31_450)
        // All of it did happen.
        for event in [Event.errorSent, .echoAnswered, .arpAnswered, .fragmented, .neighborAsked, .neighborFailed] {
            #expect(host.events(event) > 100, "\(event)")
        }
        #expect(host.drops("red/web", .reversePath) == 31_450)
        // The counter does count.
        let probe = allocation_count()
        _ = TestState()
        #expect(allocation_count() > probe)
    }
}
