import CLinux
import Glibc

/// posix_spawn(3) with what a lab needs of it.
struct Spawn {
    var path: String
    var arguments: [String]
    var environment: [String: String]
    /// Our descriptor → the child's. Everything else that we opened is close-on-exec.
    var descriptors: [(ours: Int32, theirs: Int32)] = []
    /// A session of its own: no terminal, and no ^C from ours.
    var isDetached = false
    /// Looks for a name without a slash in PATH.
    var searchesPath = false

    /// The child's pid; the errno that says why not, ENOENT for a program that is not there.
    func start() -> Result<Int32, Errno> {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // To the same number it clears close-on-exec, so no case needs an exception.
        for (ours, theirs) in descriptors { posix_spawn_file_actions_adddup2(&actions, ours, theirs) }
        if isDetached { _ = linux_spawn_in_directory(&actions, "/") }
        // A program expects to die of a closed pipe even when we chose not to.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var flags = Int16(POSIX_SPAWN_SETSIGDEF)
        if isDetached { flags |= 0x80 }  // POSIX_SPAWN_SETSID
        posix_spawnattr_setflags(&attributes, flags)

        var pid: pid_t = 0
        let result = withCStrings(arguments) { argv in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
                searchesPath
                    ? posix_spawnp(&pid, path, &actions, &attributes, argv, envp)
                    : posix_spawn(&pid, path, &actions, &attributes, argv, envp)
            }
        }
        return result == 0 ? .success(pid) : .failure(Errno(code: result))
    }

    struct Errno: Error { var code: Int32 }
}

/// A NULL-terminated array of C strings, for as long as `body` runs.
func withCStrings<T>(_ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> T) -> T {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
