import Control
import Glibc
import Testing

struct EndpointDeviceTests {
    private func nic(_ name: String = "eth3", mtu: Int = 1500) -> EndpointDevice {
        EndpointDevice(
            plan: EndpointPlan(
                slot: 0,
                generation: 0,
                key: .port(tenant: "red", name: "a"),
                medium: .device(name),
                mtu: mtu
            )
        )
    }

    private func tap() -> EndpointDevice {
        EndpointDevice(
            plan: EndpointPlan(
                slot: 0,
                generation: 0,
                key: .port(tenant: "red", name: "web"),
                medium: .tap(name: "eth0", namespace: "red-web"),
                mtu: 1450
            )
        )
    }

    private func link(_ name: String, _ index: UInt32, up: Bool = true, mtu: Int = 1500) -> LinkFacts {
        LinkFacts(name: name, index: index, isUp: up, hasCarrier: up, mtu: mtu)
    }

    @Test func opensAndWorks() {
        var device = nic()
        #expect(device.state == .missing)
        #expect(device.handle(.opened(link("eth3", 7))) == [.stateChanged(.working)])
        #expect(device.index == 7 && device.mtu == 1500 && device.text == "working")
        #expect(device.handle(.link(link("eth3", 7))).isEmpty)
        #expect(device.handle(.link(link("eth9", 9, up: false))).isEmpty)
        #expect(device.handle(.gone(name: "eth9", index: 9)).isEmpty)
        #expect(device.state == .working)
    }

