import FoundationEssentials
import Netlink

/// What a lab made, or was about to make when it was interrupted. It is on disk before the step it tells of, so that
/// `down` finds everything, and names nothing that was there before, so that `down` removes nothing else.
public struct LabRecord: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable { case making, standing, removing }

    public struct Namespace: Codable, Sendable, Equatable {
        public var name: String
        public var purpose: LabPlan.Namespace.Purpose
        /// Which namespace got the name; nil until it is made. A name that means another one by now is not ours.
        public var identity: NamespaceIdentity?
    }

    public struct Host: Codable, Sendable, Equatable {
        public var name: String
        public var namespace: String
        public var directory: String
        /// The control process; nil until it is started.
        public var process: ProcessIdentity?
    }

    public var lab: String
    /// The file, as an absolute path.
    public var file: String
    /// In the environment of every process of this lab, as `SLUICE_LAB_ID`: finds those that no pid file tells of.
    public var id: String
    public var state: State
    /// Who made it.
    public var maker: ProcessIdentity
    /// The maker takes it down itself; without the maker nobody uses it any more.
    public var livesWithMaker = false
    public var namespaces: [Namespace]
    public var hosts: [Host]
    public var places: [LabPlan.Place]

    public static let environmentKey = "SLUICE_LAB_ID"

    /// The record in a file; nil when there is none, or none that is whole.
    public init?(path: String) {
        guard let bytes = Files.read(path), let record = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else {
            return nil
        }
        self = record
    }

    init(_ plan: LabPlan, file: String, directory: RunDirectory, maker: ProcessIdentity) {
        lab = plan.name
        self.file = file
        id = UUID().uuidString
        state = .making
        self.maker = maker
        namespaces = plan.namespaces.map { Namespace(name: $0.name, purpose: $0.purpose, identity: nil) }
        hosts = plan.hosts.map {
            Host(
                name: $0.name,
                namespace: $0.namespace,
                directory: directory.host($0.name, lab: plan.name),
                process: nil
            )
        }
        places = plan.places
    }

    func write(to path: String) throws(LabError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { throw LabError("the lab's record cannot be written as JSON") }
        try Files.replace(path, with: Array(data))
    }

    /// The namespaces that still are what this lab made.
    var ownNamespaces: [Namespace] {
        namespaces.filter { namespace in
            guard NetworkNamespace.exists(namespace.name) else { return false }
            guard let identity = namespace.identity else { return true }
            return NamespaceIdentity(path: "\(NetworkNamespace.directory)/\(namespace.name)") == identity
        }
    }

    /// Control and datapath processes that are still there.
    var processes: (control: Set<ProcessIdentity>, datapath: Set<ProcessIdentity>) {
        var control: Set<ProcessIdentity> = []
        var datapath: Set<ProcessIdentity> = []
        for host in hosts {
            if let process = host.process { control.insert(process) }
            if let process = ProcessIdentity(pidFile: "\(host.directory)/control.pid") { control.insert(process) }
            if let process = ProcessIdentity(pidFile: "\(host.directory)/datapath.pid") { datapath.insert(process) }
        }
        return (control.filter(\.isRunning), datapath.filter(\.isRunning))
    }
}
