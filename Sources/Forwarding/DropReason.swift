/// Why a frame went no further. Every frame that is not forwarded has exactly one; the datapath counts them per port
/// and per network. `case` names are what `show drops` prints and stay as they are.
public enum DropReason: UInt8, CaseIterable, Sendable {
    // On the way in.
    case portWithoutNetwork = 1
    case noUntaggedNetwork
    case unknownVLAN
    case reservedVLAN
    case taggedOnAccessPort
    case taggedInSegment
    case doubleTagged
    case tooShort
    case tooLong
    case badOffload

    // Out of a tunnel.
    case tunnelFromTenant
    case tunnelHeaderTruncated
    case vxlanNoVNI
    case unknownVNI
    case greHeader
    case greChecksum
    case greProtocol
    case greNoKey
    case unknownKey
    case unknownPeer
    case peerNotInNetwork
    case ecnInvalid

    // At an uplink.
    case outerFragment
    case outerChecksum

    // Out of a router's tunnel.
    case ka9qIPIP
    case protocol4WithoutIPv4
    case protocol41WithoutIPv6
    case nestedTunnel

    // What no bridge forwards.
    case invalidSource
    case zeroDestination
    case linkLocal

    // Between the ports of a network.
    case sourceBelongsToAnotherPort
    case hairpin
    case splitHorizon
    case unknownUnicast
    case noReceiver
    case crossesNetworks

    // At a router.
    case notDesignated
    case notRoutable
    case brokenARP
    case brokenNeighborDiscovery
    case brokenIPHeader
    case sourceRoute
    case refusedByOption
    case martianSource
    case martianDestination
    case multicastNotRouted
    case linkLocalScope
    case reversePath
    case hopLimitExceeded
    case noRoute
    case refusedByRoute
    case tunnelOutOfReach
    case neighborUnresolved
    case tooManyUnresolved
    case noSuchService
    case answerSuppressed
    case redirectLoop
    case tooManyRouters
    case tunnelLoop

    // On the way out, decided by `decide` or `encapsulate`.
    case exceedsMTU
    case exceedsPathMTU
    case tagWouldEscape

    // On the way out, met by the datapath.
    case queueFull
    case unreachable
    case deviceDown
    case refusedBySystem
    case noTransmitSlot
}
