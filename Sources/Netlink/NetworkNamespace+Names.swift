import CLinux
import Glibc

// Named namespaces, laid out as `ip netns` does: a file in /run/netns with the namespace bound over it. The directory
// is a shared mount point, so that what one mount namespace binds or lets go of, the others see.
extension NetworkNamespace {
    /// Where names live.
    public static let directory = "/run/netns"

    /// The file of a name; an absolute path is its own file.
    static func path(of name: String) throws(NetlinkError) -> String {
        if name.hasPrefix("/") { return name }
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255, !name.contains("/") else {
            throw NetlinkError(
                "open",
                "network namespace \"\(name)\"",
                errno: EINVAL,
                advice: "A name is 1 to 255 bytes without a slash"
            )
        }
        return "\(directory)/\(name)"
    }

    /// Makes a namespace with that name and its loopback up. EEXIST when the name is taken.
    @discardableResult
    public static func create(_ name: String) throws(NetlinkError) -> NetworkNamespace {
        let path = try path(of: name)
        guard !name.hasPrefix("/") else {
            throw NetlinkError("create network namespace", name, errno: EINVAL, advice: "Give a name, not a path")
        }
        try prepareDirectory()
        let file = Glibc.open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)
        guard file >= 0 else { throw NetlinkError("create network namespace", name, errno: errno) }
        close(file)
        do {
            try fresh { () throws(NetlinkError) in
                let result = linux_mount("/proc/thread-self/ns/net", path, "none", UInt(LINUX_MS_BIND), nil)
                guard result == 0 else { throw NetlinkError("create network namespace", name, errno: -result) }
            }
            return try NetworkNamespace(named: name)
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Removes the name. The namespace itself goes when the last process and descriptor have left it.
    /// ENOENT when there is no such name.
    public static func delete(_ name: String) throws(NetlinkError) {
        let path = try path(of: name)
        let result = linux_umount(path, Int32(LINUX_MNT_DETACH))
        // EINVAL: the file is there and nothing is bound over it, as after a crash between the two steps.
        guard result == 0 || result == -EINVAL else {
            throw NetlinkError("delete network namespace", name, errno: -result)
        }
        guard unlink(path) == 0 else { throw NetlinkError("delete network namespace", name, errno: errno) }
    }

    /// Whether the name is taken, if only by a file that crashed half-way to a namespace.
    public static func exists(_ name: String) -> Bool {
        guard let path = try? path(of: name) else { return false }
        return access(path, F_OK) == 0
    }

    /// All names, sorted.
    public static func list() -> [String] {
        guard let directory = opendir(directory) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes /run/netns a shared mount point, once; whoever comes second finds it so.
    private static func prepareDirectory() throws(NetlinkError) {
        guard mkdir(directory, 0o755) == 0 || errno == EEXIST else {
            throw NetlinkError("create", directory, errno: errno, advice: errno == EACCES ? mountAdvice : nil)
        }
        // Two at once would stack one mount upon the other and hide what was bound in between.
        let lock = try open(directory, for: directory)
        defer { close(lock) }
        _ = retryingInterrupts { Int(flock(lock, LOCK_EX)) }
        let sharing = UInt(LINUX_MS_SHARED | LINUX_MS_REC)
        var result = linux_mount("", directory, "none", sharing, nil)
        if result == -EINVAL {
            result = linux_mount(directory, directory, "none", UInt(LINUX_MS_BIND | LINUX_MS_REC), nil)
            if result == 0 { result = linux_mount("", directory, "none", sharing, nil) }
        }
        guard result == 0 else {
            throw NetlinkError("mount", directory, errno: -result, advice: result == -EPERM ? mountAdvice : nil)
        }
    }

    private static var mountAdvice: String {
        "Run as root; in a user namespace, with a /run of your own: `unshare -Urnm`, then mount a tmpfs on /run"
    }
}
