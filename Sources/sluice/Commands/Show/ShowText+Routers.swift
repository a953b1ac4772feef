import Control

// What there is to see of routers.

extension ShowText {
    static func routers(_ views: [RouterView], _ style: Style) -> String {
        guard !views.isEmpty else { return "There are no routers on this host." }
        var routers = TextTable(
            .text("ROUTER"),
            .text("MAC"),
            .text("HOSTS"),
            .text("ANSWERS"),
            .number("ROUTES"),
            .text("REVERSE PATH"),
            .number("DROPS")
        )
        var interfaces = TextTable(.text("ROUTER"), .text("INTERFACE"), .text("ADDRESSES"), .number("MTU"))
        for view in views {
            routers.add(
                view.name,
                view.mac,
                few(view.hosts),
                view.designated ? "here" : view.hostMAC.map { "elsewhere, sends as \($0)" } ?? "elsewhere",
                "\(view.routes)",
                view.reversePath,
                "\(view.drops)"
            )
            for interface in view.interfaces {
                interfaces.add(
                    view.name,
                    (interface.isTunnel ? "tunnel " : "") + interface.name,
                    interface.addresses.joined(separator: " "),
                    "\(interface.mtu)"
                )
            }
        }
        return [routers, interfaces].filter { !$0.isEmpty }.map { $0.render(style) }.joined(separator: "\n\n")
    }

    static func routes(_ view: RoutesView, _ style: Style) -> String {
        guard !view.routes.isEmpty else { return "There are no routes." }
        var table = TextTable(.text("ROUTER"), .text("PREFIX"), .text("KIND"), .text("WAY"))
        for route in view.routes {
            let ways = route.hops.map(Self.way)
            // Each of several ways has a line of its own.
            table.add(route.router, route.prefix, route.kind.rawValue, ways.first ?? "")
            for way in ways.dropFirst() { table.add("", "", "", way) }
        }
        let hidden = view.total - view.routes.count
        let note = hidden > 0 ? ["… and \(hidden) more; --limit 0 shows all, --router those of one router."] : []
        return ([table.render(style)] + note).joined(separator: "\n")
    }

    private static func way(_ hop: RoutesView.Hop) -> String {
        let network = hop.network ?? ""
        let tunnel = hop.tunnel ?? ""
        return switch hop.kind {
        case .local: "the router itself (\(network))"
        case .connected: "in \(network)"
        case .gateway: "via \(hop.gateway ?? "") in \(network)"
        case .tunnel: "tunnel \(tunnel) to \(hop.remote ?? "")"
        case .redirect: "tunnel \(tunnel) of host \(hop.host ?? "")"
        case .unreachable: tunnel.isEmpty ? "no way from this host" : "tunnel \(tunnel), no way from this host"
        }
    }

    static func neighbors(_ view: NeighborsView, _ style: Style) -> String {
        guard !view.entries.isEmpty else { return "No address is known." }
        var table = TextTable(
            .text("NETWORK"),
            .text("ADDRESS"),
            .text("MAC"),
            .text("STATE"),
            .number("AGE"),
            .text("WHERE")
        )
        for entry in view.entries {
            table.add(
                entry.network,
                entry.address,
                entry.mac ?? "",
                entry.state.rawValue,
                entry.age.map { "\($0) s" } ?? "",
                entry.router.map { "router \($0)" } ?? entry.peer.map { "vtep \($0)" } ?? entry.port ?? ""
            )
        }
        let hidden = view.total - view.entries.count
        let note = hidden > 0 ? ["… and \(hidden) more; --limit 0 shows all, --network those of one network."] : []
        return ([table.render(style)] + note).joined(separator: "\n")
    }

    static func tunnels(_ views: [TunnelView], _ style: Style) -> String {
        guard !views.isEmpty else { return "This host has no tunnels." }
        var peers = TextTable(
            .text("REMOTE VTEP"),
            .text("NAME"),
            .text("BY"),
            .text("NETWORKS"),
            .number("PATH MTU"),
            .number("RX FRAMES"),
            .number("RX BYTES"),
            .number("TX FRAMES"),
            .number("TX BYTES")
        )
        var routed = TextTable(
            .text("ROUTER TUNNEL"),
            .text("BY"),
            .text("LOCAL"),
            .text("REMOTE"),
            .number("KEY"),
            .text("ADDRESSES"),
            .number("MTU"),
            .number("PATH MTU"),
            .number("RX FRAMES"),
            .number("RX BYTES"),
            .number("TX FRAMES"),
            .number("TX BYTES"),
            .number("DROPS")
        )
        for view in views {
            let traffic = [
                Amounts.short(view.received.frames), Amounts.bytes(view.received.bytes),
                Amounts.short(view.sent.frames), Amounts.bytes(view.sent.bytes),
            ]
            if view.router != nil {
                routed.add(
                    [
                        view.name, view.kinds.joined(separator: " ") + (view.checksum == true ? " checksum" : ""),
                        view.local ?? "", view.peer, view.key.map(String.init) ?? "",
                        (view.addresses ?? []).joined(separator: " "), view.mtu.map(String.init) ?? "", pathMTU(view),
                    ] + traffic + ["\(view.drops ?? 0)"]
                )
            } else {
                peers.add(
                    [
                        view.peer, view.name == view.peer ? "" : view.name, view.kinds.joined(separator: " "),
                        few(view.networks), pathMTU(view),
                    ] + traffic
                )
            }
        }
        return [peers, routed].filter { !$0.isEmpty }.map { $0.render(style) }.joined(separator: "\n\n")
    }

    /// `1500`, or `1400 (learned)` where the underlay said so.
    private static func pathMTU(_ view: TunnelView) -> String {
        view.learnedPathMTU.map { "\($0) (learned)" } ?? view.pathMTU.map(String.init) ?? ""
    }

    private static func few(_ names: [String]) -> String {
        names.prefix(4).joined(separator: " ") + (names.count > 4 ? " +\(names.count - 4)" : "")
    }
}
