import Glibc
import Testing
import Wire

@testable import Ports
@testable import Rings

/// A TAP whose frames come one at a time is not asked each time whether there is another.
@Suite struct LoneFramesTests {
    private let singles = Array(repeating: 1, count: Int(LoneFrames.habit))

    /// Frames waiting at each turn; whether the turn may end with the first of them.
    private func turns(_ waiting: [Int], _ lone: inout LoneFrames) -> [Bool] {
        waiting.map { count in
            for _ in 0..<count where lone.mayStop() { return true }
            lone.foundEmpty()
            return false
        }
    }

    @Test func aHabitIsNoticedAndChecked() {
        var lone = LoneFrames()
        #expect(turns(singles, &lone) == singles.map { _ in false })
        let rest = turns(Array(repeating: 1, count: 24), &lone)
        #expect(rest.filter { !$0 }.count == 6, "every fourth time it is looked")
    }

    @Test func manyFramesEndIt() {
        var lone = LoneFrames()
        _ = turns(singles, &lone)
        // What is left in the queue is met the next time, and at the latest when it is looked.
        let busy = turns(Array(repeating: 9, count: 12), &lone)
        #expect(busy.firstIndex(of: false)! <= 3)
        #expect(busy.suffix(4).allSatisfy { !$0 })
        // Pairs never are a habit, nor is a turn without a frame between them.
        #expect(turns([2, 0, 2, 2, 0, 2, 2, 2, 2, 1], &lone).allSatisfy { !$0 })
    }

    @Test func nothingIsLeftBehind() throws {
        try withNamespaces(1) { _ in
            let tap = try TAP.open(name: "tap0")
            let bench = Bench()
            let port = try bench.add(.tap, [tap.descriptor])
            try sh(
                """
                ip link set tap0 address 02:00:00:00:00:01 && ip addr add 10.0.0.1/24 dev tap0 && ip link set tap0 up &&
                ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev tap0 nud permanent
                """
            )
            let socket = try UDPSocket(port: 1000)
            var number: UInt8 = 0
            for burst in singles + [1, 1, 5, 1, 3] + singles + [1, 2, 2, 2, 2, 2] {
                let first = number
                for _ in 0..<burst {
                    try socket.send([number], to: 0x0A00_0002, port: 2000)
                    number += 1
                }
                let frames = bench.receive(port, count: burst)
                #expect(frames.map { $0.bytes.last } == (first..<number).map { $0 })
            }
        }
    }
}
