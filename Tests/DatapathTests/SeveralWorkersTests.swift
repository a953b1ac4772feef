import Datapath
import Forwarding
import Tables
import TestCloud
import Testing
import Wire

/// What workers tell each other. Worker 0 reads red's first port, blue's first port and the tunnel; worker 1 the rest.
@Suite struct SeveralWorkersTests {
    private let here = IPv4Address(bits: 0xC000_0201)
    private let peer = IPv4Address(bits: 0xC000_0202)
    private let everybody: UInt64 = 0xFFFF_FFFF_FFFF
    private let alice: UInt64 = 0x0200_0000_000A
    private let bob: UInt64 = 0x0200_0000_000B

    private func pair(macBuckets: Int = 256) throws -> MemorySwitch {
        try MemorySwitch(address: here, peer: peer, workers: 2, macBuckets: macBuckets)
    }

    private func say(_ one: MemorySwitch, _ slot: UInt32, from source: UInt64, to destination: UInt64) {
        #expect(one.inject(frame(to: destination, from: source), at: slot))
        one.turn(slot)
    }

    /// The red ports (and the tunnel) at which something came out.
    private func heard(_ one: MemorySwitch) -> [UInt32] {
        (0..<5 as Range<UInt32>).filter { slot in
            defer { one.discard(slot) }
            return one.take(slot) != nil
        }
    }

    /// Where worker `number` believes a station of red to be.
    private func place(_ one: MemorySwitch, _ mac: UInt64, by number: Int, now: UInt32 = 100) -> UInt32 {
        one.states[number].region.macs.find(
            segment: 0,
            mac: MACAddress(bits: mac),
            now: now,
            snapshot: one.snapshots[one.snapshots.count - 1].snapshot
        )
    }

    @Test("what one has learned, another forwards by, in that tenant's network only")
    func learned() throws {
        let one = try pair()
        say(one, 0, from: alice, to: everybody)
        #expect(heard(one) == [1, 4])
        say(one, 1, from: bob, to: alice)
        #expect(heard(one) == [0])
        say(one, 0, from: alice, to: bob)
        #expect(heard(one) == [1])
        // Blue's stations with these addresses have said nothing yet.
        say(one, 3, from: bob, to: alice)
        #expect(heard(one) == [2, 4])
        #expect(one.crew.events(Event.macLearned.rawValue) == 3)
        #expect(one.crew.events(Event.reportsLost.rawValue) == 0)
    }

    @Test("a station that moves between two workers' ports is at once where it is, for both")
    func moved() throws {
        let one = try pair()
        say(one, 0, from: alice, to: everybody)
        say(one, 1, from: alice, to: everybody)
        #expect(place(one, alice, by: 0) == 1 && place(one, alice, by: 1) == 1)
        say(one, 0, from: alice, to: everybody)
        #expect(place(one, alice, by: 0) == 0 && place(one, alice, by: 1) == 0)
        #expect(one.crew.events(Event.macMoved.rawValue) == 2)
    }

    @Test("news that cross within a second: the station's next frame puts both right")
    func crossing() throws {
        let one = try pair()
        one.crew.hearsAtOnce = false
        say(one, 0, from: alice, to: everybody)
        say(one, 1, from: alice, to: everybody)
        one.crew.hear()
        say(one, 1, from: alice, to: everybody)
        one.crew.hear()
        #expect(place(one, alice, by: 0) == 1 && place(one, alice, by: 1) == 1)
    }

    @Test("old news do not bring a station back to where it was")
    func oldNews() throws {
        let one = try pair()
        say(one, 0, from: alice, to: everybody)
        one.crew.hearsAtOnce = false
        one.advance(to: 110)
        say(one, 1, from: alice, to: everybody)
        // Worker 0 has not heard of it yet, and repeats what it knows.
        one.crew.age(0)
        one.crew.hear(1)
        #expect(place(one, alice, by: 1, now: 110) == 1)
        one.crew.hear(0)
        #expect(place(one, alice, by: 0, now: 110) == 1)
    }

    @Test("a station lives as long with the others as with the worker that hears it, and no longer")
    func ageing() throws {
        for age in [300, 10] as [UInt32] {
            let one = try pair()
            one.use(try MemorySwitch.tables(peer: peer, generation: 2, ageing: age))
            say(one, 0, from: alice, to: everybody)
            var now: UInt32 = 100
            var last = now
            while now < 100 + 5 * age {
                now += 1
                one.advance(to: now)
                if now % 2 == 0 {
                    say(one, 0, from: alice, to: bob)
                    last = now
                }
                one.crew.age()
                #expect(place(one, alice, by: 1, now: now) == 0, "\(now) s")
            }
            while now < last + age - 1 {
                now += 1
                one.advance(to: now)
                one.crew.age()
            }
            #expect(place(one, alice, by: 0, now: now) == 0 && place(one, alice, by: 1, now: now) == 0)
            one.advance(to: now + 1)
            one.crew.age()
            #expect(place(one, alice, by: 0, now: now + 1) == noSlot)
            #expect(place(one, alice, by: 1, now: now + 1) == noSlot)
        }
    }

