import CLinux
import Wire

/// The path to a peer takes no packets longer than this.
@frozen
public struct PathMTUNews: Equatable, Sendable {
    /// The peer that the packet went to, IPv4 as mapped address.
    public var peer: IPv6Address
    /// Bytes of the longest IP packet, the outer header included.
    public var mtu: UInt32

    @inlinable
    public init(peer: IPv6Address, mtu: UInt32) {
        self.peer = peer
        self.mtu = mtu
    }
}

/// What the tunnels' sockets heard about packets that they sent (IP_RECVERR): the MTU of a path, from a router's ICMP
/// message once the kernel has made sure that it quotes a packet of the socket's, or from the host's own routes. Kept
/// until the worker has read it; behind pointers, since the engine only lends itself.
struct UnderlayNews {
    /// Peers that there is room for. What finds none comes again with the next packet that is too long.
    static let capacity = 16
    /// Entries of an error queue that are read at a time: nobody may keep the worker busy with ICMP messages.
    static let most = 64
    /// No path has less (RFC 791 §3.2, RFC 8200 §5); a message that says so lies.
    static let leastMTU4: UInt32 = 68
    static let leastMTU6: UInt32 = 1280

    struct State {
        var count = 0
        var errors: UInt32 = 0
    }

    let paths: UnsafeMutablePointer<PathMTUNews>
    let state: UnsafeMutablePointer<State>
    private let entry: UnsafeMutablePointer<linux_socket_error>

    init() {
        paths = .allocate(capacity: UnderlayNews.capacity)
        let none = PathMTUNews(peer: IPv6Address(high: 0, low: 0), mtu: 0)
        paths.initialize(repeating: none, count: UnderlayNews.capacity)
        state = .allocate(capacity: 1)
        state.initialize(to: State())
        entry = .allocate(capacity: 1)
        entry.initialize(to: linux_socket_error())
    }

    func deallocate() {
        paths.deallocate()
        state.deallocate()
        entry.deallocate()
    }

    /// Reads the error queue of a socket until it is empty. With the last entry goes the error that the kernel would
    /// report in place of the socket's next packet.
    ///
    /// - Returns: how many entries came from the network: errors of packets that had left.
    @inline(never)
    func drain(_ socket: Int32) -> Int {
        var fromNetwork = 0
        for _ in 0..<UnderlayNews.most {
            guard Syscall.readError(socket, entry) > 0 else { break }
            let isLocal = entry.pointee.origin == UInt8(LINUX_ORIGIN_LOCAL)
            if !isLocal { fromNetwork &+= 1 }
            if entry.pointee.code == UInt32(EMSGSIZE) {
                // The address is the first field.
                let peer = SocketAddress.read(UnsafeRawPointer(entry), isIPv6: entry.pointee.is_ipv6 != 0)
                note(PathMTUNews(peer: peer, mtu: entry.pointee.info))
            } else if !isLocal {
                state.pointee.errors &+= 1
            }
        }
        return fromNetwork
    }

    /// Keeps the least of what is said about a peer.
    func note(_ news: PathMTUNews) {
        let least = SocketAddress.matches(news.peer, isIPv6: true) ? UnderlayNews.leastMTU6 : UnderlayNews.leastMTU4
        guard news.mtu >= least else { return }
        for index in 0..<state.pointee.count where paths[index].peer == news.peer {
            paths[index].mtu = min(paths[index].mtu, news.mtu)
            return
        }
        guard state.pointee.count < UnderlayNews.capacity else { return }
        paths[state.pointee.count] = news
        state.pointee.count &+= 1
    }
}

extension PortEngine {
    /// Path MTUs that were heard of since `clearPathMTUNews`, one for each peer, 16 at most. Any peer may be named in
    /// them, and any MTU that IP allows.
    public var pathMTUNews: UnsafeBufferPointer<PathMTUNews> {
        UnsafeBufferPointer(start: news.paths, count: news.state.pointee.count)
    }

    /// Other ICMP errors about packets that had left (unreachable, time exceeded) since then. They change nothing: whom
    /// a peer cannot be reached by is for the network to say, and it may be lying.
    public var underlayErrors: UInt32 { news.state.pointee.errors }

    /// Whether there is something to read in either.
    @inline(__always)
    public var hasUnderlayNews: Bool { news.state.pointee.count != 0 || news.state.pointee.errors != 0 }

    /// Forgets what was heard.
    public func clearPathMTUNews() { news.state.pointee = UnderlayNews.State() }
}
