import Control
import Model
import Tables
import Testing
import Wire

struct CompileErrorTests {
    private func refusal(
        _ host: String = "h1",
        capacity: StateCapacity = .standard,
        _ change: (inout Topology) -> Void
    ) -> CompileError? {
        var topology = twins()
        change(&topology)
        do {
            _ = try compile(topology, host, capacity: capacity)
            return nil
        } catch {
            return error as? CompileError
        }
    }

    @Test func unknownHost() {
        let error = refusal("h9") { _ in }
        #expect(error?.reason == .unknownHost)
        #expect(error?.description == "hosts: there is no host h9; the file has h1, h2")
    }

    @Test func aPortOnAnUnknownHost() {
        let error = refusal { $0.tenants[0].ports[1].host = "h8" }
        #expect(error?.reason == .unknownHost)
    }

    @Test func unknownNetwork() {
        // Blue has a network of that name. That is no help to red.
        let error = refusal {
            $0.tenants[1].networks.append(Network(tenant: "blue", name: "secret", segment: .local))
            $0.tenants[0].ports[0].membership = .access(network: "secret")
            $0.tenants[0].ports[0].mark = Mark(file: "cloud.yaml", line: 12, column: 3, path: "tenants.red.ports.web")
        }
        #expect(error?.reason == .unknownNetwork)
        #expect(
            error?.description == "cloud.yaml:12:3: tenants.red.ports.web: tenant red has no network secret"
        )
    }

    @Test func missingPhysical() {
        let error = refusal { $0.hosts[0].physical = [] }
        #expect(error?.reason == .missingPhysical)
        #expect(error?.problem.message.contains("physnet1") == true)
    }

    @Test func noCommonFamily() {
        #expect(refusal { $0.hosts[1].vteps = [address("2001:db8::2")] }?.reason == .noCommonFamily)
        #expect(
            refusal { $0.tenants[0].networks[0].remotes = [address("2001:db8::2")] }?.reason == .noCommonFamily
        )
    }

    @Test func sharedSegments() {
        #expect(
            refusal { $0.tenants[1].networks[0].segment = .vxlan(id: 5001, port: 4789) }?.reason == .segmentTaken
        )
        #expect(
            refusal {
                $0.tenants[1].networks[1].segment = .vlan(physical: "physnet1", id: 100, protocol: .dot1Q)
            }?.reason == .segmentTaken
        )
        #expect(
            refusal {
                $0.tenants[0].networks[1].segment = .flat(physical: "physnet1")
                $0.tenants[1].networks[1].segment = .flat(physical: "physnet1")
            }?.reason == .segmentTaken
        )
        // Another tag protocol is another segment.
        #expect(
            refusal {
                $0.tenants[1].networks[1].segment = .vlan(physical: "physnet1", id: 100, protocol: .dot1ad)
            } == nil
        )
    }

    @Test func sharedInterfaces() {
        #expect(
            refusal {
                $0.tenants[0].ports[0].attach = .device("eth3")
                $0.tenants[1].ports[0].attach = .device("eth3")
            }?.reason == .interfaceTaken
        )
        #expect(refusal { $0.tenants[0].ports[0].attach = .device("eth1") }?.reason == .interfaceTaken)
        #expect(
            refusal { $0.tenants[0].ports[0].attach = .veth(name: "eth0", namespace: "blue-web") }?.reason
                == .interfaceTaken
        )
        #expect(
            refusal {
                $0.hosts[0].physical.append(Physical(name: "physnet2", device: "eth1"))
                $0.tenants[1].networks[1].segment = .vlan(physical: "physnet2", id: 100, protocol: .dot1Q)
                $0.hosts[1].physical.append(Physical(name: "physnet2", device: "eth8"))
            }?.reason == .interfaceTaken
        )
    }

    @Test func aTrunkUsesNetworkAndTagOnce() {
        func trunk(_ tagged: [(UInt16, String)]) -> CompileError? {
            refusal {
                $0.tenants[0].ports[0].membership = .trunk(
                    untagged: "app",
                    tagged: tagged.map { TaggedNetwork(vid: $0.0, network: $0.1) }
                )
            }
        }
        #expect(trunk([(10, "lan")]) == nil)
        #expect(trunk([(10, "app")])?.reason == .networkTwiceOnPort)
        #expect(trunk([(10, "lan"), (20, "lan")])?.reason == .networkTwiceOnPort)
        let error = refusal {
            $0.tenants[0].networks.append(Network(tenant: "red", name: "third", segment: .local))
            $0.tenants[0].ports[0].membership = .trunk(
                untagged: nil,
                tagged: [TaggedNetwork(vid: 10, network: "lan"), TaggedNetwork(vid: 10, network: "third")]
            )
        }
        #expect(error?.reason == .tagTwiceOnPort)
    }

    @Test func underlayModes() {
        #expect(refusal { $0.hosts[0].underlay = .device("eth0") } == nil)
        #expect(refusal { $0.hosts[1].underlay = .device("eth0") } == nil)
        #expect(refusal { $0.hosts[0].underlay = .tap("up0", bridge: "br0") } == nil)
        let gre = refusal {
            $0.hosts[0].underlay = .tap("up0", bridge: "br0")
            $0.tenants[0].networks[0].segment = .gre(key: 7)
        }
        #expect(gre == nil)
    }

    @Test func capacity() {
        let small = StateCapacity(endpoints: 6, segments: 4, attachments: 8, peers: 1, macBuckets: 64)
        #expect(refusal(capacity: small) { _ in } == nil)
        for path in [\StateCapacity.endpoints, \.segments, \.attachments] {
            var tight = small
            tight[keyPath: path] -= 1
            let error = refusal(capacity: tight) { _ in }
            #expect(error?.reason == .capacity)
            #expect(error?.problem.message.contains("\(small[keyPath: path])") == true)
        }
        #expect(
            refusal(capacity: small) { $0.tenants[0].networks[0].remotes = [address("192.0.2.9")] }?.reason == .capacity
        )
    }
}
