import Model
import Wire

extension LabPlan {
    /// What the provider networks' devices have beyond `lab.mtu`: two VLAN tags.
    static let roomForTags = 8
    /// The device that leads from a host to the others.
    static let underlayDevice = "underlay0"

    /// Plans the lab of a topology that has passed its own checks. Throws what only a lab cannot do.
    public init(_ topology: Topology, name: String) throws(TopologyError) {
        var planner = Planner(topology, name: name)
        planner.plan()
        guard planner.problems.isEmpty else { throw TopologyError(problems: planner.problems) }
        self = planner.result
    }
}

private struct Planner {
    let topology: Topology
    var result: LabPlan
    var problems: [Problem] = []
    /// Why a namespace's name is taken.
    private var owners: [String: String] = [:]
    private var hostNamespaces: [String: String] = [:]
    /// Device names in use, by namespace.
    private var devices: [String: Set<String>] = [:]
    private var fabric = ""
    private let mtu: Int
    private let mtus: MTUs

    init(_ topology: Topology, name: String) {
        self.topology = topology
        mtu = topology.lab?.mtu ?? LabSettings.defaultMTU
        mtus = topology.mtus(underlayMTU: mtu)
        result = LabPlan(name: name, namespaces: [], bridges: [], cables: [], hosts: [], places: [])
    }

    mutating func plan() {
        for host in topology.hosts { add(host) }
        fabric = "\(result.name)-fabric"
        while owners[fabric] != nil { fabric += "0" }
        claim(fabric, .fabric, "the fabric between the hosts", Mark())
        joinUnderlays()
        joinProviderNetworks()
        for tenant in topology.tenants {
            for port in tenant.ports { add(port) }
        }
    }

    private mutating func claim(_ name: String, _ purpose: LabPlan.Namespace.Purpose, _ owner: String, _ mark: Mark) {
        if let other = owners[name] {
            problems.append(mark.problem("the namespace \(name) is wanted for \(owner) and is \(other); rename one"))
            return
        }
        owners[name] = owner
        result.namespaces.append(LabPlan.Namespace(name: name, purpose: purpose))
    }

    private mutating func add(_ host: Host) {
        let name = "\(result.name)-\(LabNames.shortened(host.name, to: LabNames.longest))"
        claim(name, .host, "the host \(host.name)", host.mark)
        hostNamespaces[host.name] = name
        result.hosts.append(LabPlan.HostPlan(name: host.name, namespace: name, underlayMTU: mtu))
    }

    // MARK: Between the hosts

    private mutating func joinUnderlays() {
        let bridge = addBridge("underlay", mtu: mtu)
        for host in topology.hosts {
            guard let namespace = hostNamespaces[host.name] else { continue }
            var end = LabPlan.End(name: LabPlan.underlayDevice, namespace: namespace, mtu: mtu)
            end.mac = Port.defaultMAC(tenant: "host \(host.name)", port: LabPlan.underlayDevice)
            switch host.underlay {
            case .socket:
                end.addresses = host.vteps.map { IPPrefix(address: $0, length: prefixLength(of: $0)) }
                // Without a link-local address the kernel cannot probe a neighbour that it has not heard of lately,
                // and takes it for gone until the next packet (RFC 4861 §7.3.3).
                end.isSilent = !host.vteps.contains(where: \.isIPv6)
            case .device(let name, _, _):
                // The switch's alone: nothing of the host's may speak there.
                end.name = name
                end.isSilent = true
            case .tap(_, let bridge, _, _):
                result.bridges.append(LabPlan.Bridge(name: bridge, namespace: namespace, mtu: mtu))
                devices[namespace, default: []].insert(bridge)
                end.bridge = bridge
            }
            connect(end, to: bridge, wish: host.name, host.mark)
        }
    }

    /// The length that makes all hosts neighbours: the lab's own subnet, or the usual length, or shorter if need be.
    private func prefixLength(of vtep: IPAddress) -> Int {
        if let underlay = topology.lab?.underlays.first(where: { $0.contains(vtep) }) { return underlay.length }
        let family = topology.hosts.flatMap(\.vteps).filter { $0.isIPv6 == vtep.isIPv6 }
        var prefix = IPPrefix(address: vtep, length: vtep.isIPv6 ? 64 : 24)
        while !family.allSatisfy(prefix.contains) { prefix.length -= 1 }
        return prefix.length
    }

