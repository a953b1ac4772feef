// libyaml, which Yams carries with it. Yams' own tree stops at the first duplicate key without the place of the
// second, compares whole trees where an alias is a key, and takes five times as long.
internal import CYaml

/// Builds the tree of `Node`s from libyaml's events.
///
/// Goes on after a duplicate key, so that one run finds them all; stops at the first syntax error, because what
/// follows cannot be trusted. Aliases share their anchor's value, and `weight` and `depth` keep a handful of lines
/// from standing for more than memory or the stack can hold.
struct Composer {
    static let maximumBytes = 200 << 20
    static let maximumDepth = 64
    static let maximumWeight = 20_000_000

    /// What stops the reading: where, and the sentence.
    struct Stop: Error {
        var place: Place
        var message: String
    }

    let parser: UnsafeMutablePointer<yaml_parser_t>
    private var anchors: [String: Node] = [:]
    /// The keys on the way to the value that is being read.
    private var keys: [String] = []
    private(set) var problems: [(place: Place, path: String, message: String)] = []
    /// Whether every value stands for itself: no anchors, tags, directives or `<<`, so that a part means the same without
    /// the rest.
    private(set) var isPlain = true
    /// Lines of the file before the text, when the text is a part of it.
    private let linesBefore: Int

    private init(_ parser: UnsafeMutablePointer<yaml_parser_t>, linesBefore: Int = 0) {
        self.parser = parser
        self.linesBefore = linesBefore
    }

    /// The document of a text that holds nothing but ASCII: a part of a file, behind `linesBefore` lines and `level`
    /// levels deep. Nil when anything is wrong with it.
    static func compose(part bytes: UnsafeBufferPointer<UInt8>, linesBefore: Int, level: Int) -> (
        root: Node?, isPlain: Bool
    )? {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { return nil }
        defer { yaml_parser_delete(parser) }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
        var composer = Composer(parser, linesBefore: linesBefore)
        do {
            let root = try composer.document(at: level)
            return composer.problems.isEmpty ? (root, composer.isPlain) : nil
        } catch {
            return nil
        }
    }

    /// The one document in `text` (nil when it is empty), and everything that was wrong.
    static func compose(
        _ text: String
    ) -> (root: Node?, isPlain: Bool, problems: [(place: Place, path: String, message: String)]) {
        var text = text
        if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        return text.withUTF8 { bytes in
            guard bytes.count <= maximumBytes else {
                let size = "the file is larger than \(maximumBytes >> 20) MB; split it by host or by tenant"
                return (nil, false, [(Place(line: 1, column: 1), "", size)])
            }
            let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
            defer { parser.deallocate() }
            guard yaml_parser_initialize(parser) == 1 else {
                return (nil, false, [(Place(line: 1, column: 1), "", "there is not enough memory to read the file")])
            }
            defer { yaml_parser_delete(parser) }
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
            var composer = Composer(parser)
            do {
                let root = try composer.document(at: 0)
                return (root, composer.isPlain, composer.problems)
            } catch let stop as Stop where stop.place.line == 0 {
                // libyaml's reader knows an offset only.
                return (nil, false, composer.problems + [(place(at: stop.place.column, in: bytes), "", stop.message)])
            } catch let stop as Stop {
                // What is missing at the end of a file is missing behind its last word, not in a line beyond it.
                let end = place(at: 1 + (bytes.lastIndex { $0 > 0x20 } ?? -1), in: bytes)
                let path = composer.keys.joined(separator: ".")
                return (nil, false, composer.problems + [(min(stop.place, end), path, stop.message)])
            } catch {
                return (nil, false, composer.problems + [(Place(line: 1, column: 1), "", "\(error)")])
            }
        }
    }

    private static func place(at offset: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Place {
        var place = Place(line: 1, column: 1)
        for byte in bytes.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                place = Place(line: place.line + 1, column: 1)
            } else if byte & 0xC0 != 0x80 {
                place.column += 1
            }
        }
        return place
    }
}

// MARK: Events

extension Composer {
    private mutating func document(at level: Int) throws -> Node? {
        try skip()  // the stream's start
        var event = yaml_event_t()
        try next(&event)
        defer { yaml_event_delete(&event) }
        guard event.type == YAML_DOCUMENT_START_EVENT else { return nil }
        let start = event.data.document_start
        if start.version_directive != nil || start.tag_directives.start != start.tag_directives.end { isPlain = false }
        let root = try value(at: level)
        try skip()  // the document's end
        var end = yaml_event_t()
        try next(&end)
        defer { yaml_event_delete(&end) }
        if end.type != YAML_STREAM_END_EVENT {
            throw Stop(
                place: place(end),
                message: "a second document begins here; the whole topology belongs into one, so remove the `---`"
            )
        }
        return root
    }

    private func next(_ event: inout yaml_event_t) throws {
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
    }

    private func skip() throws {
        var event = yaml_event_t()
        try next(&event)
        yaml_event_delete(&event)
    }

    private func place(_ event: yaml_event_t) -> Place {
        Place(line: event.start_mark.line + 1 + linesBefore, column: event.start_mark.column + 1)
    }

