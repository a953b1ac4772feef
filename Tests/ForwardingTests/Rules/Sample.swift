import Forwarding
import Rings
import Testing
import Wire

/// Two tenants on one host, with one network of every kind: what the rows are about.
struct Sample {
    var cloud = Cloud()

    static let a = MACAddress(bits: 0x0200_0000_000A)
    static let b = MACAddress(bits: 0x0200_0000_000B)
    static let c = MACAddress(bits: 0x0200_0000_000C)
    static let h2 = IPv6Address(mapping: IPv4Address(bits: 0xC000_0202))
    static let h3 = IPv6Address(mapping: IPv4Address(bits: 0xC000_0203))
    static let h6 = IPv6Address(high: 0x2001_0DB8 << 32, low: 6)
    static let stranger = IPv6Address(mapping: IPv4Address(bits: 0xC633_6407))
    static let tenantInterface: UInt32 = 77

    // Endpoints.
    let bare, web, db, blueWeb, dataPort, lanPort, blueLan, flatPort, qinqPort, clearPort, quiet1, quiet2: Int
    let loner, link1, link2, small, trunk, taggedTrunk, clearTrunk, provider, vxlan, gre: Int
    // Attachments.
    let atWeb, atDB, atH2, atH3, atH6, atTrunkApp: Int
    let atBlueWeb, atBlueH2, atData, atDataH2, atTrunkData: Int
    let atLAN, atLANProvider, atTrunkLAN, atBlueLAN, atBlueLANProvider, atFlat, atFlatProvider: Int
    let atQinq, atQinqProvider, atClear, atClearH2, atClearTrunk, atQuiet1, atQuiet2, atTaggedQuiet: Int
    let atLink1, atLink2, atSmall: Int
    // Networks.
    let app, blueApp, data, lan, blueLANNetwork, flat, qinq, clear, quiet, lone, link: Int

