import Model

/// Why a switch did not do what it was asked, as a sentence for the person who asked.
public enum ClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody answers. `host` is the name that was asked for, if there was one.
    case notRunning(host: String?, socket: String)
    /// Somebody may answer, but not to this user.
    case forbidden(socket: String)
    /// The switch answered that it cannot.
    case refused(status: Int, message: String, advice: String)
    /// The file is wrong.
    case problems([Problem])
    /// So many others ask at the same time that the switch takes no more.
    case busy(socket: String)
    /// No answer in time.
    case silent(socket: String, seconds: Int)
    /// The answer broke off or made no sense.
    case broken(socket: String, reason: String)
    /// No socket was named, and the directory holds none or several.
    case noSwitch(base: String)
    case severalSwitches(base: String, found: [String])

    public var description: String {
        switch self {
        case .notRunning(let host, let socket):
            let who = host.map { "for host \($0) " } ?? ""
            return "no switch is running \(who)(socket \(socket)): start one with "
                + "`sluice run --host \(host ?? "NAME") --config FILE`, or a lab with `sluice lab up FILE`"
        case .forbidden(let socket):
            return "the control socket \(socket) is not yours: run this as the user who runs the switch, usually root"
        case .refused(_, let message, let advice):
            let sentence = message.hasSuffix(".") ? String(message.dropLast()) : message
            return advice.isEmpty ? sentence : "\(sentence). \(advice)"
        case .problems(let problems):
            return problems.map(\.description).joined(separator: "\n")
        case .busy(let socket):
            return "the switch at \(socket) has too many clients at this moment: try again, or end some of them"
        case .silent(let socket, let seconds):
            return "the switch at \(socket) has not answered for \(seconds) s: its log should say why; frames flow all "
                + "the same, and `sluice run` started again takes over"
        case .broken(let socket, let reason):
            return "the answer of \(socket) makes no sense (\(reason)): are the switch and this command of one version?"
        case .noSwitch(let base):
            return
                "no switch is running under \(base): start one with `sluice run --host NAME --config FILE`, or a lab "
                + "with `sluice lab up FILE`"
        case .severalSwitches(let base, let found):
            return "several switches are running under \(base): say which one with --host NAME or --socket PATH\n"
                + found.map { "  \($0)" }.joined(separator: "\n")
        }
    }
}
