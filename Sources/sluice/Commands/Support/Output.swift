import Foundation
import Glibc
import Model

/// Standard output and standard error, and what they can show.
enum Output {
    /// Whether standard output is somebody's screen.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Colours only where somebody sees them and nobody objects (https://no-color.org).
    static var style: Style {
        let environment = ProcessInfo.processInfo.environment
        let objects = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        return Style(isColoured: isTerminal && !objects)
    }

    /// Lines that the terminal shows, or a usual number.
    static var rows: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return 40 }
        return Int(size.ws_row)
    }

    /// Writes to standard output, with a newline. When nobody reads any more, the command has nothing left to do.
    static func show(_ text: String) {
        if !write("\(text)\n".utf8, to: STDOUT_FILENO) { exit(1) }
    }

    /// Writes to standard error, with a newline.
    static func complain(_ text: String) { write("\(text)\n".utf8, to: STDERR_FILENO) }

    /// Says what is allowed and probably not meant, in the form of a mistake.
    static func warn(_ problem: Problem) {
        var warning = problem
        warning.message = "warning: \(problem.message)"
        complain(warning.description)
    }

    /// Writes all of it; false when nobody reads any more.
    @discardableResult
    static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
        let bytes = Array(bytes)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    /// Shows a text again and again at the top of the screen, or one after the other where there is none.
    static func redraw(_ text: String) {
        show(isTerminal ? "\u{1B}[H\u{1B}[2J\(text)" : text)
    }
}

/// Emphasis for a screen.
struct Style: Sendable {
    var isColoured: Bool

    static let plain = Style(isColoured: false)

    func bold(_ text: String) -> String { isColoured ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
    func faint(_ text: String) -> String { isColoured ? "\u{1B}[2m\(text)\u{1B}[0m" : text }
    func good(_ text: String) -> String { isColoured ? "\u{1B}[32m\(text)\u{1B}[0m" : text }
    func bad(_ text: String) -> String { isColoured ? "\u{1B}[31m\(text)\u{1B}[0m" : text }

    /// The state of an endpoint.
    func state(_ text: String) -> String { text == "up" ? good(text) : bad(text) }
}
