import Forwarding
import Rings
import Tables
import Wire

/// Copies of frames that wait for the address of their next hop. Few, and no tenant can have them all: beyond these
/// numbers a frame is dropped, as RFC 1812 §3.3.2 allows (at least one must be kept for each address).
struct HeldFrames: ~Copyable {
    static let capacity = 96
    static let perAddress = 4
    static let perSegment = 24

    /// Whose a frame is: the network that it came in by, and who had that network's slot and the endpoint's.
    struct Owner: Equatable {
        var segment: UInt32
        var segmentGeneration: UInt8
        var endpointGeneration: UInt16
    }

    private struct Place {
        var frame: Frame
        var owner: Owner
        var segment: UInt32
        var address: IPv6Address
        var number: UInt64
    }

    private let pool = BufferPool(count: HeldFrames.capacity)
    private let places: UnsafeMutablePointer<Place>
    /// Whether a place is taken: 1 while the frame waits, 2 when it is on its way and its bytes are still needed.
    private let taken: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    /// Frames held so far: each has its number, by which they go in the order in which they came.
    private var numbers: UInt64 = 0

    init() {
        places = .allocate(capacity: HeldFrames.capacity)
        taken = .allocate(capacity: HeldFrames.capacity)
        taken.initialize(repeating: 0, count: HeldFrames.capacity)
    }

    deinit {
        places.deallocate()
        taken.deallocate()
    }

    /// Keeps a copy. False if there are too many already.
    mutating func hold(_ frame: Frame, of owner: Owner, segment: UInt32, address: IPv6Address) -> Bool {
        guard frame.length <= BufferPool.capacity else { return false }
        var free = -1
        var ofSegment = 0
        var ofAddress = 0
        for i in 0..<HeldFrames.capacity {
            if taken[i] == 0 {
                if free < 0 { free = i }
            } else if places[i].segment == segment {
                ofSegment += 1
                if places[i].address == address { ofAddress += 1 }
            }
        }
        guard free >= 0, ofSegment < HeldFrames.perSegment, ofAddress < HeldFrames.perAddress else { return false }
        var copy = frame
        copy.bytes = pool.buffer(free)
        copy.bytes.copyMemory(from: frame.bytes, byteCount: frame.length)
        (places + free).initialize(
            to: Place(frame: copy, owner: owner, segment: segment, address: address, number: numbers)
        )
        taken[free] = 1
        count += 1
        numbers &+= 1
        return true
    }

    /// Lets the frame go that has waited longest for an address; its bytes stay until `forgetReleased`.
    mutating func release(segment: UInt32, address: IPv6Address) -> (frame: Frame, owner: Owner)? {
        guard count > 0 else { return nil }
        var first = -1
        for i in 0..<HeldFrames.capacity
        where taken[i] == 1 && places[i].segment == segment && places[i].address == address
            && (first < 0 || places[i].number < places[first].number)
        {
            first = i
        }
        guard first >= 0 else { return nil }
        taken[first] = 2
        count -= 1
        return (places[first].frame, places[first].owner)
    }

    /// What was let go has been sent.
    mutating func forgetReleased() {
        for i in 0..<HeldFrames.capacity where taken[i] == 2 { taken[i] = 0 }
    }
}
