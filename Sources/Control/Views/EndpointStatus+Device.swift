extension EndpointStatus {
    /// What is known about an endpoint after everything that happened to its device.
    public init(_ device: EndpointDevice) {
        let plan = device.plan
        let state: State =
            switch device.state {
            case .working: .up
            case .down: .down
            case .missing, .namespaceMissing: .missing
            case .failed: .failed
            }
        let text = device.text
        self.init(
            slot: plan.slot, key: plan.key.description, device: plan.medium.description,
            namespace: plan.medium.namespace, state: state, detail: text == "working" ? "" : text,
            interfaceIndex: device.index == 0 ? nil : Int(device.index), mac: plan.mac?.description,
            mtu: device.mtu ?? plan.mtu, addresses: plan.addresses.map(\.description))
    }
}