    init() {
        typealias Network = Cloud.Network
        let (red, blue) = (0, 1)
        var transparent = Network(tenant: blue, name: "blue/qinq", transport: .vlan, identifier: 300)
        transparent.isTransparent = true
        var inTheClear = Network(tenant: red, name: "red/clear", transport: .vxlan, identifier: 5003)
        inTheClear.isTransparent = true
        var silent = Network(tenant: red, name: "red/quiet")
        silent.dropsUnknown = true
        silent.learns = false
        var linked = Network(tenant: blue, name: "blue/link")
        linked.forwardsLinkLocal = true
        app = cloud.add(Network(tenant: red, name: "red/app", transport: .vxlan, identifier: 5001, mtu: 1450))
        blueApp = cloud.add(Network(tenant: blue, name: "blue/app", transport: .vxlan, identifier: 5002, mtu: 1450))
        data = cloud.add(Network(tenant: red, name: "red/data", transport: .gre, identifier: 77, mtu: 1458))
        lan = cloud.add(Network(tenant: red, name: "red/lan", transport: .vlan, identifier: 100))
        blueLANNetwork = cloud.add(Network(tenant: blue, name: "blue/lan", transport: .vlan, identifier: 200))
        flat = cloud.add(Network(tenant: red, name: "red/flat", transport: .flat))
        qinq = cloud.add(transparent)
        clear = cloud.add(inTheClear)
        quiet = cloud.add(silent)
        lone = cloud.add(Network(tenant: blue, name: "blue/lone"))
        link = cloud.add(linked)

        _ = cloud.add(Cloud.Endpoint(place: .unused, name: ""))
        bare = cloud.add(Cloud.Endpoint(place: .port(tenant: red), name: "red/bare"))
        (web, atWeb) = cloud.accessPort("red/web", app)
        (db, atDB) = cloud.accessPort("red/db", app)
        (blueWeb, atBlueWeb) = cloud.accessPort("blue/web", blueApp)
        (dataPort, atData) = cloud.accessPort("red/data", data)
        (lanPort, atLAN) = cloud.accessPort("red/lan", lan)
        (blueLan, atBlueLAN) = cloud.accessPort("blue/lan", blueLANNetwork)
        (flatPort, atFlat) = cloud.accessPort("red/flat", flat)
        (qinqPort, atQinq) = cloud.accessPort("blue/qinq", qinq)
        (clearPort, atClear) = cloud.accessPort("red/clear", clear)
        (quiet1, atQuiet1) = cloud.accessPort("red/quiet1", quiet)
        (quiet2, atQuiet2) = cloud.accessPort("red/quiet2", quiet)
        (loner, _) = cloud.accessPort("blue/lone", lone)
        (link1, atLink1) = cloud.accessPort("blue/link1", link)
        (link2, atLink2) = cloud.accessPort("blue/link2", link)
        (small, atSmall) = cloud.accessPort("red/small", lan, mtu: 1000)
        cloud.endpoints[web].interfaceIndex = Sample.tenantInterface

        func trunkPort(_ cloud: inout Cloud, _ name: String) -> Int {
            cloud.add(Cloud.Endpoint(place: .port(tenant: red), name: name, readsTags: true))
        }
        trunk = trunkPort(&cloud, "red/trunk")
        atTrunkApp = cloud.attach(trunk, app)
        atTrunkData = cloud.attach(trunk, data, tpid: 0x8100, vid: 10)
        atTrunkLAN = cloud.attach(trunk, lan, tpid: 0x8100, vid: 20)
        taggedTrunk = trunkPort(&cloud, "red/tagged")
        atTaggedQuiet = cloud.attach(taggedTrunk, quiet, tpid: 0x8100, vid: 10)
        clearTrunk = trunkPort(&cloud, "red/cleartrunk")
        atClearTrunk = cloud.attach(clearTrunk, clear)

        provider = cloud.add(Cloud.Endpoint(place: .provider, name: "physnet1"))
        atFlatProvider = cloud.attach(provider, flat)
        atLANProvider = cloud.attach(provider, lan, tpid: 0x8100, vid: 100)
        atBlueLANProvider = cloud.attach(provider, blueLANNetwork, tpid: 0x8100, vid: 200)
        atQinqProvider = cloud.attach(provider, qinq, tpid: 0x88A8, vid: 300)

        vxlan = cloud.add(Cloud.Endpoint(place: .vxlan(port: 4789), name: "vxlan"))
        gre = cloud.add(Cloud.Endpoint(place: .gre, name: "gre"))
        let near = cloud.add(peer: Cloud.Peer(address: Sample.h2))
        let narrow = cloud.add(peer: Cloud.Peer(address: Sample.h3, pathMTU: 1400))
        let six = cloud.add(peer: Cloud.Peer(address: Sample.h6))
        atH2 = cloud.attach(vxlan, app, peer: near)
        atH3 = cloud.attach(vxlan, app, peer: narrow)
        atH6 = cloud.attach(vxlan, app, peer: six)
        atBlueH2 = cloud.attach(vxlan, blueApp, peer: near)
        atClearH2 = cloud.attach(vxlan, clear, peer: near)
        atDataH2 = cloud.attach(gre, data, peer: near)
    }
}

/// One rule: a frame, what was known before, and what becomes of it.
struct Row: Sendable, CustomTestStringConvertible {
    enum Expected: Sendable {
        case drop(DropReason)
        /// And the sender is told.
        case refuse(DropReason, Said)
        /// One target by unicast.
        case forward(Copy)
        /// To one target, in fragments of at most so many bytes.
        case cut(Copy, mtu: UInt32)
        /// Everybody else.
        case flood([Copy])
    }

    var name: String
    var arrival: Arrival
    var told: [(network: Int, mac: MACAddress, attachment: Int)] = []
    var seen: [(mac: MACAddress, attachment: Int)] = []
    /// Seconds between what was seen and now.
    var later: UInt32 = 0
    var expected: Expected
    /// Whether the source is to be learned, where the row cares.
    var learns: Bool?

    var testDescription: String { name }
}
