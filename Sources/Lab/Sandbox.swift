import CLinux
import FoundationEssentials
import Glibc
import Netlink

/// A place where anyone may make namespaces: a user namespace in which we are root, with a /run of its own, and a
/// process namespace, so that nothing outlives it however it ends.
public enum Sandbox {
    private static let environmentKey = "SLUICE_SANDBOX"

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
        environment[environmentKey] = "1"
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

    /// In the sandbox, before anything else: its fresh network namespace has a loopback that is down.
    public static func prepare() {
        guard ProcessInfo.processInfo.environment[environmentKey] != nil else { return }
        // Without a loopback commands that need one say so themselves.
        try? Netlink().setUp(1)
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
        case LINUX_SANDBOX_MAP, LINUX_SANDBOX_PRIVATE, LINUX_SANDBOX_RUN:
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
