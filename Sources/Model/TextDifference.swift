import Glibc

/// Where two versions of a text differ, by whole lines. A line includes its line break.
struct TextDifference {
    /// Some lines that became others. Either may be none.
    struct Hunk: Equatable {
        var oldBytes: Range<Int>
        var newBytes: Range<Int>
        /// From 1.
        var oldLines: Range<Int>
        var newLines: Range<Int>
    }

    /// Lines that are looked at to find out where two versions go on together.
    private static let window = 512
    static let mostHunks = 4096

    private let old: UnsafeBufferPointer<UInt8>
    private let new: UnsafeBufferPointer<UInt8>
    private(set) var hunks: [Hunk] = []

    /// In the order of lines. What lies between two hunks, before the first and behind the last is equal byte for byte.
    init(from old: UnsafeBufferPointer<UInt8>, to new: UnsafeBufferPointer<UInt8>) {
        self.old = old
        self.new = new
        var (oldStart, newStart) = (0, 0)
        var (oldLine, newLine) = (1, 1)
        let (oldEnd, newEnd) = commonEnd()
        while true {
            let same = commonStart(oldStart..<oldEnd, newStart..<newEnd)
            let lines = Self.lines(old, oldStart..<oldStart + same)
            (oldStart, newStart, oldLine, newLine) = (
                oldStart + same, newStart + same, oldLine + lines, newLine + lines
            )
            guard oldStart < oldEnd || newStart < newEnd else { return }
            let isLast = hunks.count + 1 >= Self.mostHunks
            let next = isLast ? (oldEnd, newEnd) : rejoin(oldStart..<oldEnd, newStart..<newEnd)
            let (oldCount, newCount) = (
                Self.lines(old, oldStart..<next.0), Self.lines(new, newStart..<next.1)
            )
            hunks.append(
                Hunk(
                    oldBytes: oldStart..<next.0,
                    newBytes: newStart..<next.1,
                    oldLines: oldLine..<oldLine + oldCount,
                    newLines: newLine..<newLine + newCount
                )
            )
            (oldStart, newStart) = next
            (oldLine, newLine) = (oldLine + oldCount, newLine + newCount)
        }
    }

    /// How many bytes of whole lines two ranges begin with in common.
    private func commonStart(_ a: Range<Int>, _ b: Range<Int>) -> Int {
        let most = min(a.count, b.count)
        guard most > 0, let old = old.baseAddress, let new = new.baseAddress else { return 0 }
        var same = 0
        for block in [1 << 16, 1 << 10, 1 << 5, 1] {
            while same + block <= most, memcmp(old + a.lowerBound + same, new + b.lowerBound + same, block) == 0 {
                same += block
            }
        }
        // Lines that are equal to the end of both are whole, with a line break or without.
        if same == a.count, same == b.count { return same }
        while same > 0, old[a.lowerBound + same - 1] != newline { same -= 1 }
        return same
    }

    /// Where the lines begin that both texts end with in common.
    private func commonEnd() -> (Int, Int) {
        let most = min(old.count, new.count)
        guard most > 0, let old = old.baseAddress, let new = new.baseAddress else { return (old.count, new.count) }
        var same = 0
        for block in [1 << 16, 1 << 10, 1 << 5, 1] {
            while same + block <= most,
                memcmp(old + self.old.count - same - block, new + self.new.count - same - block, block) == 0
            {
                same += block
            }
        }
        // Whole lines: each begins behind a line break in both texts.
        func isStart(_ text: UnsafePointer<UInt8>, _ at: Int) -> Bool { at == 0 || text[at - 1] == newline }
        while same > 0,
            !isStart(old, self.old.count - same) || !isStart(new, self.new.count - same)
        {
            same -= 1
        }
        return (self.old.count - same, self.new.count - same)
    }

    /// Where two ranges that begin with different lines have a line in common again, near their beginning; their ends
    /// when there is none.
    private func rejoin(_ a: Range<Int>, _ b: Range<Int>) -> (Int, Int) {
        var starts: [UInt64: Range<Int>] = [:]
        var at = a.lowerBound
        for _ in 0..<Self.window where at < a.upperBound {
            let end = Self.lineEnd(old, at, a.upperBound)
            let digest = Self.digest(old, at..<end)
            if starts[digest] == nil { starts[digest] = at..<end }
            at = end
        }
        at = b.lowerBound
        for _ in 0..<Self.window where at < b.upperBound {
            let end = Self.lineEnd(new, at, b.upperBound)
            if let line = starts[Self.digest(new, at..<end)], line.count == end - at, isEqual(line, at) {
                return (line.lowerBound, at)
            }
            at = end
        }
        return (a.upperBound, b.upperBound)
    }

    private func isEqual(_ line: Range<Int>, _ at: Int) -> Bool {
        guard let old = old.baseAddress, let new = new.baseAddress else { return false }
        return memcmp(old + line.lowerBound, new + at, line.count) == 0
    }

    private static func digest(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in range { hash = (hash ^ UInt64(text[index])) &* 0x0000_0100_0000_01B3 }
        return hash
    }
}

private let newline = UInt8(ascii: "\n")

extension TextDifference {
    /// Where the line that begins at `start` ends, behind its line break.
    static func lineEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        guard start < end, let base = text.baseAddress,
            let found = memchr(base + start, Int32(newline), end - start)
        else { return end }
        return UnsafeRawPointer(base).distance(to: found) + 1
    }

    /// How many lines begin in a range of whole lines.
    static func lines(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int {
        var (count, at) = (0, range.lowerBound)
        while at < range.upperBound {
            at = lineEnd(text, at, range.upperBound)
            count += 1
        }
        return count
    }

    /// Where the line begins that is `count` lines before the one at `start`; nil beyond the first line.
    static func back(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, lines count: Int) -> Int? {
        guard let base = text.baseAddress else { return count == 0 ? start : nil }
        var at = start
        for _ in 0..<count {
            guard at > 0 else { return nil }
            at -= 1
            while at > 0, base[at - 1] != newline { at -= 1 }
        }
        return at
    }

    /// Where the line ends that is `count` lines behind the one at `start`; nil beyond the last line.
    static func forward(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, lines count: Int) -> Int? {
        var at = start
        for _ in 0..<count {
            guard at < text.count else { return nil }
            at = lineEnd(text, at, text.count)
        }
        return at
    }
}