    @Test("what all were told to forget does not come back from who forgot last")
    func flush() throws {
        let one = try pair()
        one.crew.hearsAtOnce = false
        say(one, 0, from: alice, to: everybody)
        say(one, 1, from: bob, to: everybody)
        // As the control thread does it: twice around.
        for _ in 0..<2 { for number in 0..<2 { one.crew.forget(segment: 0, by: number) } }
        one.crew.hear()
        for number in 0..<2 {
            #expect(place(one, alice, by: number) == noSlot && place(one, bob, by: number) == noSlot)
        }
    }

    @Test("what could not be told at once is counted, holds nobody up and is heard of later")
    func overflow() throws {
        let one = try pair(macBuckets: 8192)
        one.crew.hearsAtOnce = false
        // More than the rates of a network allow at once, and then more than a ring takes.
        let stations = 20_000
        for i in 0..<stations {
            if i % 2000 == 0 { one.advance(to: 100 + UInt32(i / 2000)) }
            #expect(one.inject(frame(to: everybody, from: 0x0200_0001_0000 + UInt64(i)), at: 0))
            one.turn(0)
            for slot in [1, 4] as [UInt32] { one.discard(slot) }
        }
        let lost = one.crew.events(Event.reportsLost.rawValue)
        #expect(lost > 0)
        one.crew.hearsAtOnce = true
        for second in 110..<125 as Range<UInt32> {
            one.advance(to: second)
            one.crew.age()
        }
        var missing = 0
        for i in 0..<stations where place(one, 0x0200_0001_0000 + UInt64(i), by: 1, now: 124) != 0 { missing += 1 }
        // A full pair of buckets may give somebody up, here or there.
        #expect(missing < stations / 100, "\(missing) are missing")
    }

    @Test("news by tables that are still to come wait for them; news of former owners are not believed")
    func generations() throws {
        let one = try pair()
        one.crew.hearsAtOnce = false
        say(one, 0, from: bob, to: everybody)
        let next = try MemorySwitch.tables(peer: peer, generation: 2, redGeneration: 1)
        one.use(next, by: 0)
        say(one, 0, from: alice, to: everybody)
        one.crew.hear(1)
        // What it can use it has taken over, the rest is still there.
        let before = one.snapshots[0].snapshot
        let known = one.states[1].region.macs
        #expect(known.find(segment: 0, mac: MACAddress(bits: bob), now: 100, snapshot: before) == 0)
        #expect(known.find(segment: 0, mac: MACAddress(bits: alice), now: 100, snapshot: before) == noSlot)
        one.use(next, by: 1)
        one.crew.hear(1)
        #expect(place(one, alice, by: 1) == 0)
        #expect(place(one, bob, by: 1) == noSlot)
    }

    @Test("a frame that waits with one worker leaves when another hears the answer")
    func neighbor() throws {
        let one = try RoutedSwitch(.twoTenants, host: 1, workers: 2)
        let readers = ["red/web", "red/db"].map {
            WorkerAssignment.reader(of: UInt32(one.slot(.port($0))), workers: 2)
        }
        #expect(Set(readers).count == 2, "the two ports are read by one worker")
        let guest = (mac: "02:00:00:00:00:99", ip: "10.0.1.99")
        for i in 0..<3 { one.send(fromWeb(numbered(i, from: web4, to: guest.ip)), at: "red/web") }
        _ = one.taken("red/db")
        one.send(arpReply(guest, to: (mac: Names.gateway, ip: dataGateway4)), at: "red/db")
        #expect(
            one.taken("red/db")
                == (0..<3).map {
                    ethernet(to: guest.mac, from: Names.gateway, numbered($0, from: web4, to: guest.ip, ttl: 63))
                }
        )
        #expect(one.events(.neighborResolved) == 1)
        // Both know it now: nobody asks again.
        let asked = one.events(.neighborAsked)
        one.send(fromWeb(numbered(9, from: web4, to: guest.ip)), at: "red/web")
        #expect(one.taken("red/db").count == 1)
        #expect(one.events(.neighborAsked) == asked)
    }

    @Test("a region of a worker that is new begins with what the first one knows")
    func copied() throws {
        let one = try MemorySwitch(address: here, peer: peer, workers: 1)
        say(one, 0, from: alice, to: everybody)
        let other = OwnedState()
        other.region.copyTaught(from: one.states[0].region)
        let snapshot = one.snapshots[0].snapshot
        #expect(other.region.macs.find(segment: 0, mac: MACAddress(bits: alice), now: 100, snapshot: snapshot) == 0)
        #expect(other.region.macs.learned(segment: 0, generation: 0) == 1)
        #expect(other.region.counters[0].receivedFrames == 0)
        // And one that knew something else is as the first one is.
        _ = other.region.macs.learn(mac: MACAddress(bits: bob), attachment: 1, now: 100, snapshot: snapshot)
        other.region.copyTaught(from: one.states[0].region)
        #expect(other.region.macs.find(segment: 0, mac: MACAddress(bits: bob), now: 100, snapshot: snapshot) == noSlot)
        #expect(other.region.macs.learned(segment: 0, generation: 0) == 1)
        #expect(other.region.macs.learned(attachment: 1, generation: 0) == 0)
    }

    @Test("endpoints are spread over the workers, each to one")
    func assignment() {
        for workers in 1...16 {
            var load = [Int](repeating: 0, count: workers)
            for slot in 0..<1000 as Range<UInt32> { load[WorkerAssignment.reader(of: slot, workers: workers)] += 1 }
            #expect(load.reduce(0, +) == 1000 && load.max()! - load.min()! <= 1)
        }
    }
}
