import ArgumentParser
import Foundation
import Model
import Testing

@testable import Control
@testable import sluice

/// What commands print, from views as the API sends them.
@Suite struct CommandTextTests {
    static let overview = """
        {"networks": [
            {"drops": 2, "id": 5001, "kind": "vxlan", "learned": 1, "learning": true, "linkLocal": "drop", "macAge": 60,
             "mtu": 1450, "name": "red/app", "peers": ["192.0.2.2"], "ports": ["red/fw", "red/web"], "routers": [],
             "tenant": "red", "unknownUnicast": "drop", "vlanTransparent": false},
            {"drops": 0, "id": 100, "kind": "vlan", "learned": 0, "learning": true, "linkLocal": "drop", "macAge": 300,
             "macLimit": 8, "mtu": 1500, "name": "red/lan", "peers": [], "ports": ["red/fw"], "provider": "physnet1",
             "routers": [], "tenant": "red", "unknownUnicast": "flood", "vlanTransparent": true}],
         "ports": [
            {"addresses": [], "detail": "eth3 does not exist; it is taken up as soon as it does", "device": "device eth3",
             "drops": 0, "kind": "port", "learned": 0, "mtu": 1450, "name": "red/fw",
             "networks": [{"network": "red/app"}, {"network": "red/lan", "tag": "802.1Q", "vlan": 20}],
             "received": {"bytes": 0, "frames": 0}, "sent": {"bytes": 0, "frames": 0}, "state": "missing", "tenant": "red"},
            {"addresses": ["10.0.0.11/24"], "detail": "", "device": "tap eth0 netns red-web", "drops": 2, "kind": "port",
             "learned": 1, "mac": "02:00:00:00:00:11", "mtu": 1450, "name": "red/web", "namespace": "red-web",
             "networks": [{"network": "red/app"}], "received": {"bytes": 1536, "frames": 12},
             "sent": {"bytes": 100, "frames": 1}, "state": "up", "tenant": "red"}],
         "routers": [],
         "status": {"appliedGeneration": 7, "drops": 2, "endpoints": {"total": 3, "up": 2}, "generation": 7, "learned": 1,
            "networks": 2, "peers": 1, "routers": 0, "tenants": 1,
            "process": {"config": "cloud.yaml", "controlPID": 10, "datapathPID": 11, "datapathRestarts": 0, "workers": 2,
                "datapathUptime": 61, "host": "h1", "uptime": 3661, "version": "0.1.0"},
            "troubles": ["port red/fw: eth3 does not exist; it is taken up as soon as it does"]},
         "tunnels": [
            {"kinds": ["vxlan"], "name": "192.0.2.2", "networks": ["red/app"], "peer": "192.0.2.2",
             "received": {"bytes": 0, "frames": 0}, "sent": {"bytes": 50, "frames": 1}}],
         "uplinks": [
            {"addresses": [], "detail": "", "device": "socket", "drops": 0, "kind": "vxlan", "learned": 0, "mtu": 1500,
             "name": "vxlan 192.0.2.1:4789", "networks": [{"network": "red/app"}],
             "received": {"bytes": 0, "frames": 0}, "sent": {"bytes": 0, "frames": 0}, "state": "up"}]}
        """

    private func view(_ text: String = overview) throws -> OverviewView {
        try JSONDecoder().decode(OverviewView.self, from: Data(text.utf8))
    }

