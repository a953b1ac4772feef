import CLinux
import Glibc

/// posix_spawn(3) with what a lab needs of it.
public struct Spawn {
    public var path: String
    /// With the program's name as the first.
    public var arguments: [String]
    public var environment: [String: String]
    /// Our descriptor → the child's. Everything else that we opened is close-on-exec.
    public var descriptors: [(ours: Int32, theirs: Int32)] = []
    /// A session of its own: no terminal, and no ^C from ours.
    public var isDetached = false
    /// Looks for a name without a slash in PATH.
    public var searchesPath = false
    /// The child begins without the descriptors from this one on, whatever opened them.
    public var closesFrom: Int32?

    public init(
        path: String,
        arguments: [String],
        environment: [String: String],
        descriptors: [(ours: Int32, theirs: Int32)] = [],
        isDetached: Bool = false,
        searchesPath: Bool = false,
        closesFrom: Int32? = nil
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.descriptors = descriptors
        self.isDetached = isDetached
        self.searchesPath = searchesPath
        self.closesFrom = closesFrom
    }

    /// The child's pid; the errno that says why not, ENOENT for a program that is not there.
    public func start() -> Result<Int32, Errno> {
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
        if let closesFrom { _ = linux_spawn_close_from(&actions, closesFrom) }
        // A program expects to die of a closed pipe even when we chose not to.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        // The threads of a pool block all signals, and a child inherits that.
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        var flags = Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
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

    public struct Errno: Error { public var code: Int32 }
}

/// A NULL-terminated array of C strings, for as long as `body` runs.
func withCStrings<T>(_ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> T) -> T {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
