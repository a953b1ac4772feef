import Forwarding
import TestCloud
import Testing
import Wire

/// How often routers answer: RFC 1812 §4.3.2.8, RFC 4443 §2.4(f) (RT6), RFC 5227 §2.4.
@Suite struct RouterRateTests {
    private let expired = fromWeb(numbered(1, from: web4, to: db4, ttl: 1))

    /// Frames that one turn takes: four bursts.
    private static let perTurn = 128

    /// Lets as many frames in by a port, and counts what comes out there.
    private func flood(_ host: RoutedSwitch, _ port: String, _ frame: [UInt8], _ count: Int) -> Int {
        var left = count
        var answers = 0
        while left > 0 {
            for _ in 0..<min(left, RouterRateTests.perTurn) { _ = host.inject(frame, at: .port(port)) }
            left -= min(left, RouterRateTests.perTurn)
            host.turn(.port(port))
            while host.take(.port(port)) != nil { answers += 1 }
        }
        return answers
    }

    @Test("RT6: 100 ICMP errors at once, then 1000 a second; a flood in red leaves blue's alone")
    func errors() throws {
        let host = try RoutedSwitch(.twoTenants, host: 1)
        #expect(flood(host, "red/web", expired, 10_000) == 100)
        #expect(host.drops("red/web", .hopLimitExceeded) == 10_000)
        #expect(host.events(.errorSent) == 100)
        #expect(host.events(.answerSuppressed) == 9900)
        #expect(flood(host, "blue/web", expired, 1) == 1)
        // Another network of red's own has its own too.
        #expect(flood(host, "red/db", fromDB(numbered(1, from: db4, to: web4, ttl: 1)), 1) == 1)
        var answers = 0
        for time in stride(from: 1_000_000, through: 1_002_000, by: 10) as StrideThrough<UInt32> {
            host.advance(toMilliseconds: time)
            answers += flood(host, "red/web", expired, 50)
        }
        #expect(answers == 2000)
        // What is saved up is a burst, however long it was quiet.
        host.advance(toMilliseconds: 2_000_000)
        #expect(flood(host, "red/web", expired, 1000) == 100)
    }

    @Test("RT6: IPv6 has no more, and errors in the name of a destination count with the others")
    func errorsOfAllKinds() throws {
        let host = try RoutedSwitch(.twoTenants, host: 1)
        let six = fromWeb(numbered(1, from: web6, to: db6, ttl: 1))
        #expect(flood(host, "red/web", six, 70) == 70)
        let large = ipv4(from: web4, to: far4, fragment: dontFragment, filler(1440))
        #expect(flood(host, "red/web", ethernet(to: Names.far, from: Names.web, large), 70) == 30)
        #expect(flood(host, "red/web", expired, 70) == 0)
    }

    @Test("pings and questions for the router's address have rates of their own: 1000 and 200 at once")
    func others() throws {
        let host = try RoutedSwitch(.twoTenants, host: 1)
        #expect(flood(host, "red/web", expired, 1000) == 100)
        #expect(flood(host, "red/web", fromWeb(echo(from: web4, to: gateway4)), 3000) == 1000)
        #expect(flood(host, "red/web", arpRequest((Names.web, web4), for: gateway4), 3000) == 200)
        #expect(flood(host, "red/web", solicitation((Names.web, web6), for: gateway6), 10) == 0)
        // A question or ping without an answer is a frame that went nowhere: it has a reason.
        #expect(host.drops("red/web", .answerSuppressed) == 2000 + 2800 + 10)
        #expect(flood(host, "blue/web", arpRequest((Names.web, web4), for: gateway4), 1) == 1)
        host.advance(toMilliseconds: 1_000_100)
        #expect(flood(host, "red/web", fromWeb(echo(from: web4, to: gateway4)), 3000) == 1000)
        #expect(flood(host, "red/web", arpRequest((Names.web, web4), for: gateway4), 3000) == 200)
    }

    @Test("100 000 packets without a hop left cost a running flow nothing: every packet of it leaves, in order")
    func runningFlow() throws {
        let host = try RoutedSwitch(.twoTenants, host: 1)
        let rounds = 100_000 / 50
        var next = 0
        var arrived = 0
        for round in 0..<rounds {
            host.advance(toMilliseconds: 1_000_000 + UInt32(round) / 2)
            for i in 0..<100 {
                var frame = expired
                if i % 2 == 1 {
                    frame = fromWeb(numbered(next, from: web4, to: db4))
                    next += 1
                }
                try #require(host.inject(frame, at: .port("red/web")))
            }
            host.turn(.port("red/web"))
            for frame in host.taken("red/db") {
                guard frame == toDB(numbered(arrived, from: web4, to: db4, ttl: 63)) else {
                    Issue.record("packet \(arrived) is missing or out of order")
                    return
                }
                arrived += 1
            }
            _ = host.taken("red/web")
        }
        #expect(arrived == 100_000)
        #expect(host.drops("red/web", .hopLimitExceeded) == 100_000)
        // A hundred, and one for each of the 999 milliseconds that passed.
        #expect(host.events(.errorSent) == 1099)
    }

    @Test("nobody is made a target: an answer leaves by the port that its frame came in by, whoever its source is")
    func noReflection() throws {
        let cloud = try Underlay()
        // From a port whose address the source is not: nothing is said at all.
        cloud.send(fromWeb(numbered(1, from: far4, to: "172.16.0.1")), at: "red/web")
        #expect(cloud.taken("red/far").isEmpty)
        #expect(cloud.taken("red/web").count == 1)
        cloud.send(fromWeb(numbered(1, from: "10.9.0.5", to: "172.16.0.1")), at: "red/web")
        cloud.send(fromWeb(numbered(1, from: "203.0.113.1", to: db4)), at: "red/web")
        cloud.send(fromWeb(echo(from: "10.0.1.22", to: gateway4)), at: "red/web")
        #expect(cloud.takenAway().isEmpty)
        #expect(cloud.taken("red/fardb").isEmpty)
    }
}
