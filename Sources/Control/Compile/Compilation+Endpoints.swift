import Model
import Tables
import Wire

extension Compilation {
    /// Ports, the provider networks that their networks use, a socket for each of the host's VTEP addresses where one of
    /// their networks is tunnelled, whether or not it has peers yet: a peer that comes or goes opens and closes nothing;
    /// and the sockets of routers' tunnels.
    mutating func planEndpoints() throws(CompileError) {
        plans.reserveCapacity(scope.ports.count + 8)
        for number in scope.ports.indices {
            plans.append(portPlan(port(number), tenant: tenant(scope.ports[number].tenant)))
        }
        var physicals: Set<String> = []
        var udpPorts: Set<UInt16> = []
        var usesGRE = false
        for number in scope.networks.indices {
            let network = network(number)
            switch network.segment {
            case .local: break
            case .flat(let physical), .vlan(let physical, _, _):
                guard physicals.insert(physical).inserted else { break }
                guard host.device(of: physical) != nil else {
                    throw CompileError(
                        .missingPhysical,
                        network.segmentMark,
                        "host \(host.name) has a port in network \(network.name) but does not reach \(physical); "
                            + "name its device under hosts.\(host.name).physical"
                    )
                }
            case .vxlan(_, let port): udpPorts.insert(port)
            case .gre: usesGRE = true
            }
        }
        for physical in host.physical where physicals.contains(physical.name) && providers[physical.name] == nil {
            providers[physical.name] = plans.count
            append(.provider(physical.name), .provider(device: physical.device), mtu: 0, physical.mark)
        }
        if host.underlay.isUplink {
            try planUplink(udpPorts)
            let slots = allocation.endpoints.assign(plans.map(\.key))
            place(slots)
            return try checkClaims()
        }
        let vteps = [false, true].compactMap { host.vtep(ipv6: $0) }
        for port in udpPorts.sorted() {
            for address in vteps {
                append(
                    .vxlan(address: address, port: port),
                    .vxlan(address: address, port: port),
                    mtu: underlayMTU,
                    host.mark
                )
            }
        }
        let tunnels = anchored.map(tunnel)
        let greEnds = Set(tunnels.filter { $0.kind == .gre }.map(\.local))
        for address in vteps where usesGRE || greEnds.contains(address) {
            append(.gre(address: address), .gre(address: address), mtu: underlayMTU, host.mark)
        }
        // All three protocols wherever there is one of them: what was meant for another kind is told and counted.
        let ipEnds = Set(tunnels.filter { $0.kind != .gre }.map(\.local))
        for address in vteps where ipEnds.contains(address) {
            for kind in EncapsulationProtocol.allCases {
                append(.ip(address: address, kind), .ip(address: address, kind), mtu: underlayMTU, host.mark)
            }
        }

        place(allocation.endpoints.assign(plans.map(\.key)))
        try checkClaims()
    }

    private mutating func place(_ slots: [UInt32]) {
        for (i, slot) in slots.enumerated() {
            plans[i].slot = slot
            plans[i].generation = allocation.endpoints.generations[Int(slot)]
            if i >= firstShared { sockets[plans[i].key] = i }
        }
    }

    /// `mtu` 0 is for the networks to raise.
    mutating func append(_ key: EndpointKey, _ medium: EndpointMedium, mtu: Int, _ mark: Mark) {
        plans.append(EndpointPlan(slot: noSlot, generation: 0, key: key, medium: medium, mtu: mtu, mark: mark))
    }

    private func portPlan(_ port: Port, tenant: String) -> EndpointPlan {
        var plan = EndpointPlan(
            slot: noSlot,
            generation: 0,
            key: .port(tenant: tenant, name: port.name),
            medium: EndpointMedium(port.attach, tenant: tenant, port: port.name),
            mtu: port.mtu ?? 0,
            mark: port.attachMark
        )
        switch port.attach {
        case .tap(_, .some), .veth:
            plan.mac = port.mac
            plan.addresses = port.addresses
            plan.gateways = port.gateway
        case .tap(_, .none), .device:
            // The address is that of the machine behind it, not of this end.
            break
        }
        return plan
    }

    /// Two endpoints on one interface would join two tenants.
    private func checkClaims() throws(CompileError) {
        var owners: [EndpointMedium.Claim: Int] = [:]
        owners.reserveCapacity(plans.count)
        for (i, plan) in plans.enumerated() {
            for claim in plan.medium.claims {
                if let other = owners.updateValue(i, forKey: claim) {
                    throw CompileError(
                        .interfaceTaken,
                        plan.mark,
                        "\(plan.key) and \(plans[other].key) are both attached to \(plan.medium); "
                            + "an interface has one owner"
                    )
                }
            }
        }
    }

    /// Everything but attachments, and MTUs that the file leaves to the networks.
    mutating func writeEndpoints(_ interfaceIndexes: [EndpointKey: UInt32]) {
        builder.endpoints = allocation.endpoints.generations.map { generation in
            var record = EndpointRecord()
            record.generation = generation
            return record
        }
        for (i, plan) in plans.enumerated() {
            var record = EndpointRecord()
            record.generation = plan.generation
            record.mtu = UInt32(clamping: plan.mtu)
            record.name = builder.string(plan.key.description)
            record.device = builder.string(plan.medium.description)
            switch plan.key {
            case .port(let tenant, _):
                record.kind = EndpointKind.port
                record.tenant = builder.string(tenant)
                if case .trunk = port(i).membership { record.flags |= EndpointRecord.vlanAware }
            case .provider:
                record.kind = EndpointKind.provider
                record.flags |= EndpointRecord.vlanAware
            case .vxlan(_, let port):
                record.kind = EndpointKind.vxlan
                record.port = UInt32(port)
            case .gre:
                record.kind = EndpointKind.gre
            case .ip(_, let kind):
                record.kind = EndpointKind.ip
                record.port = UInt32(kind.rawValue)
            case .uplink:
                record.kind = EndpointKind.uplink
                record.port = UInt32(underlay?.port ?? 0)
            }
            if let index = interfaceIndexes[plan.key], index != 0 {
                record.interfaceIndex = index
                builder.markTenantInterface(index, endpoint: plan.slot)
            }
            builder.endpoints[Int(plan.slot)] = record
        }
    }

    /// The plans by slot, with their MTUs: of a shared endpoint what its row got, the most that any of its networks may
    /// carry; of a port what suits all its networks, since what leaves a trunk's interface untagged or tagged has one MTU.
    func finishedPlans() -> [EndpointPlan] {
        var finished = plans
        for i in finished.indices {
            finished[i].mtu =
                i < scope.ports.count ? mtus.of(port(i)) : Int(builder.endpoints[Int(finished[i].slot)].mtu)
        }
        return finished.sorted { $0.slot < $1.slot }
    }
}
