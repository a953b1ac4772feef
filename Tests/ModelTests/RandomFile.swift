/// Random files as people and programs write them, and random edits, most of which make sense.
struct RandomFile {
    private(set) var lines: [String] = []
    private var next: Int

    var text: String { lines.joined(separator: "\n") }

    init(text: String, number: Int) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        next = 1000 + 10 * number
    }

    init(_ random: inout SplitMix) {
        next = 1
        let hasIPv6 = random.below(3)
        lines = ["sluice: 1"]
        if random.chance(20) { lines.append("lab: {mtu: 1500}") }
        lines.append("hosts:")
        for i in 1...3 {
            let vtep =
                hasIPv6 == 2 && i == 2
                ? "\"2001:db8::2\"" : hasIPv6 == 1 ? "[192.0.2.\(i), \"2001:db8::\(i)\"]" : "192.0.2.\(i)"
            lines.append("  h\(i): {vtep: \(vtep), physical: {phys: eth\(i)}}")
        }
        lines.append("tenants:")
        for t in 0..<(1 + random.below(3)) {
            lines.append("  t\(t):")
            let networks = (0..<(1 + random.below(5))).map { "n\($0)" }
            let hasRouter = random.chance(30)
            let sections = [
                section("networks", networks.enumerated().flatMap { network($0.element, $0.offset, &random) }, &random),
                section("ports", (0..<random.below(7)).flatMap { port("p\($0)", networks, &random) }, &random),
                hasRouter
                    ? [
                        "    routers:",
                        "      gw: {interfaces: {n0: 10.0.0.1/24}, routes: [{to: 10.9.0.0/16, type: blackhole}]}",
                    ] : [],
            ]
            for section in random.chance(70) ? sections : sections.reversed() { lines += section }
        }
        if random.chance(50) { lines.append("") }
    }

    private func section(_ name: String, _ entries: [String], _ random: inout SplitMix) -> [String] {
        entries.isEmpty ? [] : ["    \(name):"] + entries
    }

    private mutating func fresh() -> Int {
        next += 1
        return next
    }

    private func remark(_ random: inout SplitMix) -> [String] {
        switch random.below(12) {
        case 0: ["      # why not"]
        case 1: [""]
        case 2: ["            # far in"]
        case 3: ["# at the margin"]
        default: []
        }
    }

    /// In one line, or one below the other.
    private func entry(_ name: String, _ fields: [(String, String)], _ random: inout SplitMix) -> [String] {
        guard random.chance(60) else {
            return ["      \(name):"] + fields.map { "        \($0.0): \($0.1)" } + remark(&random)
        }
        return ["      \(name): {" + fields.map { "\($0.0): \($0.1)" }.joined(separator: ", ") + "}"] + remark(&random)
    }

    private mutating func network(_ name: String, _ number: Int, _ random: inout SplitMix) -> [String] {
        let segment =
            switch random.below(5) {
            case 0: "{type: local}"
            case 1: "{type: gre, id: \(fresh())}"
            case 2: "{type: vlan, physical: phys, id: \(fresh() % 4000 + 1)}"
            default: "{type: vxlan, id: \(fresh())}"
            }
        var fields = [("segment", number == 0 ? "{type: vxlan, id: \(fresh())}" : segment)]
        if number == 0 || random.chance(40) { fields.append(("subnets", "[10.0.\(number).0/24]")) }
        if random.chance(20) { fields.append(("macAge", "\(100 + random.below(100))")) }
        return entry(name, fields, &random)
    }

    private mutating func port(_ name: String, _ networks: [String], _ random: inout SplitMix) -> [String] {
        let first = networks[random.below(networks.count)]
        let id = fresh()
        var fields = [("host", "h\(1 + 2 * random.below(2))")]
        if random.chance(20), networks.count > 1 {
            fields.append(("trunk", "{untagged: \(networks[0]), \(id % 4000 + 1): \(networks[1])}"))
        } else {
            fields.append(("network", first))
            if random.chance(50), let number = Int(first.dropFirst()) {
                fields.append(("address", "10.0.\(number).\(2 + id % 250)/24"))
            }
        }
        if random.chance(70) { fields.append(("mac", "\"02:00:00:00:\(hex(id >> 8)):\(hex(id))\"")) }
        fields.append(("attach", random.chance(50) ? "{tap: x\(id)}" : "{netns: y\(id)}"))
        return entry(name, fields, &random)
    }

    private func hex(_ number: Int) -> String {
        let text = String(number & 0xFF, radix: 16)
        return text.count == 1 ? "0" + text : text
    }

    // MARK: Edits

    mutating func edit(_ random: inout SplitMix) {
        guard !lines.isEmpty else { return }
        let at = random.below(lines.count)
        switch random.below(16) {
        case 0, 1, 2: change("mac: \"02:00:00:00:", to: "mac: \"02:00:00:\(hex(fresh())):", &random)
        case 3, 4: addEntry(to: "    ports:", &random)
        case 5: addEntry(to: "    networks:", &random)
        case 6: lines.remove(at: at)
        case 7: lines.insert(lines[random.below(lines.count)], at: at)
        case 8: lines.insert(["", "# remark", "      # remark", "          # remark"][random.below(4)], at: at)
        case 9: lines.swapAt(at, random.below(lines.count))
        case 10: replaceByte(at, &random)
        case 11: lines[at] = (random.chance(50) ? " " : "  ") + lines[at]
        case 12: lines.insert("          more", at: at)
        case 13: replaceDigit(at, &random)
        case 14: change("macAge: 1", to: "macAge: 2", &random)
        default: removeEntry(at)
        }
    }

    private mutating func change(_ text: String, to other: String, _ random: inout SplitMix) {
        let found = lines.indices.filter { lines[$0].contains(text) }
        guard !found.isEmpty else { return }
        let line = found[random.below(found.count)]
        lines[line] = lines[line].replacing(text, with: other)
    }

    private mutating func addEntry(to section: String, _ random: inout SplitMix) {
        let found = lines.indices.filter { lines[$0] == section }
        guard !found.isEmpty else { return }
        var at = found[random.below(found.count)] + 1
        while at < lines.count, lines[at].hasPrefix("      "), random.chance(70) { at += 1 }
        // Before an entry, not within one.
        while at < lines.count, lines[at].hasPrefix("       ") { at += 1 }
        let isPort = section == "    ports:"
        let name = "\(isPort ? "q" : "m")\(fresh())"
        lines.insert(
            contentsOf: isPort
                ? port(name, ["n0", "n1"].suffix(1 + random.below(2)), &random)
                : network(name, 1 + random.below(9), &random),
            at: at
        )
    }

    private mutating func removeEntry(_ start: Int) {
        let isEntry = lines[start].hasPrefix("      ") && !lines[start].hasPrefix("       ")
        guard isEntry else { return }
        lines.remove(at: start)
        while start < lines.count, lines[start].hasPrefix("       ") { lines.remove(at: start) }
    }

    private mutating func replaceByte(_ at: Int, _ random: inout SplitMix) {
        var bytes = Array(lines[at].utf8)
        guard !bytes.isEmpty else { return }
        let special = Array("{}[]:,-?*&!|>'\"%@`#\t x1".utf8)
        bytes[random.below(bytes.count)] = special[random.below(special.count)]
        lines[at] = String(decoding: bytes, as: UTF8.self)
    }

    private mutating func replaceDigit(_ at: Int, _ random: inout SplitMix) {
        var bytes = Array(lines[at].utf8)
        let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
        guard !digits.isEmpty else { return }
        bytes[digits[random.below(digits.count)]] = UInt8(0x30 + random.below(10))
        lines[at] = String(decoding: bytes, as: UTF8.self)
    }
}

/// The same numbers for the same seed.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ z >> 31) % UInt64(bound))
    }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}