    private mutating func joinProviderNetworks() {
        var names: [String] = []
        for physical in topology.hosts.flatMap(\.physical) where !names.contains(physical.name) {
            names.append(physical.name)
        }
        for name in names {
            let bridge = addBridge(name, mtu: mtu + LabPlan.roomForTags)
            for host in topology.hosts {
                guard let namespace = hostNamespaces[host.name],
                    let physical = host.physical.first(where: { $0.name == name })
                else { continue }
                var end = LabPlan.End(
                    name: physical.device,
                    namespace: namespace,
                    mtu: mtu + LabPlan.roomForTags
                )
                end.mac = Port.defaultMAC(tenant: "host \(host.name)", port: physical.device)
                connect(end, to: bridge, wish: "\(bridge.name)-\(host.name)", physical.mark)
            }
        }
    }

    private mutating func addBridge(_ wish: String, mtu: Int) -> LabPlan.Bridge {
        let name = LabNames.interface(wish, taken: &devices[fabric, default: []])
        let bridge = LabPlan.Bridge(name: name, namespace: fabric, mtu: mtu)
        result.bridges.append(bridge)
        return bridge
    }

    private mutating func connect(_ end: LabPlan.End, to bridge: LabPlan.Bridge, wish: String, _ mark: Mark) {
        guard claim(device: end.name, in: end.namespace, mark) else { return }
        let port = LabNames.interface(wish, taken: &devices[fabric, default: []])
        let other = LabPlan.End(name: port, namespace: fabric, mtu: end.mtu, bridge: bridge.name)
        result.cables.append(LabPlan.Cable(a: end, b: other))
    }

    private mutating func claim(device: String, in namespace: String, _ mark: Mark) -> Bool {
        if devices[namespace, default: []].insert(device).inserted { return true }
        problems.append(
            mark.problem("the lab would have to make the device \(device) in \(namespace) twice; rename one of them")
        )
        return false
    }

    // MARK: Endpoints

    private mutating func add(_ port: Port) {
        guard let hostNamespace = hostNamespaces[port.host] else { return }
        var place = LabPlan.Place(
            tenant: port.tenant,
            port: port.name,
            host: port.host,
            namespace: hostNamespace,
            interface: port.attach.interface,
            addresses: port.addresses.map(\.description)
        )
        if case .device(let device) = port.attach {
            place.namespace = LabNames.shortened("\(port.tenant)-\(port.name)", to: 255)
            place.interface = Attach.defaultInterface
            claim(place.namespace, .endpoint, "the far end of \(device) of port \(place.path)", port.attachMark)
            addDevice(device, of: port, at: place, hostNamespace)
        } else if let namespace = port.attach.namespace {
            place.namespace = namespace
            addEndpoint(namespace, of: port)
        }
        result.places.append(place)
    }

    /// Several ports may share one endpoint: a machine with several network cards.
    private mutating func addEndpoint(_ namespace: String, of port: Port) {
        if namespace.contains("/") {
            problems.append(
                port.attachMark.problem("a lab makes the namespaces of its ports: give a name in place of \(namespace)")
            )
        } else if result.namespaces.contains(where: { $0.name == namespace && $0.purpose == .endpoint }),
            owners[namespace] == "an endpoint"
        {
            return
        } else {
            claim(namespace, .endpoint, "an endpoint", port.attachMark)
        }
    }

    /// The device of a `{device}` port, with the tenant's end behind it.
    private mutating func addDevice(
        _ device: String,
        of port: Port,
        at place: LabPlan.Place,
        _ hostNamespace: String
    ) {
        guard claim(device: device, in: hostNamespace, port.attachMark) else { return }
        let mtu = mtus.of(port)
        let near = LabPlan.End(name: device, namespace: hostNamespace, mtu: mtu + LabPlan.roomForTags)
        var far = LabPlan.End(name: place.interface, namespace: place.namespace, mtu: mtu)
        far.mac = port.mac
        far.addresses = port.addresses
        far.gateways = port.gateway
        far.isSilent = false
        result.cables.append(LabPlan.Cable(a: near, b: far))
    }
}
