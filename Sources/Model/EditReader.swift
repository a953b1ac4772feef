/// Reads the entries of the new version of a file whose lines are not those of the old one.
///
/// A part of a file is read on its own and stands for what it would be in its place. That holds for whole entries of a
/// mapping in block style: in front of a line that begins with a key of such a mapping, the parser has nothing in hand but
/// the columns of the mappings around, whatever the entries before it were; and the part itself begins with a key in
/// that column and is complete. So does the first line behind it.
struct EditReader {
    /// Some entries of one section, with their lines.
    private struct Piece {
        /// Into `Outline.sections`.
        var section: Int
        /// Of the section, as they were.
        var entries: Range<Int>
        var hunks: [TextDifference.Hunk]
        var oldLines: Range<Int>
    }

    /// Entries that were, and nodes of those that are.
    struct Replacement {
        var section: Outline.Section
        var entries: Range<Int>
        var nodes: [Node.Entry]
    }

    private let file: TopologyFile
    private let outline: Outline
    private let old: UnsafeBufferPointer<UInt8>
    private let new: UnsafeBufferPointer<UInt8>
    private let pieces: [Piece]

    /// Nil where the texts differ elsewhere than in networks and ports.
    init?(
        _ file: TopologyFile,
        _ outline: Outline,
        _ old: UnsafeBufferPointer<UInt8>,
        _ new: UnsafeBufferPointer<UInt8>
    ) {
        self.file = file
        self.outline = outline
        self.old = old
        self.new = new
        let hunks = TextDifference(from: old, to: new).hunks
        // When a large part of a large file is new, reading all of it takes less.
        guard hunks.reduce(0, { $0 + $1.newBytes.count }) <= max(new.count / 4, 1 << 16) else { return nil }
        var pieces: [Piece] = []
        for hunk in hunks {
            guard let piece = Self.piece(hunk, file, outline) else { return nil }
            if var last = pieces.popLast() {
                if last.oldLines.upperBound > piece.oldLines.lowerBound {
                    guard last.section == piece.section else { return nil }
                    last.entries = last.entries.lowerBound..<max(last.entries.upperBound, piece.entries.upperBound)
                    last.oldLines = last.oldLines.lowerBound..<max(last.oldLines.upperBound, piece.oldLines.upperBound)
                    last.hunks.append(hunk)
                    pieces.append(last)
                    continue
                }
                pieces.append(last)
            }
            pieces.append(piece)
        }
        self.pieces = pieces
    }

    /// The whole entries that a hunk is in.
    private static func piece(_ hunk: TextDifference.Hunk, _ file: TopologyFile, _ outline: Outline) -> Piece? {
        let lines = hunk.oldLines
        let number = outline.sections.firstBehind { $0.first > lines.lowerBound } - 1
        guard number >= 0 else { return nil }
        let section = outline.sections[number]
        let end = section.end?.line ?? Int.max
        // New lines behind the last entry are that entry's.
        guard lines.lowerBound < end || lines.isEmpty && lines.lowerBound == end, lines.upperBound <= end else {
            return nil
        }
        let places = file.lines(of: section)
        var first = places.firstBehind { $0 > lines.lowerBound } - 1
        let last = lines.isEmpty ? first : places.firstBehind { $0 > lines.upperBound - 1 } - 1
        guard first >= 0, last >= first else { return nil }
        // What is put in front of an entry begins where the one before ends.
        if lines.isEmpty, first > 0, places[first] == lines.lowerBound { first -= 1 }
        let next = last + 1 < places.count ? places[last + 1] : end
        return Piece(
            section: number,
            entries: first..<last + 1,
            hunks: [hunk],
            oldLines: places[first]..<next
        )
    }

    func edit(_ text: String) -> TopologyEdit? {
        var replacements: [Replacement] = []
        var moved: [(old: Range<Int>, new: Range<Int>)] = []
        var outline = outline
        var delta = 0
        for piece in pieces {
            let section = outline.sections[piece.section]
            guard let (oldBytes, newBytes) = bytes(of: piece) else { return nil }
            guard isKey(old, oldBytes.lowerBound, column: section.column), isEnd(oldBytes.upperBound, section),
                newBytes.isEmpty || isKey(new, newBytes.lowerBound, column: section.column),
                Self.isSimple(UnsafeBufferPointer(rebasing: new[newBytes]))
            else { return nil }
            let oldLines = piece.oldLines.lowerBound..<piece.oldLines.lowerBound + TextDifference.lines(old, oldBytes)
            let first = oldLines.lowerBound + delta
            let lines = TextDifference.lines(new, newBytes)
            guard
                let (root, isPlain) = Composer.compose(
                    part: UnsafeBufferPointer(rebasing: new[newBytes]),
                    linesBefore: first - 1,
                    level: Outline.level
                ), isPlain
            else { return nil }
            var nodes: [Node.Entry] = []
            if let root {
                guard root.isBlock, case .mapping(let entries) = root.content,
                    entries.allSatisfy({ $0.place.column == section.column })
                else { return nil }
                nodes = entries
                outline.weight += root.weight
            }
            guard isOrderly(nodes), outline.weight <= Composer.maximumWeight else { return nil }
            replacements.append(Replacement(section: section, entries: piece.entries, nodes: nodes))
            moved.append((oldLines, first..<first + lines))
            delta = first + lines - oldLines.upperBound
        }
        let shift = LineShift(moved)
        for index in outline.sections.indices {
            outline.sections[index].end?.line = shift(self.outline.sections[index].end?.line ?? 0)
        }
        var loader = EditLoader(file)
        guard let parts = loader.load(replacements) else { return nil }
        // A section that lost its first entries begins elsewhere.
        let byTenant = Dictionary(parts.map { ($0.tenant, $0) }) { first, _ in first }
        for (index, section) in self.outline.sections.enumerated() {
            guard let part = byTenant[section.tenant] else {
                outline.sections[index].first = shift(section.first)
                continue
            }
            guard let line = part.firstLine(section.kind, file, shift) else { return nil }
            outline.sections[index].first = line
        }
        return TopologyEdit(parts, lines: moved, from: (file.text, self.outline), to: (text, outline))
    }

