import CLinux

// A ring of records in memory that two threads or two processes share: one writes, one reads, neither waits.
//
// Memory: one cache line that says what it is, two for the writer, two for the reader, then `capacity` bytes. Positions
// only grow; a position modulo the capacity is a place. A record is a 32-bit length and its bytes, padded to eight, and
// never lies across the end: where it would, a marker tells the reader to go on at the beginning.
//
// The writer publishes with a store-release of its position, after the bytes; the reader takes it with a load-acquire,
// before the bytes; and the other way round for room. Each side keeps the last position that it saw of the other, so
// that most records touch no line that the other side writes.
//
// The other side may be another process, and may be broken. Neither side uses a position or a length from shared memory
// as an offset before it has checked it against its own idea of the capacity.

/// A view of a single-producer, single-consumer ring in memory that somebody else owns.
public struct SPSCRing {
    static let magic: UInt64 = 0x534C_5543_5249_4E47
    @usableFromInline static let headerSize = 5 * 64
    @usableFromInline static let wrapMarker: UInt32 = 0xFFFF_FFFF

    /// Bytes for records.
    public let capacity: Int
    @usableFromInline let memory: UnsafeMutableRawPointer

    /// The longest record that is sure to find room in an empty ring.
    public var largestRecord: Int { capacity / 2 - 8 }

    /// Bytes of memory that a ring for `capacity` bytes takes.
    public static func memorySize(capacity: Int) -> Int { headerSize + capacity }

    /// Makes an empty ring. Only its maker does, before anybody else knows the memory.
    ///
    /// - Precondition: `capacity` is a power of two of at least 64; `memory` is aligned to eight bytes.
    public static func format(_ memory: UnsafeMutableRawPointer, capacity: Int) -> SPSCRing {
        precondition(capacity >= 64 && capacity & (capacity - 1) == 0, "a ring's capacity is a power of two")
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: headerSize)
        memory.storeBytes(of: UInt64(capacity), toByteOffset: 8, as: UInt64.self)
        linux_store_release(memory.assumingMemoryBound(to: UInt64.self), magic)
        return SPSCRing(memory: memory, capacity: capacity)
    }

    /// The ring that somebody else made in `size` bytes of memory; nil if there is none of just that size.
    public init?(attachedTo memory: UnsafeMutableRawPointer, size: Int) {
        let capacity = size - SPSCRing.headerSize
        guard capacity >= 64, capacity & (capacity - 1) == 0,
            linux_load_acquire(memory.assumingMemoryBound(to: UInt64.self)) == SPSCRing.magic,
            memory.load(fromByteOffset: 8, as: UInt64.self) == UInt64(capacity)
        else { return nil }
        self.init(memory: memory, capacity: capacity)
    }

    private init(memory: UnsafeMutableRawPointer, capacity: Int) {
        self.memory = memory
        self.capacity = capacity
    }

    // Writer's lines: position, the reader's position as last seen, dropped records.
    @inline(__always)
    private var writePosition: UnsafeMutablePointer<UInt64> { (memory + 64).assumingMemoryBound(to: UInt64.self) }
    @inline(__always)
    private var seenByWriter: UnsafeMutablePointer<UInt64> { (memory + 128).assumingMemoryBound(to: UInt64.self) }
    @inline(__always)
    private var droppedCount: UnsafeMutablePointer<UInt64> { (memory + 136).assumingMemoryBound(to: UInt64.self) }
    // Reader's lines: position, the writer's position as last seen, whether what it saw made no sense.
    @inline(__always)
    private var readPosition: UnsafeMutablePointer<UInt64> { (memory + 192).assumingMemoryBound(to: UInt64.self) }
    @inline(__always)
    private var seenByReader: UnsafeMutablePointer<UInt64> { (memory + 256).assumingMemoryBound(to: UInt64.self) }
    @inline(__always)
    private var brokenMark: UnsafeMutablePointer<UInt64> { (memory + 264).assumingMemoryBound(to: UInt64.self) }
    /// Room of the record that `peek` returned last.
    @inline(__always)
    private var takenByReader: UnsafeMutablePointer<UInt64> { (memory + 272).assumingMemoryBound(to: UInt64.self) }
    @inline(__always)
    private var records: UnsafeMutableRawPointer { memory + SPSCRing.headerSize }

    /// Records that found no room.
    public var dropped: UInt64 { linux_load_relaxed(droppedCount) }

    /// Whether the reader met positions or lengths that no writer makes. Such a ring stays empty.
    public var isBroken: Bool { linux_load_relaxed(brokenMark) != 0 }

    public var isEmpty: Bool { linux_load_acquire(writePosition) == linux_load_acquire(readPosition) }
}

