import Control

/// Views as tables for people.
enum ShowText {
    static func status(_ view: StatusView, _ style: Style) -> String {
        let process = view.process
        var table = TextTable(.text(""), .text(" "))
        table.add("host", process.host)
        table.add("version", process.version)
        table.add("file", process.config)
        table.add("control", "process \(process.controlPID), up \(Amounts.duration(process.uptime))")
        if let pid = process.datapathPID {
            let up = process.datapathUptime.map { ", up \(Amounts.duration($0))" } ?? ""
            let workers = plural(process.workers, "worker")
            table.add("datapath", "process \(pid), \(workers)\(up), started again \(times(process.datapathRestarts))")
        } else {
            table.add("datapath", style.bad("not running"))
        }
        let behind =
            view.generation == view.appliedGeneration ? "" : ", the datapath forwards by \(view.appliedGeneration)"
        table.add("generation", "\(view.generation)\(behind)")
        table.add("endpoints", "\(view.endpoints.up) of \(view.endpoints.total) up")
        table.add("networks", "\(view.networks) for \(plural(view.tenants, "tenant"))")
        if view.routers > 0 { table.add("routers", "\(view.routers)") }
        table.add("remote VTEPs", "\(view.peers)")
        table.add("learned", plural(view.learned, "address", "addresses"))
        table.add("drops", "\(view.drops)")
        // Without a heading: the first column says it.
        let lines = table.render().split(separator: "\n", omittingEmptySubsequences: false).dropFirst().map(String.init)
        return (lines + view.troubles.map { style.bad("! \($0)") }).joined(separator: "\n")
    }

    static func endpoints(_ views: [EndpointView], _ style: Style) -> String {
        guard !views.isEmpty else { return "There are none on this host." }
        var table = TextTable(
            .text("NAME"),
            .text("NETWORK"),
            .text("STATE"),
            .text("DEVICE"),
            .text("MAC"),
            .number("MTU"),
            .text("ADDRESSES"),
            .number("RX FRAMES"),
            .number("RX BYTES"),
            .number("TX FRAMES"),
            .number("TX BYTES"),
            .number("DROPS")
        )
        table.emphasise("STATE") { $0.state($1) }
        for view in views {
            table.add(
                view.name,
                memberships(view),
                view.state,
                view.device,
                view.mac ?? "",
                "\(view.mtu)",
                view.addresses.joined(separator: " "),
                Amounts.short(view.received.frames),
                Amounts.bytes(view.received.bytes),
                Amounts.short(view.sent.frames),
                Amounts.bytes(view.sent.bytes),
                Amounts.short(view.drops)
            )
        }
        let notes = views.filter { !$0.detail.isEmpty }.map { style.bad("! \($0.name): \($0.detail)") }
        return ([table.render(style)] + notes).joined(separator: "\n")
    }

    /// `app 10:data`: networks by the tag that leads to them, without the tenant where all have the same.
    static func memberships(_ view: EndpointView) -> String {
        let shown = view.networks.prefix(4).map { member in
            let name = member.network
            let prefix = view.tenant.map { "\($0)/" } ?? ""
            let short = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
            guard let vlan = member.vlan else { return short }
            return "\(vlan)\(member.tag == "802.1ad" ? "s" : ""):\(short)"
        }
        let more = view.networks.count - shown.count
        return (shown + (more > 0 ? ["+\(more)"] : [])).joined(separator: " ")
    }

    static func networks(_ views: [NetworkView], _ style: Style) -> String {
        guard !views.isEmpty else { return "There are no networks on this host." }
        var table = TextTable(
            .text("NETWORK"),
            .text("SEGMENT"),
            .number("MTU"),
            .number("PORTS"),
            .text("REMOTE VTEPS"),
            .number("LEARNED"),
            .number("LIMIT"),
            .number("DROPS"),
            .text("OPTIONS")
        )
        for view in views {
            let peers = view.peers.prefix(3).joined(separator: " ")
            table.add(
                view.name,
                segment(view),
                "\(view.mtu)",
                "\(view.ports.count)",
                peers + (view.peers.count > 3 ? " +\(view.peers.count - 3)" : ""),
                "\(view.learned)",
                view.macLimit.map(String.init) ?? "",
                Amounts.short(view.drops),
                options(view).joined(separator: " ")
            )
        }
        return table.render(style)
    }

