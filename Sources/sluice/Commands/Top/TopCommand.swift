import ArgumentParser
import Client
import Control

/// `sluice top`: who moves how much right now.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows live rates by tenant and port, the busiest first.",
        discussion: """
            RX is what a port sends into the switch, TX what the switch sends to it.

              sluice top
              sluice top --once --json
            """
    )

    @Option(help: "Seconds between two looks.")
    var interval = 1.0

    @Flag(help: "Look twice, print the rates between, and end.")
    var once = false

    @Flag(help: "Print JSON, one line a look.")
    var json = false

    @OptionGroup var target: SwitchOptions

    mutating func validate() throws {
        guard (0.1...3600).contains(interval) else { throw ValidationError("--interval is from 0.1 to 3600 seconds.") }
    }

    func run() async throws {
        let client = try target.client()
        let clock = ContinuousClock()
        var earlier = try await client.get("/v1/overview", as: OverviewView.self)
        var then = clock.now
        repeat {
            try await Task.sleep(for: .seconds(interval))
            let later = try await client.get("/v1/overview", as: OverviewView.self)
            let now = clock.now
            let rates = Rates(from: earlier, to: later, seconds: (now - then) / .seconds(1))
            if json {
                Output.show(try JSONText.of(rates))
            } else {
                let rows = once ? Int.max : Output.rows
                let text = Self.text(rates, later.status, rows: rows, Output.style)
                if once { Output.show(text) } else { Output.redraw(text) }
            }
            (earlier, then) = (later, now)
        } while !once
    }

    /// Fits a screen of so many lines: ports that move nothing give way first.
    static func text(_ rates: Rates, _ status: StatusView, rows: Int, _ style: Style) -> String {
        let heading =
            "\(style.bold(status.process.host))  up \(Amounts.duration(status.process.uptime)), "
            + "\(status.endpoints.up) of \(status.endpoints.total) endpoints up"
        var sections = [heading]
        var room = max(3, rows - 12)
        for (title, list) in [("TENANT", rates.tenants), ("UPLINK", rates.uplinks), ("PORT", rates.ports)]
        where !list.isEmpty {
            let shown = list.prefix(max(3, room))
            room -= shown.count
            let hidden = list.count - shown.count
            sections.append(
                table(title, Array(shown)).render(style)
                    + (hidden > 0 ? "\n" + style.faint("… and \(hidden) more") : "")
            )
        }
        return sections.joined(separator: "\n\n")
    }

    private static func table(_ title: String, _ rows: [Rates.Row]) -> TextTable {
        var table = TextTable(
            .text(title),
            .number("RX frame/s"),
            .number("RX bit/s"),
            .number("TX frame/s"),
            .number("TX bit/s"),
            .number("DROP/s")
        )
        for row in rows {
            table.add(
                row.name,
                Amounts.short(row.receivedFrames.rounded()),
                Amounts.short(row.receivedBits.rounded()),
                Amounts.short(row.sentFrames.rounded()),
                Amounts.short(row.sentBits.rounded()),
                Amounts.short(row.drops.rounded())
            )
        }
        return table
    }
}
