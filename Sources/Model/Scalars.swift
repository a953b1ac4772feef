import Wire

// Single values: text, numbers, truth values, names and addresses. Each reader refuses what it cannot take, with a
// sentence, and answers nil.

extension Loader {
    mutating func text(_ node: Node, _ path: String, _ what: @autoclosure () -> String) -> String? {
        guard case .scalar(let scalar) = node.content, !node.isNull else {
            refuse(node.place, path, "\(what()) is expected here, found \(node.kind)")
            return nil
        }
        return scalar.text
    }

    mutating func integer(_ node: Node, _ path: String, _ what: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = text(node, path, "\(what), a number,") else { return nil }
        if case .scalar(let scalar) = node.content, !scalar.isPlain {
            refuse(node.place, path, "\(what) is a number; write it without quotes")
            return nil
        }
        let isHexadecimal = text.hasPrefix("0x")
        let digits = isHexadecimal ? text.dropFirst(2) : text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ isHexadecimal ? isHex($0) : isDecimal($0) }) else {
            refuse(node.place, path, "\(what) is a whole number from \(bounds(range)), found \(node.kind)")
            return nil
        }
        guard isHexadecimal || digits.count == 1 || digits.first != "0" else {
            refuse(node.place, path, "\(what) `\(shown(text))` begins with 0, which some read as octal; leave it out")
            return nil
        }
        guard let value = isHexadecimal ? Int(digits, radix: 16) : Int(text), range.contains(value) else {
            refuse(node.place, path, "\(what) `\(shown(text))` is out of range; it goes from \(bounds(range))")
            return nil
        }
        return value
    }

    private func bounds(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound) to \(range.upperBound)" }

    mutating func truth(_ node: Node, _ path: String, _ what: String) -> Bool? {
        if case .scalar(let scalar) = node.content, scalar.isPlain {
            switch scalar.text {
            case "true", "True", "TRUE": return true
            case "false", "False", "FALSE": return false
            default: break
            }
        }
        refuse(node.place, path, "\(what) is `true` or `false`, found \(node.kind)")
        return nil
    }

    /// One of the words of an enumeration.
    mutating func word<Word: RawRepresentable & CaseIterable>(
        _ node: Node,
        _ path: String,
        _ what: String,
        as: Word.Type
    ) -> Word? where Word.RawValue == String {
        var choice: String { Word.allCases.map { "`\($0.rawValue)`" }.joined(separator: " or ") }
        guard let text = text(node, path, "\(what), \(choice),") else { return nil }
        guard let word = Word(rawValue: text) else {
            refuse(node.place, path, "\(what) is \(choice), found \(node.kind)")
            return nil
        }
        return word
    }

    /// The name of something that the file declares elsewhere.
    mutating func reference(_ node: Node, _ path: String, _ what: String) -> String? {
        text(node, path, "the name of \(what)")
    }

    /// A name that the kernel takes for an interface (`dev_valid_name`), and that is no pattern for the TUN driver.
    mutating func interface(_ node: Node, _ path: String) -> String? {
        guard let name = text(node, path, "the name of an interface") else { return nil }
        let isFine = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"/:%".utf8.contains($0) }
        guard isFine, (1...15).contains(name.utf8.count), ![".", "..", "lo", "all", "default"].contains(name) else {
            refuse(
                node.place,
                path,
                "`\(shown(name))` cannot be the name of an interface: 1 to 15 ASCII characters without spaces, `/`, `:` and `%`, "
                    + "and none that the kernel keeps for itself"
            )
            return nil
        }
        return name
    }

    /// A name that can be a file under /run/netns.
    mutating func namespace(_ node: Node, _ path: String) -> String? {
        guard let name = text(node, path, "the name of a network namespace") else { return nil }
        let isFine = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") }
        guard isFine, (1...64).contains(name.utf8.count), name != ".", name != ".." else {
            refuse(
                node.place,
                path,
                "`\(shown(name))` cannot be the name of a network namespace: 1 to 64 ASCII characters without spaces and `/`"
            )
            return nil
        }
        return name
    }
}

// MARK: Addresses

extension Loader {
    /// An address that a single machine can have.
    mutating func address(_ node: Node, _ path: String, _ what: String) -> IPAddress? {
        guard let text = text(node, path, what) else { return nil }
        guard let address = IPAddress(text) else {
            let alone = text.split(separator: "/").first.flatMap { IPAddress(String($0)) }
            let advice =
                alone.map { "write `\($0)`, without the prefix length" } ?? "write it like 192.0.2.1 or 2001:db8::1"
            refuse(node.place, path, "`\(shown(text))` is not an address; \(advice)")
            return nil
        }
        guard let flaw = address.flaw else { return address }
        refuse(node.place, path, "\(what) cannot be \(address): it is \(flaw)")
        return nil
    }

