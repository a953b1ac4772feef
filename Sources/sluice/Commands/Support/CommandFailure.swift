/// Why a command could not do what it was asked, as a sentence that says what to do. Exit code 1.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