    /// `vxlan 5001`, `vlan 100 on physnet1`.
    static func segment(_ view: NetworkView) -> String {
        view.kind.rawValue + (view.id.map { " \($0)" } ?? "") + (view.provider.map { " on \($0)" } ?? "")
    }

    /// What differs from the defaults.
    private static func options(_ view: NetworkView) -> [String] {
        var options: [String] = []
        if !view.learning { options.append("learning:off") }
        if view.macAge != 300 { options.append("macAge:\(view.macAge)") }
        if view.unknownUnicast != "flood" { options.append("unknownUnicast:\(view.unknownUnicast)") }
        if view.vlanTransparent { options.append("vlanTransparent") }
        if view.linkLocal != "drop" { options.append("linkLocal:\(view.linkLocal)") }
        return options
    }

    static func fdb(_ view: FDBView, _ style: Style) -> String {
        guard !view.entries.isEmpty else { return "No address is known." }
        var table = TextTable(.text("NETWORK"), .text("MAC"), .text("WHERE"), .text("SOURCE"), .number("AGE"))
        for entry in view.entries {
            let place =
                entry.peer.map { "vtep \($0)" } ?? entry.router.map { "router \($0)" }
                ?? (entry.port ?? "") + (entry.vlan.map { " vlan \($0)" } ?? "")
            table.add(entry.network, entry.mac, place, entry.source.rawValue, entry.age.map { "\($0) s" } ?? "")
        }
        let hidden = view.total - view.entries.count
        let note = hidden > 0 ? ["… and \(hidden) more; --limit 0 shows all, --network those of one network."] : []
        return ([table.render(style)] + note).joined(separator: "\n")
    }

    static func counters(_ view: CountersView, _ style: Style) -> String {
        var table = TextTable(
            .text("NAME"),
            .number("RX FRAMES"),
            .number("RX BYTES"),
            .number("RX SUPER"),
            .number("RX FAILED"),
            .number("TX FRAMES"),
            .number("TX BYTES"),
            .number("TX SUPER"),
            .number("TX FAILED"),
            .number("DROPS")
        )
        for endpoint in view.endpoints {
            let (received, sent) = (endpoint.received, endpoint.sent)
            table.add(
                endpoint.name,
                "\(received.frames)",
                "\(received.bytes)",
                "\(received.superFrames ?? 0)",
                "\(received.failures ?? 0)",
                "\(sent.frames)",
                "\(sent.bytes)",
                "\(sent.superFrames ?? 0)",
                "\(sent.failures ?? 0)",
                "\(endpoint.drops)"
            )
        }
        var events = TextTable(.text("EVENT"), .number("COUNT"), .text("MEANING"))
        for event in view.events where event.count > 0 { events.add(event.name, "\(event.count)", event.sentence) }
        return [
            table.isEmpty ? "There are no endpoints." : table.render(style),
            events.isEmpty ? nil : events.render(style),
        ]
        .compactMap { $0 }.joined(separator: "\n\n")
    }

    static func drops(_ view: DropsView, _ style: Style) -> String {
        guard !view.endpoints.isEmpty || !view.networks.isEmpty else { return "Nothing was dropped." }
        let tables = [("PORT", view.endpoints), ("NETWORK", view.networks)].filter { !$0.1.isEmpty }
        return tables.map { title, rows in
            var table = TextTable(.text(title), .text("REASON"), .number("COUNT"), .text("MEANING"))
            for row in rows { table.add(row.name, row.reason, "\(row.count)", row.sentence) }
            return table.render(style)
        }.joined(separator: "\n\n")
    }

    static func plural(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(count) \(count == 1 ? one : many ?? one + "s")"
    }

    private static func times(_ count: Int) -> String {
        switch count {
        case 0: "never"
        case 1: "once"
        default: "\(count) times"
        }
    }
}
