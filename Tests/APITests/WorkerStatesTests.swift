import Control
import Forwarding
import Tables
import Testing
import Wire

/// What is shown of several workers: counters together, each station and neighbour once.
@Suite struct WorkerStatesTests {
    let fixture: LiveFixture
    private let other: StateRegion
    private let former: StateRegion

    init() throws {
        fixture = try LiveFixture()
        // Never given back: views into them live as long as they like.
        func another(_ capacity: StateCapacity, _ seed: UInt64) throws -> StateRegion {
            let size = StateRegion.size(capacity)
            let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
            memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            StateRegion.format(memory, capacity, seed: seed)
            return try #require(StateRegion(memory, count: size))
        }
        other = try another(fixture.region.capacity, fixture.region.seed)
        former = try another(fixture.region.capacity, fixture.region.seed)
        other.now = fixture.region.now
        other.appliedGeneration = 6
    }

    private var live: LiveTables {
        let states = WorkerStates([fixture.region, other], former: [former])
        return LiveTables(fixture.snapshot, states, endpoints: fixture.statuses)
    }

    @Test func countersAreSums() {
        let web = fixture.endpoint("red/web")
        let app = fixture.segment("red/app")
        for (region, count) in [(fixture.region, 1), (other, 10), (former, 100)] {
            region.counters[Int(web)].receivedFrames = UInt64(count)
            for _ in 0..<count { region.countDrop(DropReason.tooShort.rawValue, endpoint: web, segment: app) }
            region.events[Int(Event.macMoved.rawValue)] = UInt64(count)
        }
        let port = live.ports().first { $0.name == "red/web" }
        #expect(port?.received.frames == 111 && port?.drops == 111)
        #expect(live.drops().networks.map(\.count) == [111])
        #expect(live.counters().events.first { $0.name == "macMoved" }?.count == 111)
        // Not in force before the last worker has it.
        #expect(live.status(processFixture).appliedGeneration == 6)
    }

    @Test func aStationIsShownOnceAndWhereItWasSeenLast() throws {
        let mac = try #require(MACAddress("02:00:00:00:00:77"))
        let (web, fw) = (fixture.attachment("red/app", "red/web"), fixture.attachment("red/app", "red/fw"))
        fixture.learn("02:00:00:00:00:77", at: web, age: 30)
        _ = other.macs.learn(mac: mac, attachment: fw, now: other.now - 5, snapshot: fixture.snapshot)
        let found = live.fdb().entries.filter { $0.mac == mac.description }
        #expect(found.map(\.port) == ["red/fw"] && found.map(\.age) == [5])
        #expect(live.networks().first { $0.name == "red/app" }?.learned == 1)
    }
}
