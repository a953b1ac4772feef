import Datapath
import Forwarding
import Rings
import Tables
import Testing
import Wire

/// With large tables the worker looks at the frames of a burst together before it decides them. Nobody can tell by what
/// comes of them.
@Suite("Looking ahead") struct OutlookTests {
    private static let everybody: UInt64 = 0xFFFF_FFFF_FFFF

    /// A frame of any kind, for a port or, behind a VXLAN header, for the tunnel.
    private static func anything(_ chance: inout SystemRandomNumberGenerator, isTunnelled: Bool) -> [UInt8] {
        let stations: [UInt64] = (0..<6).map { 0x0200_0000_0000 + $0 }
        let target = Bool.random(using: &chance) ? stations.randomElement(using: &chance)! : everybody
        let source = stations.randomElement(using: &chance)!
        var bytes = frame(to: target, from: source, length: 60)
        switch Int.random(in: 0..<8, using: &chance) {
        case 0: bytes = Array(bytes.prefix(Int.random(in: 1..<20, using: &chance)))
        case 1: bytes = frame(to: target, from: 0)
        case 2, 3:
            let vid = [0, 7, 8, 0xFFF].randomElement(using: &chance)!
            bytes = Array(bytes.prefix(12)) + [0x81, 0, UInt8(vid >> 8), UInt8(vid & 0xFF)] + bytes.dropFirst(12)
        default: break
        }
        guard isTunnelled else { return bytes }
        let vni: UInt32 = [5001, 5001, 5002, 77].randomElement(using: &chance)!
        let flags: UInt8 = Int.random(in: 0..<9, using: &chance) == 0 ? 0 : 8
        let header = [flags, 0, 0, 0, 0, UInt8(vni >> 8), UInt8(vni & 0xFF), 0]
        return Array((header + bytes).prefix(Int.random(in: 0..<9, using: &chance) == 0 ? 9 : 200))
    }

    @Test("bursts of all kinds end as they do with small tables")
    func twin() throws {
        var chance = SystemRandomNumberGenerator()
        let small = try MemorySwitch(address: WorkerTests.h1, peer: WorkerTests.h2, trunk: true)
        let large = try MemorySwitch(address: WorkerTests.h1, peer: WorkerTests.h2, spare: 8192, trunk: true)
        for _ in 0..<2000 {
            let slot = UInt32.random(in: 0..<5, using: &chance)
            let isTunnelled = slot == MemorySwitch.tunnel
            for _ in 0..<Int.random(in: 1...40, using: &chance) {
                let bytes = OutlookTests.anything(&chance, isTunnelled: isTunnelled)
                if isTunnelled {
                    let isStranger = Int.random(in: 0..<9, using: &chance) == 0
                    let source = isStranger ? IPv4Address(bits: 0xC000_0299) : WorkerTests.h2
                    #expect(small.injectTunnelled(bytes, from: source) && large.injectTunnelled(bytes, from: source))
                } else {
                    #expect(small.inject(bytes, at: slot) && large.inject(bytes, at: slot))
                }
            }
            small.turn(slot)
            large.turn(slot)
            for out in 0..<5 as Range<UInt32> {
                while let frame = small.take(out) { #expect(large.take(out) == frame) }
                #expect(large.take(out) == nil)
            }
        }
        for slot in 0..<5 as Range<UInt32> {
            #expect(small.crew.counters(slot) == large.crew.counters(slot))
            for reason in DropReason.allCases {
                #expect(
                    small.drops(slot, reason.rawValue) == large.drops(slot, reason.rawValue),
                    "\(reason) at \(slot)"
                )
            }
        }
        // The sentinels: both ways of ending were met.
        #expect(large.crew.counters(0).sentFrames > 0)
        #expect(large.drops(MemorySwitch.tunnel, DropReason.unknownVNI.rawValue) > 0)
    }
}
