import Hummingbird

/// The query of a request. What nobody asked for is refused, not ignored: a misspelt `dry-run` must not apply.
struct Question {
    private let parameters: [(name: String, value: String)]

    /// Throws where a name is given twice.
    init(_ request: Request) throws {
        parameters = request.uri.queryParameters.map { (String($0.key), String($0.value)) }
        for (i, parameter) in parameters.enumerated()
        where parameters[..<i].contains(where: { $0.name == parameter.name }) {
            throw ServiceError(.refused, "the parameter \(parameter.name) is given twice.", advice: "Give it once.")
        }
    }

    subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    func allow(_ names: String...) throws {
        for parameter in parameters where !names.contains(parameter.name) {
            throw ServiceError(
                .refused,
                "there is no parameter \(parameter.name) here.",
                advice: "There is \(names.joined(separator: ", "))."
            )
        }
    }

    func flag(_ name: String) throws -> Bool {
        switch self[name] {
        case nil, "false": return false
        case "true", "": return true
        case .some(let other):
            throw ServiceError(.refused, "\(name) is true or false, not \(other).")
        }
    }

    func number(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = self[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw ServiceError(
                .refused,
                "\(name) is a number from \(range.lowerBound) to \(range.upperBound), not \(text)."
            )
        }
        return value
    }
}
