import Glibc

/// Where the control sockets of this machine's switches are: `BASE/HOST/api.sock` for `sluice run --host HOST`, and
/// `BASE/labs/LAB/HOST/api.sock` for the hosts of a lab.
public struct ControlSocket: Sendable, Equatable {
    public static let fileName = "api.sock"
    static let labs = "labs"

    public var path: String
    /// The host whose switch it is, as far as the path tells.
    public var host: String?
    /// The lab that the host belongs to.
    public var lab: String?

    public init(path: String, host: String? = nil, lab: String? = nil) {
        self.path = path
        self.host = host
        self.lab = lab
    }

    /// The socket of a switch with this run directory.
    public static func path(runDirectory: String) -> String { "\(runDirectory)/\(fileName)" }

    /// The directory that holds all run directories, unless somebody says otherwise: `SLUICE_RUN_DIR`; /run/sluice for
    /// whoever may make it; `XDG_RUNTIME_DIR/sluice`; or a directory in /tmp with the user's number.
    public static func base(environment: [String: String], canUse: (String) -> Bool = usable) -> String {
        if let told = environment["SLUICE_RUN_DIR"], !told.isEmpty { return told }
        if canUse("/run/sluice") { return "/run/sluice" }
        if let runtime = environment["XDG_RUNTIME_DIR"], runtime.hasPrefix("/"), canUse("\(runtime)/sluice") {
            return "\(runtime)/sluice"
        }
        return lastResort
    }

    /// Everybody may write to /tmp, so what stands there counts only if it is ours.
    static var lastResort: String { "/tmp/sluice-\(getuid())" }

    static func isSomebodyElses(_ base: String) -> Bool {
        var status = stat()
        return base == lastResort && lstat(base, &status) == 0 && status.st_uid != getuid()
    }

    /// Whether a directory is there and writable, or may be made.
    public static func usable(_ directory: String) -> Bool {
        if access(directory, F_OK) == 0 { return access(directory, W_OK | X_OK) == 0 }
        let parent = directory.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return access(parent.isEmpty ? "/" : parent, W_OK | X_OK) == 0
    }

    /// Every socket under `base`, by lab and host. Some may belong to switches that are gone.
    public static func all(under base: String) -> [ControlSocket] {
        var found: [ControlSocket] = []
        for host in entries(of: base) where host != labs {
            found.append(ControlSocket(path: path(runDirectory: "\(base)/\(host)"), host: host))
        }
        for lab in entries(of: "\(base)/\(labs)") {
            for host in entries(of: "\(base)/\(labs)/\(lab)") {
                found.append(
                    ControlSocket(path: path(runDirectory: "\(base)/\(labs)/\(lab)/\(host)"), host: host, lab: lab)
                )
            }
        }
        return found.filter { access($0.path, F_OK) == 0 }
    }

    private static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether somebody accepts connections there: what a killed switch left behind does not count.
    public var answers: Bool {
        guard path.utf8.count < 108 else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}

/// How the user says which switch is meant.
public struct SwitchChoice: Sendable, Equatable {
    /// The socket itself.
    public var socket: String?
    /// Its run directory, or the directory above several run directories.
    public var runDirectory: String?
    public var host: String?

    public init(socket: String? = nil, runDirectory: String? = nil, host: String? = nil) {
        self.socket = socket
        self.runDirectory = runDirectory
        self.host = host
    }

    /// The socket that is meant. With nothing said and one switch running, that one.
    public func resolve(environment: [String: String]) throws(ClientError) -> ControlSocket {
        if let socket { return ControlSocket(path: socket, host: host) }
        let base = runDirectory ?? ControlSocket.base(environment: environment)
        guard !ControlSocket.isSomebodyElses(base) else { throw .forbidden(socket: base) }
        let own = ControlSocket.path(runDirectory: base)
        if host == nil, access(own, F_OK) == 0 { return ControlSocket(path: own) }
        var found = ControlSocket.all(under: base).filter { host == nil || $0.host == host }
        // One that is left behind must not stand in the way of one that runs.
        let running = found.filter(\.answers)
        if !running.isEmpty { found = running }
        if found.count == 1 { return found[0] }
        if found.isEmpty, let host {
            throw .notRunning(host: host, socket: ControlSocket.path(runDirectory: "\(base)/\(host)"))
        }
        if found.isEmpty { throw .noSwitch(base: base) }
        throw .severalSwitches(
            base: base,
            found: found.map { "\($0.host ?? "")\($0.lab.map { " of lab \($0)" } ?? ""): --socket \($0.path)" }
        )
    }
}
