import Wire

extension Snapshot {
    /// Checks the rows of routers: every reference, and that every range table can be searched.
    func checkRouters(
        addresses: Int,
        hops: Int,
        rangesIPv4: Int,
        rangesIPv6: Int,
        rangeIndex: Int
    ) throws(SnapshotError) {
        for i in 0..<Int(routerCount) where routers[i].inUse != 0 {
            let row = routers[i]
            guard isSearchable(row.ipv4, rangesIPv4, rangeIndex), isSearchable(row.ipv6, rangesIPv6, rangeIndex) else {
                throw .danglingReference(section: "routers", row: i)
            }
        }
        for i in 0..<rangesIPv4 where self.rangesIPv4[i].route != noSlot {
            guard self.rangesIPv4[i].route < routeCount else {
                throw .danglingReference(section: "rangesIPv4", row: i)
            }
        }
        for i in 0..<rangesIPv6 where self.rangesIPv6[i].route != noSlot {
            guard self.rangesIPv6[i].route < routeCount else {
                throw .danglingReference(section: "rangesIPv6", row: i)
            }
        }
        for i in 0..<Int(interfaceCount) where interfaces[i].inUse != 0 {
            let row = interfaces[i]
            guard row.router < routerCount, routers[Int(row.router)].inUse != 0, row.segment < segmentCount,
                row.attachment < attachmentCount, attachments[Int(row.attachment)].isRouter,
                UInt64(row.addressStart) + UInt64(row.addressCount) <= UInt64(addresses)
            else { throw .danglingReference(section: "interfaces", row: i) }
        }
        for i in 0..<Int(attachmentCount) where attachments[i].isRouter || attachments[i].carriesPackets {
            guard interfaces[Int(attachments[i].interface)].inUse != 0 else {
                throw .danglingReference(section: "attachments", row: i)
            }
        }
        for i in 0..<Int(routeCount) {
            let row = routes[i]
            guard UInt64(row.hopStart) + UInt64(row.hopCount) <= UInt64(hops), row.router < routerCount,
                row.hopCount > 0 || row.kind >= RouteKind.blackhole
            else { throw .danglingReference(section: "routes", row: i) }
        }
        for i in 0..<hops {
            let row = self.hops[i]
            let leadsSomewhere =
                switch row.kind {
                case HopKind.local, HopKind.connected, HopKind.gateway:
                    row.interface < interfaceCount && interfaces[Int(row.interface)].inUse != 0
                case HopKind.tunnel:
                    row.interface < interfaceCount && interfaces[Int(row.interface)].inUse != 0
                        && row.attachment < attachmentCount && attachments[Int(row.attachment)].carriesPackets
                case HopKind.redirect: row.attachment < attachmentCount && attachments[Int(row.attachment)].isTunnel
                case HopKind.unreachable: true
                default: false
                }
            guard leadsSomewhere else { throw .danglingReference(section: "hops", row: i) }
        }
        for i in 0..<Int(neighborCount) {
            let row = neighbors[i]
            guard row.segment < segmentCount,
                row.router == noSlot || row.router < attachmentCount && attachments[Int(row.router)].isRouter
            else { throw .danglingReference(section: "neighbors", row: i) }
        }
    }

    /// Whether every look-up in a table stays inside of it.
    private func isSearchable(_ table: RouteRanges, _ ranges: Int, _ positions: Int) -> Bool {
        guard table.count > 0 else { return true }
        guard table.indexBits <= 16, UInt64(table.start) + UInt64(table.count) <= UInt64(ranges),
            UInt64(table.indexStart) + 1 << UInt64(table.indexBits) + 1 <= UInt64(positions)
        else { return false }
        let index = rangeIndex + Int(table.indexStart)
        for i in 0..<(1 << Int(table.indexBits)) where index[i] > index[i + 1] { return false }
        return index[1 << Int(table.indexBits)] < table.count
    }
}
