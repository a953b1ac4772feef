import Forwarding
import Rings
import Wire

// Work that the sender left to do.

extension Reference {
    func readOffload(_ arrival: Arrival, _ layers: Layers, _ walk: inout Walk) -> DropReason? {
        let given = arrival.offload
        if given.flags & 1 == 0 && given.gsoType == 0 {
            walk.offload.flags = given.flags & 2
            return nil
        }
        if given.flags & 1 == 0 { return .badOffload }
        let start = Int(given.checksumStart) - walk.content.startIndex
        let offset = Int(given.checksumOffset)
        if start < layers.l3 || start > 0xFF00 || start + offset + 2 > walk.content.count { return .badOffload }
        walk.offload = Offload(flags: 1, checksumStart: UInt16(start), checksumOffset: given.checksumOffset)
        if given.gsoType == 0 { return nil }
        let fits: Bool
        switch given.gsoType {
        case 1, 0x81: fits = layers.version == 4 && layers.proto == 6 && offset == 16
        case 4, 0x84: fits = layers.version == 6 && layers.proto == 6 && offset == 16
        case 5: fits = layers.proto == 17 && offset == 6
        default: fits = false
        }
        if !fits || layers.payload < 0 || start != layers.l4 || layers.isCut || layers.end != walk.content.count
            || isWhole(layers) == false || given.gsoSize == 0
        {
            return .badOffload
        }
        let payload = layers.end - layers.payload
        let size = Int(given.gsoSize)
        if payload > size * 1400 { return .badOffload }
        if payload > size {
            walk.offload.gsoType = given.gsoType
            walk.offload.gsoSize = given.gsoSize
            walk.offload.headerLength = UInt16(layers.payload)
        }
        return nil
    }

    /// Neither a fragment nor something whose pseudo-header is not the one in sight.
    private func isWhole(_ layers: Layers) -> Bool {
        !layers.isFragment && !layers.hasFragmentHeader && !layers.isRouted && !layers.isAuthenticated
    }

    /// False for what is a super-frame of UDP.
    func findUnfinished(_ layers: Layers, _ walk: inout Walk) -> Bool {
        guard walk.offload.flags & 1 == 0, layers.payload >= 0, layers.proto == 6 || layers.proto == 17, !layers.isCut,
            !layers.isFragment, !layers.hasFragmentHeader, !layers.isRouted
        else { return true }
        let first = walk.content.startIndex
        let length = layers.end - layers.l4
        let offset = layers.proto == 6 ? 16 : 6
        let at = first + layers.l4 + offset
        let field = Int(walk.content[at]) << 8 | Int(walk.content[at + 1])
        if layers.proto == 17 {
            let udpLength = Int(walk.content[first + layers.l4 + 4]) << 8 | Int(walk.content[first + layers.l4 + 5])
            if field == 0 || udpLength != length { return true }
        }
        let from = first + layers.l3 + (layers.version == 4 ? 12 : 8)
        let addresses = walk.content[from..<from + (layers.version == 4 ? 8 : 32)]
        let sum = onesSum(addresses, layers.proto + length)
        if field != sum && !(field == 0 && sum == 0xFFFF) { return true }
        walk.judgement.events |= Event.partialChecksumFound.bit
        walk.content = walk.content[..<(first + layers.end)]
        walk.offload = Offload(flags: 1, checksumStart: UInt16(layers.l4), checksumOffset: UInt16(offset))
        let mtu = cloud.networks[walk.judgement.network!].mtu
        if layers.proto == 17, mtu > 0, layers.end - layers.l3 > mtu { return false }
        let size = min(mtu - (layers.payload - layers.l3), 0xFFFF)
        if layers.proto == 6, mtu > 0, layers.end - layers.l3 > mtu, size > 0, isWhole(layers),
            layers.end - layers.payload <= size * 1400
        {
            walk.judgement.events |= Event.superFrameFound.bit
            walk.offload.gsoType = layers.version == 4 ? 1 : 4
            walk.offload.gsoSize = UInt16(size)
            walk.offload.headerLength = UInt16(layers.payload)
        }
        return true
    }
}
