import Model

/// Why a topology cannot be realised on a host. Nothing has changed when it is thrown.
public struct CompileError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        /// The file knows no host of that name.
        case unknownHost
        /// A port names a network that its tenant does not have.
        case unknownNetwork
        /// The host's underlay mode is not one that tunnels can use.
        case unsupportedUnderlay
        /// A network needs a provider network that this host does not reach.
        case missingPhysical
        /// Two ends of a tunnel have no address family in common.
        case noCommonFamily
        /// A trunk leads to one network twice.
        case networkTwiceOnPort
        /// A trunk uses one VLAN id twice.
        case tagTwiceOnPort
        /// Two networks would share a VNI, VLAN or GRE key.
        case segmentTaken
        /// Two endpoints would share an interface.
        case interfaceTaken
        /// More than the tables hold.
        case capacity
    }

    public var reason: Reason
    /// Where in the file, and the sentence.
    public var problem: Problem

    init(_ reason: Reason, _ mark: Mark, _ message: String) {
        self.reason = reason
        problem = mark.problem(message)
    }

    public var description: String {
        guard problem.file.isEmpty else { return problem.description }
        return problem.path.isEmpty ? problem.message : "\(problem.path): \(problem.message)"
    }
}
