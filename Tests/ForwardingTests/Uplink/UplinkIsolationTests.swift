import Forwarding
import Tables
import Testing
import Wire

/// No snapshot that joins the underlay with a tenant is taken.
@Suite struct UplinkIsolationTests {
    private func isTaken(_ change: (inout SnapshotBuilder) -> Void) -> Bool {
        var builder = UplinkWorld.builder()
        change(&builder)
        return (try? LiveTables(builder, seed: 1)) != nil
    }

    @Test func theSampleIsTaken() { #expect(isTaken { _ in }) }

    @Test func tenantsAreNotInTheUnderlay() {
        // A tenant's port.
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atWeb)].segment = UplinkWorld.underlay })
        // A VTEP.
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atNear)].segment = UplinkWorld.underlay })
        // A tenant's router, or the underlay's router with a tenant.
        #expect(!isTaken { $0.routers[0].flags = RouterRecord.designated })
        #expect(
            !isTaken {
                $0.attachments[Int(UplinkWorld.atOwn)].segment = UplinkWorld.app
                $0.interfaces[0].segment = UplinkWorld.app
            }
        )
    }

    @Test func anUplinkIsForTheUnderlayAndVTEPs() {
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atUplink)].segment = UplinkWorld.app })
        // A VTEP of another kind is one, a tunnel of a router that is the underlay's is not.
        #expect(isTaken { $0.attachments[Int(UplinkWorld.atNear)].kind = AttachmentKind.gre })
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atNear)].kind = AttachmentKind.ipip })
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atNear)].flags = 0 })
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atUplink)].flags = AttachmentRecord.behindUplink })
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atOwn)].flags = AttachmentRecord.behindUplink })
        #expect(!isTaken { $0.endpoints[UplinkWorld.uplink].untagged = noSlot })
        #expect(
            !isTaken {
                $0.attachments[Int(UplinkWorld.atNear)].kind = AttachmentKind.port
                $0.attachments[Int(UplinkWorld.atNear)].peer = noSlot
            }
        )
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atNear)].interface = noSlot })
        #expect(!isTaken { $0.attachments[Int(UplinkWorld.atNear)].interface = 1 })
        #expect(!isTaken { $0.endpoints[UplinkWorld.uplink].untagged = UplinkWorld.atNear })
        // A socket's VTEP has no router in front of it.
        #expect(!isTaken { $0.endpoints[UplinkWorld.uplink].kind = EndpointKind.vxlan })
    }
}
