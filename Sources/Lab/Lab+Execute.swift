import CLinux
import Glibc
import Netlink

extension Lab {
    /// Becomes `command` inside a namespace, as `ip netns exec` would: with a /sys that shows the namespace's devices
    /// and with the files of /etc/netns/NAME in place of those in /etc. Returns only with an error.
    public static func execute(_ command: [String], in namespace: String) -> LabError {
        do {
            let target = try NetworkNamespace(named: namespace)
            let result = linux_setns(target.descriptor, Int32(LINUX_CLONE_NEWNET))
            guard result == 0 else { throw NetlinkError("enter namespace", namespace, errno: -result) }
        } catch {
            return LabError("\(error)")
        }
        // Only this thread's mounts change, and only this thread survives exec.
        var result = linux_unshare(Int32(LINUX_CLONE_NEWNS))
        guard result == 0 else { return LabError("cannot unshare mounts for", namespace, -result) }
        // Whatever is unmounted outside later must go here too, or the lab's namespaces would live on.
        result = linux_mount("", "/", "none", UInt(LINUX_MS_SLAVE | LINUX_MS_REC), nil)
        guard result == 0 else { return LabError("cannot make mounts private in", namespace, -result) }
        remountSys(namespace)
        bindConfiguration(of: namespace)

        // The thread may be one of a pool, which blocks all signals.
        var mask = sigset_t()
        sigemptyset(&mask)
        pthread_sigmask(SIG_SETMASK, &mask, nil)
        signal(SIGPIPE, SIG_DFL)
        var name = command.first ?? ""
        if name.isEmpty { name = "sh" }
        _ = withCStrings(command.isEmpty ? [name] : command) { execvp(name, $0) }
        return LabError("cannot run \(name) in", namespace, errno)
    }

    /// The old /sys shows the devices of the namespace we came from. In a user namespace it may be locked: then the
    /// new one goes on top, or, where that is forbidden too, the old one stays.
    private static func remountSys(_ namespace: String) {
        var status = statvfs()
        let isReadOnly = statvfs("/sys", &status) == 0 && status.f_flag & 1 != 0
        _ = linux_umount("/sys", Int32(LINUX_MNT_DETACH))
        if linux_mount(namespace, "/sys", "sysfs", isReadOnly ? UInt(LINUX_MS_RDONLY) : 0, nil) != 0 {
            _ = linux_mount("/sys", "/sys", "none", UInt(LINUX_MS_BIND), nil)
        }
    }

    private static func bindConfiguration(of namespace: String) {
        let directory = "/etc/netns/\(namespace)"
        for name in Files.list(directory) {
            _ = linux_mount("\(directory)/\(name)", "/etc/\(name)", "none", UInt(LINUX_MS_BIND), nil)
        }
    }

    /// Runs `command` to its end, passing on signals that were sent to us alone. The status as a shell tells it:
    /// 128 and the signal's number for a command that died of one.
    ///
    /// A terminal's ^C reaches the command without us, and what it means is the command's affair. SIGTERM and SIGHUP
    /// mean that the end is near: five seconds later, or when another comes after the first second, the command is
    /// killed. (timeout(1) sends two at once.)
    public static func run(
        _ command: [String],
        environment: [String: String],
        signals: SignalTrap
    ) throws(LabError) -> Int32 {
        let spawn = Spawn(
            path: command.first ?? "",
            arguments: command,
            environment: environment,
            searchesPath: true
        )
        switch spawn.start() {
        case .success(let pid):
            return wait(for: pid, signals: signals, killsAfter: 5)
        case .failure(let error):
            throw LabError("cannot run", command.first ?? "", error.code)
        }
    }

    /// Waits for a child and answers its status as a shell would.
    static func wait(for pid: Int32, signals: SignalTrap, killsAfter grace: Double?) -> Int32 {
        var deadline: Double?
        while true {
            // The first process of a namespace also gets the orphans of all others.
            var status: Int32 = 0
            while true {
                let ended = waitpid(getpid() == 1 ? -1 : pid, &status, WNOHANG)
                if ended == pid { return shellStatus(status) }
                if ended <= 0 { break }
            }
            while let caught = signals.next() {
                let isFinal = caught.signal == SIGTERM || caught.signal == SIGHUP
                if caught.isFromProcess { kill(pid, caught.signal) }
                if isFinal, let grace {
                    if let end = deadline, Clock.now > end - grace + 1 { kill(pid, SIGKILL) }
                    deadline = deadline ?? Clock.now + grace
                }
            }
            if let end = deadline, Clock.now >= end { kill(pid, SIGKILL) }
            signals.wait(milliseconds: deadline == nil ? 1000 : 100)
        }
    }

    private static func shellStatus(_ status: Int32) -> Int32 {
        status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
    }
}