    @Test func theTree() throws {
        #expect(
            OverviewText(try view(), .plain).render() == """
                h1  up 1 h 1 min, datapath up, 2 of 3 endpoints up, 2 drops, generation 7
                ├─ red
                │  ├─ network app  vxlan 5001, mtu 1450, 1 learned, 2 drops
                │  │  ├─ port fw  missing  device eth3
                │  │  ├─ port web  up  tap eth0 netns red-web, 02:00:00:00:00:11, 10.0.0.11/24
                │  │  └─ vtep 192.0.2.2
                │  └─ network lan  vlan 100 on physnet1, mtu 1500
                │     └─ port fw  missing  vlan 20, device eth3
                ├─ uplinks
                │  └─ vxlan 192.0.2.1:4789  up  socket, 1 network
                └─ remote VTEPs
                   └─ 192.0.2.2  vxlan, 1 network
                ! port red/fw: eth3 does not exist; it is taken up as soon as it does
                """
        )
    }

    @Test func tables() throws {
        let view = try view()
        #expect(
            ShowText.endpoints(view.ports, .plain) == """
                NAME     NETWORK     STATE    DEVICE                  MAC                 MTU  ADDRESSES     RX FRAMES  RX BYTES  TX FRAMES  TX BYTES  DROPS
                red/fw   app 20:lan  missing  device eth3                                1450                        0       0 B          0       0 B      0
                red/web  app         up       tap eth0 netns red-web  02:00:00:00:00:11  1450  10.0.0.11/24         12   1.5 KiB          1     100 B      2
                ! red/fw: eth3 does not exist; it is taken up as soon as it does
                """
        )
        #expect(
            ShowText.networks(view.networks, .plain) == """
                NETWORK  SEGMENT                MTU  PORTS  REMOTE VTEPS  LEARNED  LIMIT  DROPS  OPTIONS
                red/app  vxlan 5001            1450      2  192.0.2.2           1             2  macAge:60 unknownUnicast:drop
                red/lan  vlan 100 on physnet1  1500      1                      0      8      0  vlanTransparent
                """
        )
        #expect(ShowText.tunnels(view.tunnels, .plain).contains("192.0.2.2    vxlan  red/app"))
        let status = ShowText.status(view.status, .plain)
        #expect(status.contains("process 11, 2 workers, up 1 min 1 s, started again never"))
        #expect(status.contains("2 of 3 up"))
        #expect(status.hasSuffix("! port red/fw: eth3 does not exist; it is taken up as soon as it does"))
    }

    @Test func routersAndTheirTables() throws {
        let routers = """
            [{"name": "red/gw", "tenant": "red", "mac": "02:00:00:00:00:01", "designated": false,
              "hostMAC": "02:00:00:00:00:99", "reversePath": "strict", "hosts": ["h1", "h2"], "routes": 3, "drops": 1,
              "interfaces": [{"name": "app", "isTunnel": false, "addresses": ["10.0.0.1/24", "fd00::1/64"], "mtu": 1450},
                             {"name": "branch", "isTunnel": true, "addresses": [], "mtu": 1480}]}]
            """
        let tunnels = """
            [{"peer": "192.0.2.2", "name": "h2", "kinds": ["vxlan"], "networks": ["red/app"], "pathMTU": 1500,
              "received": {"bytes": 0, "frames": 0}, "sent": {"bytes": 50, "frames": 1}},
             {"peer": "198.51.100.7", "name": "red/gw/branch", "kinds": ["gre"], "networks": [], "pathMTU": 1500,
              "learnedPathMTU": 1400, "learnedAge": 3, "router": "red/gw", "local": "192.0.2.1", "key": 9,
              "checksum": true, "mtu": 1468, "addresses": ["10.255.0.1/30"], "drops": 4,
              "received": {"bytes": 0, "frames": 0}, "sent": {"bytes": 0, "frames": 0}}]
            """
        let decoder = JSONDecoder()
        #expect(
            ShowText.routers(try decoder.decode([RouterView].self, from: Data(routers.utf8)), .plain) == """
                ROUTER  MAC                HOSTS  ANSWERS                                ROUTES  REVERSE PATH  DROPS
                red/gw  02:00:00:00:00:01  h1 h2  elsewhere, sends as 02:00:00:00:00:99       3  strict            1

                ROUTER  INTERFACE      ADDRESSES                MTU
                red/gw  app            10.0.0.1/24 fd00::1/64  1450
                red/gw  tunnel branch                          1480
                """
        )
        #expect(
            ShowText.tunnels(try decoder.decode([TunnelView].self, from: Data(tunnels.utf8)), .plain) == """
                REMOTE VTEP  NAME  BY     NETWORKS  PATH MTU  RX FRAMES  RX BYTES  TX FRAMES  TX BYTES
                192.0.2.2    h2    vxlan  red/app       1500          0       0 B          1      50 B

                ROUTER TUNNEL  BY            LOCAL      REMOTE        KEY  ADDRESSES       MTU        PATH MTU  RX FRAMES  RX BYTES  TX FRAMES  TX BYTES  DROPS
                red/gw/branch  gre checksum  192.0.2.1  198.51.100.7    9  10.255.0.1/30  1468  1400 (learned)          0       0 B          0       0 B      4
                """
        )
        let routes = RoutesView(
            routes: [
                .init(
                    router: "red/gw",
                    prefix: "10.9.0.0/16",
                    kind: .static,
                    hops: [
                        .init(kind: .gateway, gateway: "10.0.0.2", network: "app"),
                        .init(kind: .redirect, tunnel: "branch", host: "h2"),
                    ]
                ), .init(router: "red/gw", prefix: "10.8.0.0/16", kind: .blackhole, hops: []),
            ],
            total: 100_000
        )
        #expect(
            ShowText.routes(routes, .plain) == """
                ROUTER  PREFIX       KIND       WAY
                red/gw  10.9.0.0/16  static     via 10.0.0.2 in app
                                                tunnel branch of host h2
                red/gw  10.8.0.0/16  blackhole
                … and 99998 more; --limit 0 shows all, --router those of one router.
                """
        )
        let neighbors = NeighborsView(
            entries: [
                .init(
                    network: "red/app",
                    address: "10.0.0.1",
                    mac: "02:00:00:00:00:01",
                    state: .told,
                    router: "red/gw"
                ),
                .init(network: "red/app", address: "10.0.0.9", state: .incomplete, age: 2),
            ],
            total: 2
        )
        #expect(
            ShowText.neighbors(neighbors, .plain) == """
                NETWORK  ADDRESS   MAC                STATE       AGE  WHERE
                red/app  10.0.0.1  02:00:00:00:00:01  told             router red/gw
                red/app  10.0.0.9                     incomplete  2 s
                """
        )
    }

    @Test func checkTellsEveryPath() throws {
        let topology = try Topology.load(
            text: """
                sluice: 1
                hosts: {h1: {vtep: 192.0.2.1}}
                tenants:
                  red:
                    networks:
                      app: {segment: {type: vxlan, id: 1}, subnets: [10.0.0.0/24]}
                      lan: {segment: {type: local}, subnets: [10.0.1.0/24]}
                    ports:
                      web: {host: h1, network: app, address: 10.0.0.11/24, attach: {netns: red-web}}
                      db: {host: h1, network: lan, address: 10.0.1.11/24, attach: {netns: red-db}}
                    routers:
                      gw:
                        mac: "02:00:00:00:00:01"
                        interfaces: {app: 10.0.0.1/24, lan: 10.0.1.1/24}
                        tunnels: {branch: {type: ipip, host: h1, remote: 198.51.100.7}}
                        routes: [{to: 10.9.0.0/16, via: branch}]
                """,
            file: "test.yaml"
        )
        let report = try CheckReport(topology, underlayMTU: 1500)
        #expect(report.paths.count == 4 && report.routers[0].tunnels[0].mtu == 1480)
        #expect(report.memory[0].ports == 2)
        let text = report.text(.plain)
        #expect(
            text.contains(
                """
                ROUTER  MAC                INTERFACES                       ROUTES  HOSTS
                red/gw  02:00:00:00:00:01  app:10.0.0.1/24 lan:10.0.1.1/24       1  h1

                TUNNEL         BY    HOST  LOCAL      REMOTE         MTU
                red/gw/branch  ipip  h1    192.0.2.1  198.51.100.7  1480

                PATH BY  FROM  TO              MTU  SENDERS
                red/gw   app   lan            1450
                red/gw   app   tunnel branch  1450
                red/gw   lan   app            1450  are told: their network has 1500
                red/gw   lan   tunnel branch  1480  are told: their network has 1500
                """
            )
        )
    }

    @Test func emptyTablesAreSentences() {
        #expect(ShowText.endpoints([], .plain) == "There are none on this host.")
        #expect(ShowText.drops(DropsView(endpoints: [], networks: []), .plain) == "Nothing was dropped.")
        #expect(ShowText.fdb(FDBView(entries: [], total: 0), .plain) == "No address is known.")
        #expect(ShowText.networks([], .plain).hasSuffix("."))
        #expect(ShowText.tunnels([], .plain).hasSuffix("."))
        #expect(ShowText.routers([], .plain).hasSuffix("."))
        #expect(ShowText.routes(RoutesView(routes: [], total: 0), .plain).hasSuffix("."))
        #expect(ShowText.neighbors(NeighborsView(entries: [], total: 0), .plain).hasSuffix("."))
        #expect(ShowText.counters(CountersView(endpoints: [], events: []), .plain).hasSuffix("."))
    }

    @Test func rates() throws {
        let earlier = try view()
        let later = try view(
            Self.overview.replacing("\"bytes\": 1536, \"frames\": 12", with: "\"bytes\": 3536, \"frames\": 22")
                .replacing("\"drops\": 2, \"kind\": \"port\"", with: "\"drops\": 4, \"kind\": \"port\"")
        )
        let rates = Rates(from: earlier, to: later, seconds: 2)
        #expect(rates.ports.map(\.name) == ["red/web", "red/fw"])
        #expect(rates.ports[0].receivedFrames == 5 && rates.ports[0].receivedBits == 8000 && rates.ports[0].drops == 1)
        #expect(rates.tenants.count == 1 && rates.tenants[0].name == "red" && rates.tenants[0].receivedBits == 8000)
        #expect(rates.uplinks.count == 1 && rates.uplinks[0].load == 0)
        // Counters that went back belong to somebody who began anew.
        #expect(Rates(from: later, to: earlier, seconds: 1).ports[0].receivedFrames == 12)
        #expect(Rates(from: earlier, to: later, seconds: 0).ports[0].receivedFrames == 0)
        let text = TopCommand.text(rates, later.status, rows: 24, .plain)
        #expect(text.contains("TENANT  RX frame/s  RX bit/s") && text.contains("8.00k"))
    }

    @Test func traces() {
        let json = """
            {"lines": [{"stage": "classify", "text": "untagged"}], "network": "red/app", "outputs": [
                {"bytes": "00", "endpoint": "red/web", "kind": "port", "summary": "a frame"},
                {"bytes": "", "endpoint": "vxlan 192.0.2.1:4789", "kind": "vxlan", "peer": "192.0.2.2",
                 "reason": "exceedsPathMTU", "sentence": "Too large.", "summary": ""}],
             "summary": "what came in", "verdict": "flood"}
            """
        let view = try? JSONDecoder().decode(TraceView.self, from: Data(json.utf8))
        #expect(
            view.map { TraceCommand.text($0, .plain) } == """
                frame     what came in
                classify  untagged
                to port red/web: a frame
                not to vtep 192.0.2.2 by vxlan 192.0.2.1:4789: exceedsPathMTU. Too large.
                """
        )
    }

    @Test func changes() {
        let json = """
            {"applied": false, "warnings": [], "changes": [
                {"action": "added", "path": "tenants.red", "text": "+ tenants.red"},
                {"action": "changed", "path": "x", "before": "1", "after": "2", "text": "~ x: 1 -> 2"}]}
            """
        let result = try? JSONDecoder().decode(ApplyResult.self, from: Data(json.utf8))
        #expect(
            result.map { ApplyCommand.text($0, dryRun: true, style: .plain) } == """
                + tenants.red
                ~ x: 1 -> 2
                2 changes; nothing was applied (dry run).
                """
        )
    }

    @Test(arguments: [
        ["show", "bogus"], ["show", "ports", "--network", "red/app"], ["show", "fdb", "--limit", "-1"], ["check"],
        ["show", "fdb", "--router", "red/gw"], ["show", "routes", "--network", "red/app"],
        ["apply"], ["trace", "--in", "a"], ["trace", "00"], ["trace", "--in", "a", "--from-vtep", "b", "00"],
        ["trace", "--in", "a", "--vni", "1", "00"], ["trace", "--from-vtep", "192.0.2.1", "00"],
        ["capture", "-w", "x", "--network", "a", "--drops"], ["capture", "-w", "x", "-c", "0"],
        ["top", "--interval", "0"], ["show", "--socket", "a", "--host", "b"], ["nonsense"],
        ["check", "x", "--underlay-mtu", "1"],
    ])
    func usageErrors(arguments: [String]) {
        do {
            _ = try Sluice.parseAsRoot(arguments)
            Issue.record("accepted")
        } catch {
            #expect(Sluice.exitCode(for: error) == .validationFailure)
        }
    }

    @Test(arguments: [
        ["show"], ["show", "fdb", "--network", "red/app", "--json", "--host", "h1"], ["check", "x.yaml", "--json"],
        ["show", "routes", "--router", "red/gw", "--limit", "0"], ["show", "neighbors", "--network", "red/app"],
        ["show", "routers"], ["apply", "x.yaml", "--dry-run"],
        ["trace", "--in", "red/web", "dst=02:00:00:00:00:01", "type=arp"],
        ["trace", "--from-vtep", "192.0.2.1", "--key", "1", "@x"],
        ["capture", "-w", "x", "--port", "a", "--drops", "-c", "1"],
        ["top", "--once", "--run-dir", "/x"],
    ])
    func goodUsage(arguments: [String]) {
        #expect(throws: Never.self) { try Sluice.parseAsRoot(arguments) }
    }
}