// MARK: - Writer

extension SPSCRing {
    /// Appends one record made of up to three pieces.
    ///
    /// - Returns: false if there is no room; the record is counted in `dropped`.
    public func tryWrite(
        _ a: UnsafeRawPointer,
        _ aCount: Int,
        _ b: UnsafeRawPointer? = nil,
        _ bCount: Int = 0,
        _ c: UnsafeRawPointer? = nil,
        _ cCount: Int = 0
    ) -> Bool {
        let count = aCount &+ bCount &+ cCount
        let needed = (count &+ 4 &+ 7) & ~7
        let position = linux_load_relaxed(writePosition)
        let place = Int(truncatingIfNeeded: position) & (capacity &- 1)
        let toEnd = capacity &- place
        // At most half of the ring: then a record always fits once the reader has caught up, wherever the end is.
        guard needed <= capacity / 2 else { return drop() }
        let total = needed > toEnd ? toEnd &+ needed : needed
        if !hasRoom(total, at: position) { return drop() }
        var at = records + place
        if needed > toEnd {
            at.storeBytes(of: SPSCRing.wrapMarker, as: UInt32.self)
            at = records
        }
        at.storeBytes(of: UInt32(truncatingIfNeeded: count), as: UInt32.self)
        (at + 4).copyMemory(from: a, byteCount: aCount)
        if let b { (at + 4 + aCount).copyMemory(from: b, byteCount: bCount) }
        if let c { (at + 4 + aCount + bCount).copyMemory(from: c, byteCount: cCount) }
        linux_store_release(writePosition, position &+ UInt64(truncatingIfNeeded: total))
        return true
    }

    @inline(__always)
    private func hasRoom(_ count: Int, at position: UInt64) -> Bool {
        // A reader's position that is not within one capacity behind ours can only be garbage: then there is no room.
        let limit = UInt64(truncatingIfNeeded: capacity)
        let used = position &- seenByWriter.pointee
        if used <= limit, used &+ UInt64(truncatingIfNeeded: count) <= limit { return true }
        seenByWriter.pointee = linux_load_acquire(readPosition)
        let now = position &- seenByWriter.pointee
        return now <= limit && now &+ UInt64(truncatingIfNeeded: count) <= limit
    }

    private func drop() -> Bool {
        linux_store_relaxed(droppedCount, linux_load_relaxed(droppedCount) &+ 1)
        return false
    }
}

// MARK: - Reader

extension SPSCRing {
    /// The oldest record, where it lies. It stays until `release()`.
    public func peek() -> UnsafeRawBufferPointer? {
        var position = linux_load_relaxed(readPosition)
        while true {
            if seenByReader.pointee == position {
                seenByReader.pointee = linux_load_acquire(writePosition)
                if seenByReader.pointee == position { return nil }
            }
            let available = seenByReader.pointee &- position
            let place = Int(truncatingIfNeeded: position) & (capacity &- 1)
            let toEnd = capacity &- place
            guard available <= UInt64(truncatingIfNeeded: capacity), position & 7 == 0, !isBroken else {
                return markBroken()
            }
            let count = (records + place).load(as: UInt32.self)
            if count == SPSCRing.wrapMarker {
                guard available > UInt64(truncatingIfNeeded: toEnd) else { return markBroken() }
                position &+= UInt64(truncatingIfNeeded: toEnd)
                linux_store_release(readPosition, position)
                continue
            }
            let taken = SPSCRing.taken(count)
            guard taken <= toEnd, UInt64(truncatingIfNeeded: taken) <= available else { return markBroken() }
            // `release` takes this and not the length in the record, which the writer can change meanwhile.
            takenByReader.pointee = UInt64(truncatingIfNeeded: taken)
            return UnsafeRawBufferPointer(start: records + place + 4, count: Int(count))
        }
    }

    /// Gives the room of the record that `peek` returned back to the writer. Does nothing without one.
    public func release() {
        let taken = takenByReader.pointee
        takenByReader.pointee = 0
        linux_store_release(readPosition, linux_load_relaxed(readPosition) &+ taken)
    }

    @inline(__always)
    private static func taken(_ count: UInt32) -> Int { (Int(count) &+ 4 &+ 7) & ~7 }

    private func markBroken() -> UnsafeRawBufferPointer? {
        linux_store_relaxed(brokenMark, 1)
        return nil
    }
}
