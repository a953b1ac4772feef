/// How a lab's files, namespaces and devices are called.
public enum LabNames {
    /// A lab's and a host's directory name: short enough for a Unix socket's path (108 bytes) to fit below it.
    static let longest = 24
    /// IFNAMSIZ without the terminating zero.
    static let longestInterface = 15

    /// The lab of a file: its base name without `.yaml`, `.yml` or `.json`, of letters, digits, `.`, `_` and `-`.
    public static func lab(ofFile path: String) -> String {
        var name = String(path.split(separator: "/").last ?? "lab")
        for suffix in [".yaml", ".yml", ".json"] where name.hasSuffix(suffix) && name.count > suffix.count {
            name.removeLast(suffix.count)
        }
        let safe = name.unicodeScalars.map { scalar -> Character in
            let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            return isWord || "._-".unicodeScalars.contains(scalar) ? Character(scalar) : "-"
        }
        // Neither hidden nor a way out of the directory.
        let visible = String(safe).drop { $0 == "." }
        return shortened(visible.isEmpty ? "lab" : String(visible), to: longest)
    }

    /// The text itself, or its beginning and a hash of the whole when it is longer than `limit` bytes.
    static func shortened(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        let hex = String(hash(text), radix: 16)
        let digits = min(8, limit / 2)
        let tail = String((String(repeating: "0", count: 8) + hex).suffix(digits))
        var head = text
        while head.utf8.count > limit - digits - 1 { head.removeLast() }
        return "\(head)-\(tail)"
    }

    /// FNV-1a, 32 bits: the same on every machine and in every release.
    private static func hash(_ text: String) -> UInt32 {
        text.utf8.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
    }

    /// A device name of at most 15 bytes that is not in `taken`, and is from now on.
    static func interface(_ wish: String, taken: inout Set<String>) -> String {
        var name = shortened(wish, to: longestInterface)
        var counter = 2
        while !taken.insert(name).inserted {
            name = shortened("\(counter)\(wish)", to: longestInterface)
            counter += 1
        }
        return name
    }
}
