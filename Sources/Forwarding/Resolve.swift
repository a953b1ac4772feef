import Tables
import Wire

/// Who has an address in a segment, as far as it is known.
struct Resolution {
    /// `NeighborTable.State`; `reachable` also for what the file says.
    var state: UInt8
    /// Of a reachable one.
    var mac: MACAddress
    var isTold: Bool
    /// It answered a while ago, and is to be asked again while it is still used.
    var isStale: Bool
}

extension Snapshot {
    /// Looks up an address: told state first, then what was learned.
    @inline(__always)
    func resolve(segment: UInt32, _ address: IPv6Address, _ taught: Taught, _ now: UInt32) -> Resolution {
        let told = neighbor(segment: segment, address)
        if told != noSlot {
            let mac = MACAddress(bits: neighbors[Int(told)].mac)
            return Resolution(state: NeighborTable.State.reachable, mac: mac, isTold: true, isStale: false)
        }
        let known = taught.neighbors.find(segment: segment, address, now: now, snapshot: self)
        let isStale =
            known.state == NeighborTable.State.reachable && now &- known.confirmed >= NeighborTable.freshSeconds
            && (known.asked != now || known.questions == 0)
        return Resolution(state: known.state, mac: MACAddress(bits: known.mac), isTold: false, isStale: isStale)
    }
}