    /// `ADDRESS/LENGTH`.
    mutating func prefix(_ node: Node, _ path: String, _ what: String) -> IPPrefix? {
        guard let text = text(node, path, what) else { return nil }
        let slash = text.utf8.lastIndex(of: UInt8(ascii: "/"))
        if slash == nil, let address = IPAddress(text) {
            refuse(
                node.place,
                path,
                "`\(shown(text))` lacks its prefix length; write it like \(address)/\(address.isIPv6 ? 64 : 24)"
            )
            return nil
        }
        // Foreign digits and signs are for `Int` to like, not for a file.
        let length = slash.map { text.utf8[$0...].dropFirst() }
        guard let length, length.allSatisfy(isDecimal), length.first != UInt8(ascii: "0") || length.count == 1,
            let prefix = IPPrefix(text)
        else {
            refuse(
                node.place,
                path,
                "`\(shown(text))` is not an address with its prefix length; write it like 10.0.0.11/24 or fd00::11/64"
            )
            return nil
        }
        return prefix
    }

    mutating func mac(_ node: Node, _ path: String, of subject: String) -> MACAddress? {
        guard let text = text(node, path, "a MAC address") else { return nil }
        let isFine = text.utf8.count == 17 && text.utf8.allSatisfy { isHex($0) || $0 == 0x3A || $0 == 0x2D }
        guard isFine, let mac = MACAddress(text) else {
            refuse(node.place, path, "`\(shown(text))` is not a MAC address; write it like 02:00:00:00:00:12")
            return nil
        }
        guard !mac.isGroup, mac != .zero else {
            refuse(
                node.place,
                path,
                "\(subject) cannot have the MAC \(mac): it is \(mac == .zero ? "all zeros" : "a group address"); "
                    + "begin it with 02"
            )
            return nil
        }
        return mac
    }

    /// Values of which there may be one a family.
    mutating func onePerFamily(
        _ values: [(address: IPAddress, node: Node, path: String)],
        _ what: String
    ) -> [IPAddress] {
        var result: [IPAddress] = []
        for value in values {
            if let first = result.first(where: { $0.isIPv6 == value.address.isIPv6 }) {
                let family = first.isIPv6 ? "IPv6" : "IPv4"
                refuse(
                    value.node.place,
                    value.path,
                    "\(value.address) is the second \(family) \(what) after \(first); there can be one a family"
                )
            } else {
                result.append(value.address)
            }
        }
        return result
    }
}

extension IPAddress {
    /// Why no machine can have this address, if that is so.
    var flaw: String? {
        switch self {
        case .v4(let a):
            if a.bits == 0 { return "the unspecified address" }
            if a.bits >> 28 == 0xE { return "a multicast address" }
            if a.bits >> 24 == 127 { return "a loopback address, which stays inside one machine" }
            return a.bits == ~0 ? "the broadcast address" : nil
        case .v6(let a):
            if let v4 = a.mappedIPv4 { return "an IPv4 address written as IPv6; write \(v4)" }
            if a.high == 0, a.low == 0 { return "the unspecified address" }
            if a.high >> 56 == 0xFF { return "a multicast address" }
            return a.high == 0 && a.low == 1 ? "the loopback address, which stays inside one machine" : nil
        }
    }

    /// fe80::/10: on every link, in no subnet.
    var isLinkLocalIPv6: Bool {
        if case .v6(let a) = self { a.high >> 54 == 0x3FA } else { false }
    }
}

extension IPPrefix {
    /// Why `address` cannot be a machine's in this subnet (RFC 1122 §3.2.1.3; on /31 both ends can, RFC 3021).
    func edge(_ address: IPAddress) -> String? {
        guard case .v4(let a) = address, length < 31 else { return nil }
        let host = a.bits & ~(length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length))
        if host == 0 { return "the address of the network itself" }
        return host == (length == 0 ? ~0 : ~(~UInt32(0) << UInt32(32 - length))) ? "the broadcast address" : nil
    }
}

// MARK: Characters

func isDecimal(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

func isHex(_ byte: UInt8) -> Bool { isDecimal(byte) || (0x61...0x66).contains(byte | 0x20) }

/// What may be the name of a host, tenant, network, port, router, tunnel or provider network: it becomes part of paths, namespaces
/// and file names.
func isName(_ text: String) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool { isDecimal(byte) || (0x61...0x7A).contains(byte | 0x20) }
    guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 63 else { return false }
    return text.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
}