    @Test func aDeviceGoesAndComesBackUnderAnotherIndex() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(device.handle(.gone(name: "eth3", index: 7)) == [.detach, .stateChanged(.missing)])
        #expect(device.text == "eth3 does not exist; it is taken up as soon as it does")
        #expect(device.handle(.link(link("eth3", 12))) == [.open(index: 12)])
        // One open at a time.
        #expect(device.handle(.link(link("eth3", 12, mtu: 1400))).isEmpty)
        #expect(device.handle(.opened(link("eth3", 12))) == [.stateChanged(.working)])
        #expect(device.index == 12)
        // News of the first one that came late.
        #expect(device.handle(.gone(name: "eth3", index: 7)).isEmpty)
        #expect(device.state == .working)
    }

    @Test func theDatapathNoticesFirst() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(
            device.handle(.endpointFailed(errno: ENETDOWN)) == [
                .detach, .retryAfter(milliseconds: 100), .stateChanged(.failed(errno: ENETDOWN)),
            ]
        )
        #expect(device.handle(.gone(name: "eth3", index: 7)) == [.stateChanged(.missing)])
        #expect(device.handle(.retry) == [.open(index: nil)])
        #expect(device.handle(.openFailed(errno: ENODEV)).isEmpty)
        #expect(device.handle(.link(link("eth3", 8))) == [.open(index: 8)])
        #expect(device.handle(.opened(link("eth3", 8))) == [.stateChanged(.working)])
    }

    @Test func downAndUp() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(device.handle(.link(link("eth3", 7, up: false))) == [.stateChanged(.down)])
        #expect(device.text == "eth3 is down; bring it up (ip link set eth3 up)")
        #expect(device.handle(.link(link("eth3", 7))) == [.stateChanged(.working)])
        // The same, when the socket was lost with it.
        _ = device.handle(.link(link("eth3", 7, up: false)))
        #expect(device.handle(.endpointFailed(errno: ENETDOWN)) == [.detach])
        #expect(device.state == .down)
        #expect(device.handle(.link(link("eth3", 7, up: false))).isEmpty)
        #expect(device.handle(.link(link("eth3", 7))) == [.open(index: 7)])
        #expect(device.handle(.opened(link("eth3", 7))) == [.stateChanged(.working)])
    }

    @Test func theSocketFailsBeforeTheLinkIsKnownToBeDown() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        _ = device.handle(.endpointFailed(errno: ENETDOWN))
        #expect(device.handle(.link(link("eth3", 7, up: false))) == [.stateChanged(.down)])
        #expect(device.handle(.link(link("eth3", 7))) == [.open(index: 7)])
    }

    @Test func itsMTUChanges() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(device.handle(.link(link("eth3", 7, mtu: 1400))) == [.mtuChanged(from: 1500, to: 1400)])
        #expect(device.text.hasPrefix("working, but eth3 has MTU 1400 and its network 1500"))
        #expect(device.handle(.link(link("eth3", 7, mtu: 9000))) == [.mtuChanged(from: 1400, to: 9000)])
        #expect(device.text == "working")
    }

    @Test func aRenamedDeviceIsNoLongerTheOneInTheFile() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(device.handle(.link(link("lan0", 7))) == [.detach, .stateChanged(.missing)])
        #expect(device.handle(.link(link("eth3", 8))) == [.open(index: 8)])
        _ = device.handle(.opened(link("eth3", 8)))
        // What the switch made is its own, whatever the tenant calls it.
        var made = tap()
        _ = made.handle(.opened(link("eth0", 3, mtu: 1450)))
        #expect(made.handle(.link(link("lan0", 3, mtu: 1450))).isEmpty)
        #expect(made.handle(.link(link("lan0", 3, up: false, mtu: 1450))) == [.stateChanged(.down)])
        #expect(made.handle(.gone(name: "lan0", index: 3)).first == .detach)
    }

    @Test func lostEventsAreMadeUpFor() {
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(device.handle(.resync([link("lo", 1), link("eth3", 7)])).isEmpty)
        #expect(
            device.handle(.resync([link("lo", 1), link("eth3", 9)])) == [
                .detach, .open(index: 9), .stateChanged(.missing),
            ]
        )
        _ = device.handle(.opened(link("eth3", 9)))
        #expect(device.handle(.resync([link("lo", 1)])) == [.detach, .stateChanged(.missing)])
        #expect(device.handle(.resync([link("lo", 1)])).isEmpty)
        #expect(device.handle(.resync([link("lo", 1), link("eth3", 11)])) == [.open(index: 11)])
    }

    @Test func anotherDeviceTakesTheNameFirst() {
        // The end of the old one is told after the beginning of the new one.
        var device = nic()
        _ = device.handle(.opened(link("eth3", 7)))
        #expect(device.handle(.link(link("eth3", 9))).isEmpty)
        #expect(
            device.handle(.gone(name: "old", index: 7)) == [.detach, .open(index: 9), .stateChanged(.missing)]
        )
    }

    @Test func aMissingNamespaceIsTriedAgain() {
        var device = tap()
        #expect(
            device.handle(.namespaceMissing) == [.retryAfter(milliseconds: 100), .stateChanged(.namespaceMissing)]
        )
        #expect(device.text.hasPrefix("namespace red-web does not exist"))
        #expect(device.handle(.retry) == [.open(index: nil)])
        #expect(device.handle(.namespaceMissing) == [.retryAfter(milliseconds: 100)])
        _ = device.handle(.retry)
        #expect(device.handle(.opened(nil)) == [.stateChanged(.working)])
        #expect(device.text == "working")
    }

    @Test func aTAPWhoseNamespaceGoesIsMadeAgain() {
        var device = tap()
        _ = device.handle(.opened(link("eth0", 3, mtu: 1450)))
        #expect(
            device.handle(.gone(name: "eth0", index: 3)) == [
                .detach, .retryAfter(milliseconds: 100), .stateChanged(.missing),
            ]
        )
        #expect(device.text == "eth0 in namespace red-web is gone and is being made again")
        #expect(device.handle(.endpointFailed(errno: EBADFD)).isEmpty)
        #expect(device.handle(.retry) == [.open(index: nil)])
        // Announced by the kernel while it is being made.
        #expect(device.handle(.link(link("eth0", 4, up: false, mtu: 1450))).isEmpty)
        #expect(device.handle(.opened(link("eth0", 4, mtu: 1450))) == [.stateChanged(.working)])
    }

    @Test func retriesBackOffAndNeverPileUp() {
        var device = nic()
        var waits: [Int] = []
        for _ in 0..<9 {
            for action in device.handle(.openFailed(errno: EPERM)) {
                if case .retryAfter(let wait) = action { waits.append(wait) }
            }
            // A second cause asks for no second timer.
            #expect(device.handle(.endpointFailed(errno: EIO)).isEmpty)
            #expect(device.handle(.retry) == [.open(index: nil)])
            #expect(device.handle(.retry).isEmpty)
        }
        #expect(waits == [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
        #expect(device.text.contains("errno 1") && device.text.contains("CAP_NET_ADMIN"))
    }

    @Test func socketsSayWhatTheyLack() {
        var device = EndpointDevice(
            plan: EndpointPlan(
                slot: 0,
                generation: 0,
                key: .vxlan(address: address("192.0.2.1"), port: 4789),
                medium: .vxlan(address: address("192.0.2.1"), port: 4789),
                mtu: 1500
            )
        )
        #expect(device.handle(.openFailed(errno: EADDRNOTAVAIL)).contains(.retryAfter(milliseconds: 100)))
        #expect(device.text.hasPrefix("UDP port 4789 on 192.0.2.1: "))
        #expect(device.text.contains("not one of this host's"))
        #expect(device.watchedName == nil)
        #expect(device.handle(.link(link("eth3", 2))).isEmpty)
        #expect(device.handle(.resync([])).isEmpty)
        _ = device.handle(.retry)
        #expect(device.handle(.opened(nil)) == [.stateChanged(.working)])
        #expect(device.handle(.resync([link("lo", 1)])).isEmpty)
    }

    @Test func anyOrderOfEventsKeepsItsPromises() {
        // Never two opens at once, no detach without a descriptor, and an existing interface ends up working.
        for seed in 0..<400 as Range<UInt64> {
            var random = Random(state: seed)
            for made in [false, true] {
                var device = made ? tap() : nic()
                let name = made ? "eth0" : "eth3"
                var opening = true
                var attached = false
                var timers = 0
                var present: LinkFacts?
                var nextIndex: UInt32 = 1
                func step(_ event: DeviceEvent) {
                    for action in device.handle(event) {
                        switch action {
                        case .open:
                            if opening || attached { Issue.record("seed \(seed): open under way already") }
                            opening = true
                        case .detach:
                            if !attached { Issue.record("seed \(seed): nothing to detach") }
                            attached = false
                        case .retryAfter:
                            timers += 1
                            if timers > 1 { Issue.record("seed \(seed): two timers") }
                        case .mtuChanged, .stateChanged: break
                        }
                    }
                }
                func answer() {
                    opening = false
                    if made {
                        nextIndex += 1
                        present = link(name, nextIndex)
                    }
                    attached = present != nil
                    step(present.map { .opened($0) } ?? .openFailed(errno: ENODEV))
                }
                for _ in 0..<40 {
                    switch random.below(8) {
                    case 0:
                        if let gone = present {
                            present = nil
                            step(.gone(name: name, index: gone.index))
                        }
                    case 1 where !made && present == nil:
                        nextIndex += 1
                        present = link(name, nextIndex, up: random.chance(70))
                        step(.link(present!))
                    case 2:
                        if var facts = present {
                            facts.isUp = random.chance(60)
                            present = facts
                            step(.link(facts))
                        }
                    case 3: if attached { step(.endpointFailed(errno: random.chance(50) ? ENETDOWN : EIO)) }
                    case 4: if opening { answer() }
                    case 5: step(.resync(present.map { [$0] } ?? []))
                    case 6 where timers > 0:
                        timers = 0
                        step(.retry)
                    default: break
                    }
                }
                // Quiet again: the interface is there and up, and everything asked for is answered.
                if !made {
                    present = link(name, present?.index ?? nextIndex + 1)
                    step(.resync([present!]))
                }
                for _ in 0..<4 {
                    if opening { answer() }
                    if timers > 0 {
                        timers = 0
                        step(.retry)
                    }
                    if made, let facts = present { step(.link(link(name, facts.index))) }
                }
                if !attached || device.state != .working {
                    Issue.record("seed \(seed), made \(made): ends \(device.state), attached \(attached)")
                }
            }
        }
    }
}