    /// What a piece covers in both texts.
    private func bytes(of piece: Piece) -> (old: Range<Int>, new: Range<Int>)? {
        guard let first = piece.hunks.first, let last = piece.hunks.last,
            let oldStart = TextDifference.back(
                old,
                first.oldBytes.lowerBound,
                lines: first.oldLines.lowerBound - piece.oldLines.lowerBound
            )
        else { return nil }
        let end: Int
        if piece.oldLines.upperBound == Int.max {
            end = old.count
        } else {
            guard
                let found = TextDifference.forward(
                    old,
                    last.oldBytes.upperBound,
                    lines: piece.oldLines.upperBound - last.oldLines.upperBound
                )
            else { return nil }
            end = found
        }
        // The same lines are around the hunks of both.
        let newStart = first.newBytes.lowerBound - (first.oldBytes.lowerBound - oldStart)
        let newEnd = last.newBytes.upperBound + end - last.oldBytes.upperBound
        return (oldStart..<end, newStart..<newEnd)
    }

    /// Whether a line begins with a plain key in a column: spaces, a name and a colon.
    private func isKey(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, column: Int) -> Bool {
        var at = start
        while at < text.count, text[at] == UInt8(ascii: " ") { at += 1 }
        guard at - start == column - 1 else { return false }
        let name = at
        while at < text.count, isNameByte(text[at]) { at += 1 }
        guard at > name, at < text.count, text[at] == UInt8(ascii: ":") else { return false }
        return at + 1 == text.count || text[at + 1] == UInt8(ascii: " ") || text[at + 1] == UInt8(ascii: "\n")
    }

    /// Whether what follows a piece is another entry, or the key behind the section, or nothing.
    private func isEnd(_ at: Int, _ section: Outline.Section) -> Bool {
        if at == old.count { return true }
        if isKey(old, at, column: section.column) { return true }
        return section.end.map { isKey(old, at, column: $0.column) } ?? false
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        isDecimal(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2E || byte == 0x5F || byte == 0x2D
    }

    /// ASCII without tabs and carriage returns, without what gives text a meaning from elsewhere or a form of its own
    /// (anchors, tags, directives, block scalars), and without the marks that begin or end a document.
    private static func isSimple(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let special = Array("&*!|>%@`?".utf8)
        guard text.allSatisfy({ (0x20...0x7E).contains($0) && !special.contains($0) || $0 == 0x0A }) else {
            return false
        }
        var at = 0
        while at < text.count {
            let line = text[at...].prefix(3)
            if line.elementsEqual("---".utf8) || line.elementsEqual("...".utf8) { return false }
            at = TextDifference.lineEnd(text, at, text.count)
        }
        return true
    }

    /// Names, each in a line below the one before.
    private func isOrderly(_ nodes: [Node.Entry]) -> Bool {
        var line = 0
        return nodes.allSatisfy { entry in
            defer { line = entry.place.line }
            return isName(entry.key) && entry.place.line > line
        }
    }
}

extension TopologyFile {
    /// Where the entries of a section begin.
    func lines(of section: Outline.Section) -> EntryLines {
        EntryLines(tenant: topology.tenants[section.tenant], section.kind)
    }
}

/// The lines of a tenant's networks or ports.
struct EntryLines: RandomAccessCollection {
    private let tenant: Tenant
    private let kind: Outline.Section.Kind

    init(tenant: Tenant, _ kind: Outline.Section.Kind) {
        self.tenant = tenant
        self.kind = kind
    }

    var startIndex: Int { 0 }
    var endIndex: Int { kind == .ports ? tenant.ports.count : tenant.networks.count }
    subscript(index: Int) -> Int { kind == .ports ? tenant.ports[index].mark.line : tenant.networks[index].mark.line }
}

extension TopologyEdit.Part {
    /// The line of the first network or port after the edit; nil when none is left.
    fileprivate func firstLine(_ kind: Outline.Section.Kind, _ file: TopologyFile, _ shift: LineShift) -> Int? {
        func first<Item>(_ items: [Item], _ splices: [TopologyEdit.Splice<Item>], _ line: (Item) -> Int) -> Int? {
            var index = 0
            for splice in splices {
                if splice.range.lowerBound > index { break }
                if let item = splice.new.first { return line(item) }
                index = splice.range.upperBound
            }
            return index < items.count ? shift(line(items[index])) : nil
        }
        let before = file.topology.tenants[tenant]
        return switch kind {
        case .networks: first(before.networks, networks) { $0.mark.line }
        case .ports: first(before.ports, ports) { $0.mark.line }
        }
    }
}
