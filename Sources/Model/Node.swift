/// A value of the operator's file, with the place where it begins. Types are not guessed here: `no` is text until
/// somebody wants a truth value, and `02:00:00:00:00:12` is never a number to the base 60.
struct Node {
    var content: Content
    var place: Place
    /// Values in this one, itself included, with everything that aliases repeat.
    var weight: Int
    /// Levels of nesting below, with those that aliases bring.
    var depth: Int
    /// A mapping with its keys in lines of their own, by indentation.
    var isBlock = false

    enum Content {
        case scalar(Scalar)
        case mapping([Entry])
        case sequence([Node])
    }

    struct Scalar {
        var text: String
        /// Not quoted: may stand for a number, a truth value or nothing.
        var isPlain: Bool
    }

    struct Entry {
        var key: String
        var place: Place
        var value: Node
    }

    /// How the file's author would call it.
    var kind: String {
        switch content {
        case .scalar(let scalar): isNull ? "nothing" : scalar.isPlain ? "`\(shown(scalar.text))`" : "a quoted text"
        case .mapping: "a mapping"
        case .sequence: "a list"
        }
    }

    /// Nothing after the colon, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let scalar) = content, scalar.isPlain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
    }
}

/// Line and column, both from 1.
struct Place: Comparable {
    var line: Int
    var column: Int

    static func < (a: Place, b: Place) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// Text from the file as a message may repeat it: on one line, and short.
func shown(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(60) {
        switch scalar {
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        case "\0": result += "\\0"
        default:
            let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
            result +=
                isControl || scalar.properties.generalCategory == .format
                ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
    return text.unicodeScalars.count > 60 ? result + "…" : result
}
