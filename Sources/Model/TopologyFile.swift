import Wire

/// A topology together with the text that it was read from. The next version of the text then costs no more than what
/// it changes: `edit` reads the networks and ports whose lines are others, and nothing else.
///
/// That is a shortcut and never another language: what `edit` answers is what `load` would make of the text, and where
/// that is not certain it answers nil.
public struct TopologyFile: Sendable {
    /// As the messages call it.
    public let name: String
    public private(set) var text: String
    public private(set) var topology: Topology
    /// Nil where parts of the text cannot be read on their own.
    private(set) var outline: Outline?

    /// Reads a topology as `Topology.load` does.
    public init(text: String, name: String) throws(TopologyError) {
        let (topology, outline) = try Topology.read(text, name)
        self.name = name
        self.text = text
        self.topology = topology
        self.outline = Self.countsLinesByNewlines(text) ? outline : nil
    }

    /// What leads to the next version of the text, or nil when that has to be read as a whole: because it is wrong,
    /// because more changes than networks and ports that no router joins, or because nearly all does.
    public func edit(to text: String, name: String) -> TopologyEdit? {
        guard name == self.name, let outline, text.utf8.count <= Composer.maximumBytes else { return nil }
        var old = self.text
        var new = text
        return old.withUTF8 { old in
            new.withUTF8 { new in
                EditReader(self, outline, old, new).flatMap { $0.edit(text) }
            }
        }
    }

    /// Becomes the next version. `edit` was made for this one.
    public mutating func apply(_ edit: TopologyEdit) {
        topology.move(edit.shift)
        for part in edit.parts {
            Self.apply(part.networks, &topology.tenants[part.tenant].networks)
            Self.apply(part.ports, &topology.tenants[part.tenant].ports)
        }
        text = edit.newText
        outline = edit.newOutline
    }

    private static func apply<Item>(_ splices: [TopologyEdit.Splice<Item>], _ items: inout [Item]) {
        for splice in splices.reversed() {
            if splice.range.count == splice.new.count {
                for (index, item) in zip(splice.range, splice.new) { items[index] = item }
            } else {
                items.replaceSubrange(splice.range, with: splice.new)
            }
        }
    }

    /// YAML knows more line breaks than the newline: a carriage return, U+0085, U+2028 and U+2029.
    private static func countsLinesByNewlines(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var (last, before): (UInt8, UInt8) = (0, 0)
            for byte in bytes {
                if byte == 0x0D || last == 0xC2 && byte == 0x85 { return false }
                if before == 0xE2, last == 0x80, byte == 0xA8 || byte == 0xA9 { return false }
                (before, last) = (last, byte)
            }
            return true
        }
    }
}
