import Model
import Tables
import Wire

/// An endpoint that the datapath serves now. What is not known is nil.
public struct ObservedEndpoint: Sendable, Equatable {
    public var slot: UInt32
    /// Nil where the snapshot in force has nothing in this slot any more.
    public var key: EndpointKey?
    public var medium: EndpointMedium?
    public var mac: MACAddress?
    public var mtu: Int?
    public var addresses: [IPPrefix]?
    public var gateways: [IPAddress]?

    public init(
        slot: UInt32,
        key: EndpointKey?,
        medium: EndpointMedium?,
        mac: MACAddress? = nil,
        mtu: Int? = nil,
        addresses: [IPPrefix]? = nil,
        gateways: [IPAddress]? = nil
    ) {
        self.slot = slot
        self.key = key
        self.medium = medium
        self.mac = mac
        self.mtu = mtu
        self.addresses = addresses
        self.gateways = gateways
    }

    /// What the snapshot in force says about a slot that a running datapath was found to serve. How its interface is
    /// set up is not in there, so that it will be set up again, which changes nothing where it is right already.
    public init(slot: UInt32, in snapshot: Snapshot) {
        self.init(slot: slot, key: nil, medium: nil)
        guard slot < snapshot.endpointCount else { return }
        let record = snapshot.endpoints[Int(slot)]
        key = EndpointKey(record: record, in: snapshot)
        medium = key.flatMap { EndpointMedium(snapshot.text(record.device), key: $0) }
    }

    /// A plan that was carried out.
    public init(_ plan: EndpointPlan) {
        self.init(
            slot: plan.slot,
            key: plan.key,
            medium: plan.medium,
            mac: plan.mac,
            mtu: plan.mtu,
            addresses: plan.addresses,
            gateways: plan.gateways
        )
    }

    /// What would have to be set on the interface for `plan`.
    func changes(to plan: EndpointPlan) -> EndpointChanges {
        guard plan.medium.isMade else { return [] }
        var changes: EndpointChanges = []
        // Without an address in the plan the interface may keep what it has.
        if plan.mac != nil, plan.mac != mac { changes.insert(.mac) }
        if plan.mtu != mtu { changes.insert(.mtu) }
        if addresses.map({ Set($0) != Set(plan.addresses) }) ?? true { changes.insert(.addresses) }
        if gateways.map({ Set($0) != Set(plan.gateways) }) ?? true { changes.insert(.gateways) }
        return changes
    }
}

/// What is different about an interface that stays.
public struct EndpointChanges: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let mac = EndpointChanges(rawValue: 1)
    public static let mtu = EndpointChanges(rawValue: 2)
    public static let addresses = EndpointChanges(rawValue: 4)
    public static let gateways = EndpointChanges(rawValue: 8)
}

extension EndpointChanges: CustomStringConvertible {
    /// `MTU and addresses`.
    public var description: String {
        let names: [(EndpointChanges, String)] = [
            (.mac, "MAC"), (.mtu, "MTU"), (.addresses, "addresses"), (.gateways, "gateways"),
        ]
        return names.filter { contains($0.0) }.map(\.1).joined(separator: " and ")
    }
}
