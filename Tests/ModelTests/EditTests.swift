import Testing

@testable import Model

/// A file that is read in parts means what it means as a whole.
@Suite struct EditTests {
    /// Everything there is to see, with marks, which `==` leaves out.
    private func all(_ topology: Topology) -> String {
        var text = ""
        dump(topology, to: &text)
        return text
    }

    private func all(_ file: TopologyFile) -> String {
        var text = ""
        dump(file.outline?.sections, to: &text)
        return "\(file.text)\n\(text)\n\(all(file.topology))"
    }

    /// Whether the shortcut was taken. When it was, it says what the whole file says.
    @discardableResult
    private func follow(_ file: inout TopologyFile, _ text: String) -> (taken: Bool, valid: Bool) {
        let whole = try? TopologyFile(text: text, name: file.name)
        guard let edit = file.edit(to: text, name: file.name) else {
            guard let whole else { return (false, false) }
            file = whole
            return (false, true)
        }
        guard let whole else {
            Issue.record("a wrong file was taken: \(problems(text))\n--- from\n\(file.text)\n--- to\n\(text)")
            return (true, false)
        }
        let before = file
        file.apply(edit)
        guard all(file) == all(whole) else {
            Issue.record("the parts are not the whole\n--- from\n\(before.text)\n--- to\n\(text)")
            file = whole
            return (true, true)
        }
        #expect(edit.changes == Topology.difference(from: before.topology, to: whole.topology))
        if let macs = edit.changedMACs {
            var same = before.topology
            for change in macs {
                guard let index = same.tenants[change.tenant].ports.firstIndex(of: change.old) else { continue }
                same.tenants[change.tenant].ports[index] = change.new
            }
            #expect(same == whole.topology)
        }
        var back = file
        back.apply(edit.inverse)
        #expect(all(back) == all(before))
        return (true, true)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func randomEdits(seed: UInt64) throws {
        var random = SplitMix(seed: seed &* 0x9E37_79B9_7F4A_7C15)
        var (taken, valid, steps) = (0, 0, 0)
        for _ in 0..<40 {
            let cloud = RandomFile(&random)
            var file = try TopologyFile(text: cloud.text, name: "f.yaml")
            for _ in 0..<12 {
                var next = RandomFile(text: file.text, number: steps)
                for _ in 0..<(1 + random.below(3)) { next.edit(&random) }
                let result = follow(&file, next.text)
                steps += 1
                taken += result.taken ? 1 : 0
                valid += result.valid ? 1 : 0
            }
        }
        // Otherwise the test tests nothing.
        #expect(taken > steps / 8, "\(taken) of \(valid) of \(steps)")
    }

    private func read(_ text: String) throws -> TopologyFile { try TopologyFile(text: text, name: "f.yaml") }

    @Test(arguments: [
        ("02:00:00:00:00:12", "02:00:00:00:00:13"), ("netns: red-web", "netns: other"),
        ("10.0.0.11/24", "10.0.0.99/24"),
        ("      web: {host: h1", "      more: {host: h2, network: own, attach: {tap: t9}}\n      web: {host: h1"),
        ("      own: {segment: {type: local}", "      own: {macAge: 77, segment: {type: local}"),
        ("      lan: {segment", "      new: {segment: {type: vxlan, id: 9}}\n      lan: {segment"),
    ])
    func isTaken(old: String, new: String) throws {
        let own = old.contains("own") || new.contains("own")
        guard let range = own ? sound.range(of: old, last: true) : sound.range(of: old, last: false) else {
            Issue.record("no \(old)")
            return
        }
        var text = sound
        text.replaceSubrange(range, with: new)
        if problems(text) == [] {
            var file = try read(sound)
            #expect(follow(&file, text).taken, "\(old) -> \(new)")
        }
    }

    /// What has an effect elsewhere, or is no matter of networks and ports, needs the whole file.
    @Test(arguments: [
        ("h1: {vtep: 192.0.2.1,", "h1: {vtep: 192.0.2.9,"), ("blue:", "green:"), ("sluice: 1", "sluice:  1"),
        ("10.0.0.0/24, \"fd00::/64\"", "10.0.0.0/16, \"fd00::/64\""), ("id: 5001", "id: 5002"),
        ("netns: blue-web", "netns: red-web"), ("mac: \"02:00", "mac: &a \"02:00"),
        ("      fw:", "      \"fw\":"), ("      fw:", "      web:"),
        ("      web: {host: h1", "         web: {host: h1"),
    ])
    func isNotTaken(old: String, new: String) throws {
        guard let range = sound.range(of: old, last: false) else {
            Issue.record("no \(old)")
            return
        }
        var text = sound
        text.replaceSubrange(range, with: new)
        #expect(try read(sound).edit(to: text, name: "f.yaml") == nil)
    }

    /// Texts in which a part would mean something else on its own.
    @Test func partsThatNeedTheRest() throws {
        let head =
            "sluice: 1\nhosts:\n  h1: {}\ntenants:\n  t:\n    networks:\n      n: {segment: {type: local}}\n    ports:\n"
        let port = "{host: h1, network: n, attach: {tap: "
        for (first, second) in [
            // A block scalar goes on as long as lines are indented.
            (
                "      a:\n        attach: {tap: a}\n        network: n\n        host: |-\n          h1\n      b: \(port)b}}\n",
                "      a:\n        attach: {tap: a}\n        network: n\n        host: |-\n          h1\n          # no comment\n      b: \(port)b}}\n"
            ),
            (
                "      a:\n        attach: {tap: a}\n        network: n\n        host: h1\n      b: \(port)b}}\n",
                "      a:\n        attach: {tap: a}\n        network: n\n        host: h1\n          more\n      b: \(port)b}}\n"
            ),
            ("      a: \(port)a}}\n", "      a: \(port)a}}\n...\n"),
            ("      a: \(port)a}}\n", "      a: \(port)a}}\n---\n"),
            ("      a: \(port)a}}", "      a: \(port)a}}\n      b: \(port)b}}"),
            ("      a: \(port)a}}\n      b: \(port)b}}", "      a: \(port)a}}\n"),
            ("      a: \(port)a}}\n      b: \(port)b}}", "      b: \(port)b}}\n"),
            (
                "      ? a\n      : \(port)a}}\n      b: \(port)b}}\n",
                "      ? a\n      : \(port)c}}\n      b: \(port)b}}\n"
            ),
            ("      a: \(port)a}}\n      b: \(port)b}}\n", "      a: \(port)a}}\n      b: \(port)c}}\r\n"),
            ("      a: \(port)a}}\r\n      b: \(port)b}}\r\n", "      a: \(port)a}}\r\n      b: \(port)c}}\r\n"),
            ("      a: &p \(port)a}}\n      b: \(port)b}}\n", "      a: \(port)a}}\n      b: \(port)c}}\n"),
        ] {
            var file = try read(head + first)
            follow(&file, head + second)
            follow(&file, head + first)
            follow(&file, head + first + "    routers: {}\n")
            follow(&file, head + second + "    routers: {}\n")
        }
    }

    /// JSON has no lines to go by, and is read as ever.
    @Test func jsonIsReadWhole() throws {
        let text = """
            {"sluice": 1, "hosts": {"h1": {}}, "tenants": {"t": {
              "networks": {"n": {"segment": {"type": "local"}}},
              "ports": {
                "a": {"host": "h1", "network": "n", "attach": {"tap": "a"}},
                "b": {"host": "h1", "network": "n", "attach": {"tap": "b"}}}}}}
            """
        #expect(
            try read(text).edit(to: text.replacing("\"tap\": \"b\"", with: "\"tap\": \"c\""), name: "f.yaml") == nil
        )
    }

    @Test func anotherNameIsAnotherFile() throws {
        #expect(try read(sound).edit(to: sound, name: "g.yaml") == nil)
        #expect(try read(sound).edit(to: sound, name: "f.yaml")?.changes == [])
    }
}

extension String {
    fileprivate func range(of text: String, last: Bool) -> Range<String.Index>? {
        last ? ranges(of: text).last : firstRange(of: text)
    }
}
