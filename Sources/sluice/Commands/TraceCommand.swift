import ArgumentParser
import Client
import Control

/// `sluice trace`: what would become of a frame.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Walks a frame through the live tables and says what becomes of it, and why.",
        discussion: """
            The frame is decided on by the very functions that forward, with the addresses learned right now; nothing is \
            learned, counted or sent. A frame is written as words, as hexadecimal bytes from the destination MAC on, or \
            as @FILE (bytes as they are, or the first frame of a pcap or pcapng file; @FILE#3 takes the third).

            Words: src= dst= (MACs; at an access port src may be left out, and dst where a router knows the address or \
            routes there) · vlan= svlan= (ids, outermost first) · type=ipv4|ipv6|arp|nd|NUMBER · from= to= or ip=FROM>TO · \
            proto=NUMBER|tcp|udp|icmp|… · sport= dport= · icmp=echo-request|echo-reply|TYPE[/CODE] · ttl= tos= · \
            length= (payload bytes). PROTOCOL FROM > TO says the same as proto=PROTOCOL ip=FROM>TO. Out of a router's \
            tunnel comes a packet: without MACs, or hexadecimal bytes from the IP header on.

              sluice trace --in red/web 'icmp 10.0.0.11 > 10.0.1.12'
              sluice trace --in red/gw/branch 'tcp 10.9.0.1 > 10.0.0.11' dport=80
              sluice trace --in red/web dst=02:00:00:00:00:12 type=0x88cc
              sluice trace --in red/fw vlan=10 src=02:00:00:00:00:01 from=10.0.0.11 to=224.0.0.5 proto=89
              sluice trace --in red/web type=arp from=10.0.0.11 to=10.0.0.12
              sluice trace --from-vtep 192.0.2.2 --vni 5001 @frame.pcapng
            """
    )

    @Option(
        name: .customLong("in"),
        help: "Where the frame comes in: TENANT/PORT, a provider network, or a tunnel, TENANT/ROUTER/TUNNEL."
    )
    var port: String?

    @Option(help: "The remote VTEP out of whose tunnel the frame comes, instead of a port.")
    var fromVtep: String?

    @Option(help: "The VXLAN network identifier it comes with.")
    var vni: UInt32?

    @Option(help: "The GRE key it comes with.")
    var key: UInt32?

    @Flag(help: "Print the result as JSON, with the bytes that would leave.")
    var json = false

    @Argument(help: "The frame.")
    var frame: [String]

    @OptionGroup var target: SwitchOptions

    mutating func validate() throws {
        switch (port, fromVtep) {
        case (nil, nil): throw ValidationError("Say where the frame comes in: --in PORT, or --from-vtep ADDRESS.")
        case (_?, _?): throw ValidationError("A frame comes in at a port or out of a tunnel: --in or --from-vtep.")
        case (_?, nil) where vni != nil || key != nil:
            throw ValidationError("--vni and --key go with --from-vtep.")
        case (nil, _?) where (vni == nil) == (key == nil):
            throw ValidationError("A frame out of a tunnel needs --vni or --key.")
        default: break
        }
    }

    func run() async throws {
        var text = frame.joined(separator: " ")
        if text.hasPrefix("@") { text = try FrameFile.hex(String(text.dropFirst())) }
        let request =
            if let port { TraceRequest(port: port, frame: text) } else {
                TraceRequest(vtep: fromVtep ?? "", vni: vni, key: key, frame: text)
            }
        let view = try await target.client().post("/v1/trace", json: request, as: TraceView.self)
        Output.show(json ? try JSONText.of(view) : Self.text(view, Output.style))
    }

    /// One line a stage; then where each copy goes, as it arrives there, or why it does not.
    static func text(_ view: TraceView, _ style: Style) -> String {
        let stages = [("frame", view.summary)] + view.lines.map { ($0.stage, $0.text) }
        let width = stages.map(\.0.count).max() ?? 0
        var lines = stages.map { stage, text in
            let isBad = stage == "verdict" && view.verdict == "drop" && view.outputs.isEmpty
            return style.faint(stage + String(repeating: " ", count: width - stage.count)) + "  "
                + (isBad ? style.bad(text) : text)
        }
        if let answer = view.answer, answer.reason == nil {
            lines.append(style.good("back to \(place(answer))") + ": \(answer.summary)")
        }
        for output in view.outputs {
            let place = place(output)
            if let reason = output.reason {
                lines.append(style.bad("not to \(place)") + ": \(reason). \(output.sentence ?? "")")
            } else {
                lines.append(style.good("to \(place)") + ": \(output.summary)")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Where a copy goes.
    private static func place(_ output: TraceView.Output) -> String {
        guard let peer = output.peer else { return "\(output.kind.rawValue) \(output.endpoint)" }
        return (output.tunnel.map { "tunnel \($0) to \(peer)" } ?? "vtep \(peer)") + " by \(output.endpoint)"
    }
}
