internal import CYaml

// What is refused while the tree is built: `Composer.Stop` with its place and sentence.

extension Composer {
    func tooDeep(_ place: Place) -> Stop {
        Stop(place: place, message: "the nesting is deeper than \(Self.maximumDepth) levels; nothing in a topology is")
    }

    func cannotMerge(_ node: Node) -> Stop {
        Stop(place: node.place, message: "`<<` merges a mapping or a list of mappings, found \(node.kind)")
    }

    func check(_ weight: Int, _ place: Place) throws {
        guard weight <= Self.maximumWeight else {
            throw Stop(
                place: place,
                message: "with its aliases written out the file has more than \(Self.maximumWeight) values; "
                    + "repeat less with `*`"
            )
        }
    }

    /// Tags name types; the few that YAML defines are harmless, others would be ignored in silence.
    func check(tag: UnsafePointer<UInt8>?, _ allowed: [String], _ place: Place) throws {
        guard let tag = tag.map({ String(cString: $0) }), tag != "!" else { return }
        let prefix = "tag:yaml.org,2002:"
        if tag.hasPrefix(prefix), allowed.contains(String(tag.dropFirst(prefix.count))) { return }
        throw Stop(place: place, message: "the tag `\(shown(tag))` means nothing here; remove it")
    }

    func syntaxError() -> Stop {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "there is not enough memory"
        if parser.pointee.error == YAML_READER_ERROR {
            let value = parser.pointee.problem_value
            let code = value < 0 ? "" : " (0x\(String(value, radix: 16, uppercase: true)))"
            return Stop(
                place: Place(line: 0, column: parser.pointee.problem_offset),
                message: "this is not text that YAML can hold: \(problem)\(code)"
            )
        }
        let mark = parser.pointee.problem_mark
        let place = Place(line: mark.line + 1, column: mark.column + 1)
        // libyaml has a limit of its own, which is less sensible, and reads ahead.
        if problem.hasPrefix("Maximum nesting level") { return tooDeep(place) }
        var message = "the YAML breaks off here: \(problem)"
        if let context = parser.pointee.context.map({ String(cString: $0) }) {
            message += ", \(context)"
            let line = parser.pointee.context_mark.line
            if line != mark.line { message += " that began in line \(line + 1)" }
        }
        if let hint = Self.hints.first(where: { problem.contains($0.problem) }) { message += "; \(hint.advice)" }
        return Stop(place: place, message: message)
    }

    private static let hints: [(problem: String, advice: String)] = [
        ("cannot start any token", "indent with spaces, not tabs, and quote text that begins with @, % or `"),
        ("mapping values are not allowed", "look for a missing line break or quote text with a colon in it"),
        ("expected ',' or '}'", "look for a missing comma, colon or brace"),
        ("expected ',' or ']'", "look for a missing comma or bracket"),
        ("did not find expected key", "look for a line whose indentation differs from its neighbours'"),
        ("could not find expected ':'", "look for a key without its colon"),
        ("unexpected end of stream", "look for a missing quote"),
    ]
}
