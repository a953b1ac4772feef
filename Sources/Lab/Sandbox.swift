import CLinux
import FoundationEssentials
import Glibc
import Netlink

/// A place where anyone may make namespaces: a user namespace in which we are root, with a /run of its own, and a
/// process namespace, so that nothing outlives it however it ends.
public enum Sandbox {
    private static let environmentKey = "SLUICE_SANDBOX"
    private static let entering = "entering"
    private static let inside = "inside"

    /// Whether a lab needs one: without the rights of the machine's root, or with those of a user namespace's root,
    /// who may not touch the machine's /run.
    public static var isNeeded: Bool {
        if ProcessInfo.processInfo.environment[environmentKey] != nil { return false }
        return !(isInitialUserNamespace && hasPrivileges)
    }

    /// Whether namespaces and devices can be made here at all.
    static var hasPrivileges: Bool { has(systemAdministration) && has(networkAdministration) }

    /// Runs this program again, with the same arguments, inside a sandbox; answers its exit status. Signals that are
    /// sent to us are passed on; when we are killed, it dies.
    public static func run(arguments: [String] = CommandLine.arguments) throws(LabError) -> Int32 {
        let signals = try SignalTrap()
        defer { signals.stop() }
        var environment = ProcessInfo.processInfo.environment
        environment[environmentKey] = entering
        var flags = LINUX_CLONE_NEWNS | LINUX_CLONE_NEWPID
        if !has(systemAdministration) { flags |= LINUX_CLONE_NEWUSER }
        if !has(systemAdministration) || !ownsNetworkNamespace { flags |= LINUX_CLONE_NEWNET }
        var (pid, step) = spawn(arguments, environment, flags)
        if pid < 0, step == LINUX_SANDBOX_PROC {
            // Containers that hide parts of /proc allow no second one: then without a process namespace.
            (pid, step) = spawn(arguments, environment, flags & ~LINUX_CLONE_NEWPID)
        }
        guard pid > 0 else { throw failure(step, -pid) }
        return Lab.wait(for: pid, signals: signals, killsAfter: nil)
    }

    /// What the program does first when `run` started it, and has no effect otherwise: gives the sandbox a /run of its
    /// own and turns on its loopback.
    public static func prepare() throws(LabError) {
        guard ProcessInfo.processInfo.environment[environmentKey] == entering else { return }
        setenv(environmentKey, inside, 1)
        try replaceRun()
        // Without a loopback commands that need one say so themselves.
        try? Netlink().setUp(1)
    }

    /// A new /run with everything that was in the old one except its named namespaces and labs, which are not ours.
    private static func replaceRun() throws(LabError) {
        let old = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard old >= 0 else { throw LabError("cannot open", "/run", errno) }
        defer { close(old) }
        let entries = Files.list("/run")
        let result = linux_mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
        guard result == 0 else { throw LabError("cannot mount a file system of our own on", "/run", -result) }
        for name in ["netns", "sluice"] { try Files.makeDirectory("/run/\(name)") }
        for name in entries where name != "netns" && name != "sluice" {
            // What cannot be shown again is missed by whoever looks for it; the lab does not.
            reattach("/proc/self/fd/\(old)/\(name)", as: "/run/\(name)")
        }
    }

    private static func reattach(_ source: String, as target: String) {
        var status = stat()
        guard lstat(source, &status) == 0 else { return }
        switch status.st_mode & S_IFMT {
        case S_IFLNK:
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(source, &buffer, buffer.count - 1)
            if count > 0 { symlink(buffer, target) }
            return
        case S_IFDIR:
            mkdir(target, 0o755)
        default:
            close(open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
        }
        _ = linux_mount(source, target, nil, UInt(LINUX_MS_BIND | LINUX_MS_REC), nil)
    }

    private static func spawn(_ arguments: [String], _ environment: [String: String], _ flags: Int) -> (Int32, Int) {
        var step: Int32 = 0
        let pid = withCStrings(arguments) { argv in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
                linux_spawn_sandboxed(
                    "/proc/self/exe",
                    argv,
                    envp,
                    Int32(flags),
                    "0 \(geteuid()) 1",
                    "0 \(getegid()) 1",
                    &step
                )
            }
        }
        return (pid, Int(step))
    }

    private static func failure(_ step: Int, _ code: Int32) -> LabError {
        switch step {
        case LINUX_SANDBOX_CLONE where code == ENOSPC || code == EUSERS:
            return LabError(
                "cannot make a user namespace: the limit user.max_user_namespaces is reached (or it is 0). "
                    + "Raise it with sysctl, or run as root"
            )
        case LINUX_SANDBOX_CLONE:
            return LabError(
                "cannot make a user namespace: \(String(cString: strerror(code))). Containers often forbid it, "
                    + "and so does kernel.unprivileged_userns_clone=0. Allow it, or run as root"
            )
        case LINUX_SANDBOX_MAP, LINUX_SANDBOX_PRIVATE:
            return LabError(
                "cannot set up a user namespace: \(String(cString: strerror(code))). Where AppArmor restricts them, "
                    + "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them; or run as root"
            )
        case LINUX_SANDBOX_EXEC:
            return LabError("cannot start", "/proc/self/exe", code)
        default:
            return LabError("cannot mount", "/proc in a process namespace", code)
        }
    }

    private static let systemAdministration = 21
    private static let networkAdministration = 12

    private static func has(_ capability: Int) -> Bool {
        for line in (Files.text("/proc/thread-self/status") ?? "").split(separator: "\n") {
            guard line.hasPrefix("CapEff:"), let hex = line.split(whereSeparator: \.isWhitespace).last,
                let bits = UInt64(hex, radix: 16)
            else { continue }
            return bits >> UInt64(capability) & 1 == 1
        }
        return false
    }

    private static var isInitialUserNamespace: Bool {
        let fields = (Files.text("/proc/self/uid_map") ?? "").split(whereSeparator: \.isWhitespace)
        return fields == ["0", "0", "4294967295"]
    }

    /// Whether the user namespace that we are in owns our network namespace; otherwise we could never come back to it.
    private static var ownsNetworkNamespace: Bool {
        guard let current = try? NetworkNamespace.current() else { return false }
        let owner = linux_owning_user_namespace(current.descriptor)
        guard owner >= 0 else { return false }
        defer { close(owner) }
        var owning = stat()
        var ours = stat()
        return fstat(owner, &owning) == 0 && stat("/proc/thread-self/ns/user", &ours) == 0
            && owning.st_ino == ours.st_ino && owning.st_dev == ours.st_dev
    }
}
