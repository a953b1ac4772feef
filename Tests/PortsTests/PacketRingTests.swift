import CLinux
import Glibc
import Rings
import Testing

@testable import Ports

/// What a ring adds to a packet socket. That frames arrive as they were sent is in `PacketSocketTests`, with and without.
@Suite struct PacketRingTests {
    /// A port without a ring, and the socket of the other end of its cable.
    private func withCable(_ body: (Bench, _ sending: UInt32, _ socket: Int32) throws -> Void) throws {
        try withPair { left, right in
            let bench = Bench()
            // What the kernels say by themselves would take slots.
            try silence()
            let sending = try bench.add(.packet, [try PacketSocket.open(interfaceIndex: try index(of: "left"))])
            right.enter()
            try silence()
            try body(bench, sending, try PacketSocket.open(interfaceIndex: try index(of: "right")))
        }
    }

    private func isTest(_ frame: Received) -> Bool {
        frame.bytes.count > 12 && frame.bytes[..<6] == [2, 0, 0, 0, 0, 2]
    }

    /// Short ones and ones that do not fit into a slot.
    private func frames(_ numbers: Range<Int>) -> [[UInt8]] {
        numbers.map { TestFrame.udp(TestFrame.pattern($0 % 3 == 1 ? 400 + $0 % 900 : $0 % 90, seed: $0)) }
    }

    private func send(_ bench: Bench, _ port: UInt32, _ frames: [[UInt8]]) {
        for first in stride(from: 0, to: frames.count, by: 200) {
            let part = frames[first..<min(first + 200, frames.count)]
            #expect(Int(bench.send(port, part.map { Outgoing(payload: $0) }).frames) == part.count)
        }
    }

    private func all(_ bench: Bench, _ port: UInt32) -> [[UInt8]] {
        var found: [[UInt8]] = []
        while true {
            let burst = bench.receive(port)
            if burst.isEmpty { return found }
            found += burst.filter(isTest).map(\.bytes)
        }
    }

    /// Everything that waits, and how many frames were lost.
    private func drain(_ bench: Bench, _ port: UInt32) -> (found: [[UInt8]], lost: Int) {
        var found: [[UInt8]] = []
        var lost = 0
        repeat {
            found += bench.receive(port).filter(isTest).map(\.bytes)
            lost += bench.ring.unreadable
        } while bench.ring.count > 0 || bench.ring.unreadable > 0
        return (found, lost)
    }

    @Test func isMadeOnlyWhereItIsAskedFor() throws {
        try withCable { bench, _, socket in
            #expect(PacketRing(socket, makes: false) == nil)
            let made = try #require(PacketRing(socket, makes: true))
            #expect(made.position == 0)
            made.unmap()
            // Frames come there now, so whoever has the socket has to look there.
            let found = try #require(PacketRing(socket, makes: false))
            #expect(found.position == nil)
            found.unmap()
            close(socket)
            let other = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            #expect(PacketRing(other, makes: true) == nil)
            close(other)
        }
    }

    @Test func theNextReaderGoesOnWhereTheLastOneStopped() throws {
        try withCable { bench, sending, socket in
            let sent = frames(0..<6000)
            var at = 0
            // More than once around, with the boundary at another slot each time; also with nothing waiting.
            for count in [0, 100, 1, 1000, 37, 0, 3000, 700, 1162] {
                let part = Array(sent[at..<at + count])
                let first = try bench.add(.packet, [dup(socket)], makesRing: true)
                let before = count / 2
                send(bench, sending, Array(part[..<before]))
                var found: [[UInt8]] = []
                while found.count < before / 2 {
                    found += bench.receive(first).filter(isTest).map(\.bytes)
                }
                bench.closeLast()
                send(bench, sending, Array(part[before...]))
                let second = try bench.add(.packet, [dup(socket)])
                #expect(bench.ports[Int(second)].hasRing)
                // The first call finds the place.
                #expect(bench.receive(second).isEmpty && bench.lastError == 0)
                found += all(bench, second)
                #expect(found == part, "\(count) frames")
                bench.closeLast()
                at += count
            }
            close(socket)
        }
    }

    @Test func whatTheRingHasNoRoomForIsCounted() throws {
        try withCable { bench, sending, socket in
            let port = try bench.add(.packet, [socket], makesRing: true)
            let short = (0..<PacketRingLayout.slotCount + 500).map { TestFrame.udp(TestFrame.pattern(20, seed: $0)) }
            send(bench, sending, short)
            let drained = drain(bench, port)
            #expect(drained.found == Array(short[..<PacketRingLayout.slotCount]) && drained.lost == 0)
            #expect(bench.ports[Int(port)].takeLosses() == 500)
            #expect(bench.ports[Int(port)].takeLosses() == 0, "each is counted once")
        }
    }

    @Test func longFramesWithoutRoomInTheQueueAreCounted() throws {
        try withCable { bench, sending, socket in
            var least: Int32 = 1
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &least, 4)
            let port = try bench.add(.packet, [socket], makesRing: true)
            let sent = frames(0..<60)
            send(bench, sending, sent)
            let (found, lost) = drain(bench, port)
            #expect(lost > 0 && found.count + lost == 60)
            #expect(sent.filter { $0.count < 200 } == found.filter { $0.count < 200 }, "the others are all there")
            #expect(found == sent.filter { found.contains($0) }, "in order")
        }
    }
}
