import Wire

extension Snapshot {
    /// Checks the rows of routers: every reference, that every range table can be searched, and that what belongs to
    /// one router leads to nothing of another.
    func checkRouters(
        addresses: Int,
        hops: Int,
        rangesIPv4: Int,
        rangesIPv6: Int,
        rangeIndex: Int
    ) throws(SnapshotError) {
        for i in 0..<Int(routerCount) {
            let row = routers[i]
            guard isSearchable(row.ipv4, rangesIPv4, rangeIndex), isSearchable(row.ipv6, rangesIPv6, rangeIndex),
                areOrdered(row.ipv4, self.rangesIPv4, router: UInt32(i)),
                areOrdered(row.ipv6, self.rangesIPv6, router: UInt32(i))
            else { throw .danglingReference(section: "routers", row: i) }
        }
        for i in 0..<addresses {
            guard isPrefix(self.addresses[i].address, length: self.addresses[i].length) else {
                throw .danglingReference(section: "addresses", row: i)
            }
        }
        for i in 0..<Int(interfaceCount) where interfaces[i].inUse != 0 {
            let row = interfaces[i]
            guard row.router < routerCount, routers[Int(row.router)].inUse != 0,
                row.segment < segmentCount, segments[Int(row.segment)].inUse != 0,
                row.attachment < attachmentCount, attachments[Int(row.attachment)].isRouter,
                attachments[Int(row.attachment)].interface == UInt32(i),
                UInt64(row.addressStart) + UInt64(row.addressCount) <= UInt64(addresses)
            else { throw .danglingReference(section: "interfaces", row: i) }
        }
        for i in 0..<Int(attachmentCount) where attachments[i].isRouter || attachments[i].carriesPackets {
            // That the interface exists has been checked before.
            let interface = interfaces[Int(attachments[i].interface)]
            guard interface.inUse != 0, interface.segment == attachments[i].segment else {
                throw .danglingReference(section: "attachments", row: i)
            }
        }
        for i in 0..<Int(attachmentCount) where attachments[i].kind != AttachmentKind.none {
            guard keepsUnderlayApart(attachments[i]) else { throw .danglingReference(section: "attachments", row: i) }
        }
        for i in 0..<hops {
            guard leadsSomewhere(self.hops[i]) else { throw .danglingReference(section: "hops", row: i) }
        }
        for i in 0..<Int(routeCount) {
            guard isWhole(routes[i], hops: hops) else { throw .danglingReference(section: "routes", row: i) }
        }
        for i in 0..<Int(neighborCount) {
            let row = neighbors[i]
            guard row.segment < segmentCount,
                row.router == noSlot
                    || row.router < attachmentCount && attachments[Int(row.router)].isRouter
                        && attachments[Int(row.router)].segment == row.segment
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

    /// Whether a table's ranges ascend from address 0 and have routes of its own router.
    private func areOrdered<Range: AddressRange>(
        _ table: RouteRanges,
        _ rows: UnsafePointer<Range>,
        router: UInt32
    ) -> Bool {
        for i in Int(table.start)..<(Int(table.start) + Int(table.count)) {
            guard i == Int(table.start) ? rows[i].start == Range.lowest : rows[i - 1].start < rows[i].start else {
                return false
            }
            let route = rows[i].route
            guard route == noSlot || route < routeCount && routes[Int(route)].router == router else { return false }
        }
        return true
    }

    /// Nothing but an uplink and the underlay's router is in the underlay, and nothing but VTEPs and the underlay is behind
    /// an uplink. No tenant meets it.
    private func keepsUnderlayApart(_ row: AttachmentRecord) -> Bool {
        let isInUnderlay =
            row.segment < segmentCount && segments[Int(row.segment)].kind == SegmentKind.underlay
        if row.isRouter {
            return !row.isBehindUplink && routers[Int(interfaces[Int(row.interface)].router)].isUnderlay == isInUnderlay
        }
        let endpoint = endpoints[Int(row.endpoint)]
        guard endpoint.kind == EndpointKind.uplink else { return !isInUnderlay && !row.isBehindUplink }
        let interface = interfaces[Int(row.interface)]
        guard interface.inUse != 0 else { return false }
        let isUnderlays = routers[Int(interface.router)].isUnderlay
        if row.kind == AttachmentKind.provider {
            return isUnderlays && isInUnderlay && interface.segment == row.segment && !row.isBehindUplink
        }
        // A router's tunnel has that router's interface, the VTEPs of networks the underlay's.
        return row.isBehindUplink && !isInUnderlay && endpoint.untagged != noSlot
            && (row.isTunnel ? isUnderlays : row.carriesPackets && !isUnderlays)
    }

    private func isPrefix(_ address: IPv6Address, length: UInt32) -> Bool {
        length <= (address.mappedIPv4 == nil ? 128 : 32)
    }

    private func leadsSomewhere(_ row: NextHopRecord) -> Bool {
        let hasInterface = row.interface < interfaceCount && interfaces[Int(row.interface)].inUse != 0
        switch row.kind {
        case HopKind.local, HopKind.connected, HopKind.gateway:
            return hasInterface && row.attachment == interfaces[Int(row.interface)].attachment
        case HopKind.tunnel:
            return hasInterface && row.attachment < attachmentCount
                && attachments[Int(row.attachment)].carriesPackets
                && attachments[Int(row.attachment)].interface == row.interface
        case HopKind.redirect:
            return (hasInterface || row.interface == noSlot) && row.attachment < attachmentCount
                && attachments[Int(row.attachment)].isTunnel
        case HopKind.unreachable:
            return hasInterface || row.interface == noSlot
        default:
            return false
        }
    }

    /// The hops have been checked before.
    private func isWhole(_ row: RouteRecord, hops: Int) -> Bool {
        guard row.router < routerCount, RouteKind.local...RouteKind.prohibit ~= row.kind,
            isPrefix(row.prefix, length: UInt32(row.length)),
            row.hopCount > 0 || row.kind >= RouteKind.blackhole,
            UInt64(row.hopStart) + UInt64(row.hopCount) <= UInt64(hops)
        else { return false }
        for i in Int(row.hopStart)..<(Int(row.hopStart) + Int(row.hopCount)) {
            let interface = self.hops[i].interface
            guard interface == noSlot || interfaces[Int(interface)].router == row.router else { return false }
        }
        return true
    }
}

/// What the two families' ranges have in common, for validation.
private protocol AddressRange {
    associatedtype Address: Comparable
    static var lowest: Address { get }
    var start: Address { get }
    var route: UInt32 { get }
}

extension RangeIPv4: AddressRange {
    fileprivate static var lowest: UInt32 { 0 }
}

extension RangeIPv6: AddressRange {
    fileprivate static var lowest: IPv6Address { IPv6Address(high: 0, low: 0) }
}