    /// The next value; what ends a collection is nil.
    private mutating func valueOrEnd(at level: Int) throws -> Node? {
        var event = yaml_event_t()
        try next(&event)
        defer { yaml_event_delete(&event) }
        let place = place(event)
        guard level <= Self.maximumDepth else { throw tooDeep(place) }
        switch event.type {
        case YAML_SCALAR_EVENT: return try scalar(event, place)
        case YAML_ALIAS_EVENT:
            isPlain = false
            return try alias(event, place, level)
        case YAML_SEQUENCE_START_EVENT:
            try note(tag: event.data.sequence_start.tag, ["seq"], place)
            return try anchored(event.data.sequence_start.anchor, sequence(place, level))
        case YAML_MAPPING_START_EVENT:
            try note(tag: event.data.mapping_start.tag, ["map"], place)
            var node = try mapping(place, level)
            node.isBlock = event.data.mapping_start.style == YAML_BLOCK_MAPPING_STYLE
            return anchored(event.data.mapping_start.anchor, node)
        default: return nil
        }
    }

    private mutating func value(at level: Int) throws -> Node {
        guard let node = try valueOrEnd(at: level) else {
            throw Stop(place: Place(line: 1, column: 1), message: "a value is missing")
        }
        return node
    }

    private mutating func scalar(_ event: yaml_event_t, _ place: Place) throws -> Node {
        let data = event.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: data.value, count: data.length), as: UTF8.self)
        var isPlain = data.style == YAML_PLAIN_SCALAR_STYLE
        if let tag = data.tag {
            try note(tag: tag, ["str", "int", "bool", "null"], place)
            isPlain = isPlain && !String(cString: tag).hasSuffix(":str")
        }
        let scalar = Node.Scalar(text: text, isPlain: isPlain)
        return anchored(data.anchor, Node(content: .scalar(scalar), place: place, weight: 1, depth: 0))
    }

    private func alias(_ event: yaml_event_t, _ place: Place, _ level: Int) throws -> Node {
        let name = String(cString: event.data.alias.anchor)
        guard let node = anchors[name] else {
            throw Stop(
                place: place,
                message: "there is no anchor `&\(shown(name))` before this line for `*\(shown(name))` to repeat"
            )
        }
        guard level + node.depth <= Self.maximumDepth else { throw tooDeep(place) }
        return node
    }

    private mutating func anchored(_ anchor: UnsafePointer<UInt8>?, _ node: Node) -> Node {
        if let anchor {
            anchors[String(cString: anchor)] = node
            isPlain = false
        }
        return node
    }

    private mutating func note(tag: UnsafePointer<UInt8>?, _ allowed: [String], _ place: Place) throws {
        try check(tag: tag, allowed, place)
        if tag != nil { isPlain = false }
    }

    private mutating func sequence(_ place: Place, _ level: Int) throws -> Node {
        var items: [Node] = []
        var weight = 1
        var depth = 0
        let key = keys.popLast() ?? ""
        while true {
            keys.append("\(key)[\(items.count)]")
            guard let item = try valueOrEnd(at: level + 1) else { break }
            keys.removeLast()
            weight += item.weight
            depth = max(depth, item.depth + 1)
            try check(weight, place)
            items.append(item)
        }
        keys[keys.count - 1] = key
        return Node(content: .sequence(items), place: place, weight: weight, depth: depth)
    }
}

// MARK: Mappings

extension Composer {
    private mutating func mapping(_ place: Place, _ level: Int) throws -> Node {
        var entries: [Node.Entry] = []
        var merged: [Node] = []
        var known = Known()
        var weight = 1
        var depth = 0
        while let key = try valueOrEnd(at: level + 1) {
            guard case .scalar(let name) = key.content else {
                throw Stop(place: key.place, message: "a key must be plain text, found \(key.kind)")
            }
            keys.append(name.text)
            let value = try value(at: level + 1)
            weight += 1 + value.weight
            depth = max(depth, value.depth + 1)
            try check(weight, place)
            if name.text == "<<", name.isPlain {
                isPlain = false
                merged += try merge(value)
            } else if let first = known.insert(name.text, entries, key.place) {
                problems.append(
                    (
                        key.place, keys.joined(separator: "."),
                        "`\(shown(name.text))` stands here a second time, first in line \(first.line); "
                            + "rename or remove one of them"
                    )
                )
            } else {
                entries.append(Node.Entry(key: name.text, place: key.place, value: value))
            }
            keys.removeLast()
        }
        // What the mapping says itself comes before what it merges, and earlier merges before later ones.
        for case .mapping(let more) in merged.map(\.content) {
            for entry in more where known.insert(entry.key, entries, entry.place) == nil { entries.append(entry) }
        }
        return Node(content: .mapping(entries), place: place, weight: weight, depth: depth)
    }

    private func merge(_ value: Node) throws -> [Node] {
        switch value.content {
        case .mapping: return [value]
        case .sequence(let items):
            for item in items {
                guard case .mapping = item.content else { throw cannotMerge(item) }
            }
            return items
        case .scalar: throw cannotMerge(value)
        }
    }

    /// The keys of one mapping: a short list is looked through, a long one gets a table.
    private struct Known {
        private var places: [String: Place] = [:]

        /// The place of an equal key that was there before.
        mutating func insert(_ key: String, _ entries: [Node.Entry], _ place: Place) -> Place? {
            if places.isEmpty {
                if let first = entries.first(where: { $0.key == key }) { return first.place }
                if entries.count < 8 { return nil }
                for entry in entries { places[entry.key] = entry.place }
            }
            if let first = places[key] { return first }
            places[key] = place
            return nil
        }
    }
}
