import Testing
import Wire

@testable import Rings

@Suite struct TransmitQueuesTests {
    @Test func slotLayoutIsWhatPointersAssume() {
        #expect(MemoryLayout<TransmitSlot>.offset(of: \.storage) == TransmitSlot.storageOffset)
        #expect(MemoryLayout<TransmitSlot>.stride == TransmitSlot.storageOffset + TransmitSlot.headerCapacity)
        #expect(
            MemoryLayout<TransmitSlot>.offset(of: \.prefix)! + TransmitSlot.prefixLength == TransmitSlot.storageOffset
        )
    }

    /// Random appends against arrays.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func keepsEachEndpointsOrder(seed: UInt64) {
        var random = SplitMix(state: seed)
        let queues = TransmitQueues(endpoints: 20, slots: 64)
        for _ in 0..<50 {
            var expected: [UInt32: [UInt32]] = [:]
            var order: [UInt32] = []
            for number in 0..<UInt32.random(in: 0...64, using: &random) {
                let endpoint = UInt32.random(in: 0..<20, using: &random)
                guard let slot = queues.append(endpoint) else {
                    Issue.record("no slot for frame \(number)")
                    return
                }
                #expect(slot.pointee.length == 0 && slot.pointee.offload == .none && slot.pointee.networkType == 0)
                slot.pointee.flowHash = number
                slot.pointee.headerLength = 7
                slot.pointee.offload.flags = 1
                slot.pointee.networkType = 0x0800
                if expected[endpoint] == nil { order.append(endpoint) }
                expected[endpoint, default: []].append(number)
            }
            #expect((0..<queues.dirtyCount).map { queues.dirtyEndpoint($0) } == order)
            for endpoint in 0..<UInt32(20) {
                #expect(contents(queues, endpoint) == expected[endpoint] ?? [])
                #expect(queues.count(endpoint) == expected[endpoint]?.count ?? 0)
            }
            queues.reset()
            #expect(queues.dirtyCount == 0 && queues.hasRoom(64) == true && queues.hasRoom(65) == false)
        }
    }

    @Test func saysWhenThePoolIsUsedUp() {
        let queues = TransmitQueues(endpoints: 2, slots: 3)
        for _ in 0..<3 { #expect(queues.append(1) != nil) }
        #expect(queues.append(0) == nil)
        #expect(queues.dirtyCount == 1)
        queues.reset()
        #expect(queues.append(0) != nil)
    }

    @Test func refusesAnEndpointThatItHasNoQueueFor() {
        let queues = TransmitQueues(endpoints: 2, slots: 3)
        #expect(queues.append(2) == nil)
        #expect(queues.append(.max) == nil)
    }

    private func contents(_ queues: borrowing TransmitQueues, _ endpoint: UInt32) -> [UInt32] {
        var found: [UInt32] = []
        var slot = queues.first(endpoint)
        while let here = slot {
            found.append(here.pointee.flowHash)
            slot = queues.next(here)
        }
        return found
    }
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

/// The longest that is ever written into a slot: a fragment of an IPv4 packet with 40 bytes of options, in VXLAN over IPv6, and
/// all of that behind an outer Ethernet header.
@Test func aSlotHasRoomForTheLongestHeaders() {
    let vxlan = 14 + 40 + 8 + 8 + 14 + 60
    let gre = 14 + 40 + 12 + 60
    #expect(max(vxlan, gre) <= TransmitSlot.headerCapacity)
}
