import Model

/// One lab: the namespaces, links and switches of one file on this machine.
public struct Lab: Sendable {
    /// From the file's name, see `LabNames.lab`.
    public let name: String
    /// The file, as an absolute path.
    public let file: String
    public let directory: RunDirectory

    /// The lab of that file, whether it stands or not. The file need not exist any more.
    public init(file: String, directory: RunDirectory = .standard()) {
        self.file = Files.absolute(file)
        name = LabNames.lab(ofFile: file)
        self.directory = directory
    }

    /// What was made of it; nil when it is not up.
    public var record: LabRecord? { LabRecord(path: directory.record(name)) }

    var path: String { directory.lab(name) }

    /// Reads the file and plans the lab. Throws what is wrong with the file, or what a lab cannot do.
    public func plan() throws(TopologyError) -> (topology: Topology, plan: LabPlan) {
        let topology = try Topology.read(path: file)
        return (topology, try LabPlan(topology, name: name))
    }
}

/// What stands of a lab at the moment.
public struct LabStatus: Sendable, Equatable, Codable {
    public struct Host: Sendable, Equatable, Codable {
        public var name: String
        public var namespace: String
        public var directory: String
        /// The control and datapath processes; nil for one that is not there.
        public var control: Int32?
        public var datapath: Int32?
        public var hasNamespace: Bool
    }

    public var lab: String
    public var file: String
    public var state: LabRecord.State
    public var hosts: [Host]
    public var ports: [LabPlan.Place]
    /// Namespaces that the lab made and that are gone.
    public var missingNamespaces: [String]

    /// Made to the end, and nothing of it has gone since.
    public var isWhole: Bool {
        state == .standing && missingNamespaces.isEmpty && hosts.allSatisfy { $0.control != nil && $0.datapath != nil }
    }
}

extension Lab {
    /// What stands; nil when the lab is not up.
    public func status() -> LabStatus? {
        guard let record else { return nil }
        let own = Set(record.ownNamespaces.map(\.name))
        func running(_ file: String) -> Int32? {
            ProcessIdentity(pidFile: file).flatMap { $0.isRunning ? $0.pid : nil }
        }
        return LabStatus(
            lab: name,
            file: record.file,
            state: record.state,
            hosts: record.hosts.map { host in
                let started = host.process.flatMap { $0.isRunning ? $0.pid : nil }
                return LabStatus.Host(
                    name: host.name,
                    namespace: host.namespace,
                    directory: host.directory,
                    control: running("\(host.directory)/control.pid") ?? started,
                    datapath: running("\(host.directory)/datapath.pid"),
                    hasNamespace: own.contains(host.namespace)
                )
            },
            ports: record.places,
            missingNamespaces: record.namespaces.map(\.name).filter { !own.contains($0) }
        )
    }

    /// The namespace of a host, of `tenant/port`, of a port whose name only one tenant has, or of an endpoint.
    public func namespace(of target: String) throws(LabError) -> String {
        guard let record else { throw LabError("\(name) is not up. Bring it up with `sluice lab up \(file)`") }
        if let host = record.hosts.first(where: { $0.name == target }) { return host.namespace }
        let places = record.places.filter { $0.path == target || $0.port == target }
        if let place = places.first {
            if Set(places.map(\.namespace)).count == 1 { return place.namespace }
            let choices = places.map(\.path).joined(separator: ", ")
            throw LabError("\(target) is the name of several ports: say which of \(choices)")
        }
        if record.namespaces.contains(where: { $0.name == target }) { return target }
        let names = record.hosts.map(\.name) + record.places.map(\.path)
        throw LabError("\(name) has no host or port \(target). It has: \(names.joined(separator: ", "))")
    }
}
