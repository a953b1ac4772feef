import ArgumentParser
import Client
import Glibc
import Synchronization

/// `sluice capture`: frames as pcapng.
struct CaptureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Copies frames out of a running switch as pcapng, to a file or a pipe, until interrupted.",
        discussion: """
            Without a choice, everything that enters or leaves any port is captured. Dropped frames carry their reason \
            as a comment. What the reader does not take in time is left out; the switch never waits.

              sluice capture --port red/web -w web.pcapng
              sluice capture --drops -c 10 -w drops.pcapng
              sluice capture --network red/app | wireshark -k -i -
            """
    )

    @Option(help: "Only what enters or leaves this port, as TENANT/PORT, or a provider network or tunnel socket.")
    var port: String?

    @Option(
        help:
            "Only the frames of this network, each once, as TENANT/NETWORK, or the packets of a router's tunnel, TENANT/ROUTER/TUNNEL."
    )
    var network: String?

    @Flag(help: "Only dropped frames; with --port those that came in there.")
    var drops = false

    @Option(
        name: [.customShort("w"), .long],
        help: "The file to write, or - for standard output, which is the default."
    )
    var write: String?

    @Option(name: [.customShort("c"), .long], help: "Stop after so many frames.")
    var count: Int?

    @Option(help: "Keep at most so many bytes of a frame.")
    var snaplen: Int?

    @OptionGroup var target: SwitchOptions

    mutating func validate() throws {
        if network != nil, port != nil || drops {
            throw ValidationError("--network stands alone; only --port and --drops go together.")
        }
        if let count, count < 1 { throw ValidationError("--count is 1 or more.") }
        if write ?? "-" == "-", Output.isTerminal {
            throw ValidationError("pcapng is not for a screen: write it to a file with -w FILE, or into a pipe.")
        }
    }

    func run() async throws {
        let client = try target.client()
        let sink = try Sink(path: write ?? "-")
        var query: [(String, String)] = []
        if let port { query.append(("port", port)) }
        if let network { query.append(("network", network)) }
        if drops { query.append(("drops", "true")) }
        if let snaplen { query.append(("snaplen", "\(snaplen)")) }
        let most = count ?? .max
        let total = Mutex(0)
        let questions = query
        do {
            try await untilInterrupted {
                var splitter = PcapNGSplitter()
                try await client.stream("/v1/capture", questions) { piece in
                    let seen = total.withLock { $0 }
                    let blocks = try splitter.take(piece.readableBytesView, limit: most - seen)
                    guard sink.write(blocks.bytes) else { return false }
                    total.withLock { $0 += blocks.packets }
                    return seen + blocks.packets < most
                }
            }
        } catch is CancellationError {
            // Interrupted: what was written ends with a whole block.
        } catch is PcapNGSplitter.NotPcapNG {
            throw ClientError.broken(socket: client.socket.path, reason: "this is not pcapng")
        } catch ClientError.broken where total.withLock({ $0 }) > 0 {
            Output.complain("sluice: the switch ended the capture")
        }
        let packets = total.withLock { $0 }
        Output.complain("\(packets == 1 ? "1 frame" : "\(packets) frames") captured.")
    }
}

/// Where a capture goes. Written at once, so that a reader sees frames as they come.
private final class Sink: Sendable {
    private let descriptor: Int32

    init(path: String) throws {
        // A reader that closes its pipe ends the capture; it does not kill it.
        signal(SIGPIPE, SIG_IGN)
        guard path != "-" else {
            descriptor = STDOUT_FILENO
            return
        }
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CommandFailure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { if descriptor != STDOUT_FILENO { close(descriptor) } }

    /// False when nobody takes it any more.
    func write(_ bytes: [UInt8]) -> Bool { bytes.isEmpty || Output.write(bytes, to: descriptor) }
}
