import CLinux
import Glibc

/// A memory file and its mapping in this process. Closed and unmapped with the object.
final class SharedMemory {
    let fd: Int32
    let base: UnsafeMutableRawPointer
    let count: Int

    private init(fd: Int32, base: UnsafeMutableRawPointer, count: Int) {
        self.fd = fd
        self.base = base
        self.count = count
    }

    deinit {
        munmap(base, count)
        close(fd)
    }

    /// A zeroed, sparse region that both processes write or read.
    static func create(_ name: String, size: Int) throws -> SharedMemory {
        let fd = linux_memfd(name, size)
        guard fd >= 0 else { throw SystemRefusal("make shared memory", name, errno: -fd) }
        return try adopt(fd, writable: true)
    }

    /// An image that nobody can change any more: written, then sealed.
    static func sealed(_ name: String, _ bytes: [UInt8]) throws -> SharedMemory {
        try seal(name, bytes.withUnsafeBytes { try filled(name, $0) })
    }

    /// A copy that differs a little. Nil when `change` says that it cannot be made.
    static func sealed(
        _ name: String,
        copyOf other: SharedMemory,
        _ change: (UnsafeMutableRawBufferPointer) -> Bool
    ) throws -> SharedMemory? {
        let fd = try filled(name, UnsafeRawBufferPointer(start: other.base, count: other.count))
        let base = mmap(nil, other.count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        guard let base, base != MAP_FAILED else {
            let error = errno
            close(fd)
            throw SystemRefusal("map shared memory", name, errno: error)
        }
        let isChanged = change(UnsafeMutableRawBufferPointer(start: base, count: other.count))
        munmap(base, other.count)
        if isChanged { return try seal(name, fd) }
        close(fd)
        return nil
    }

    private static func filled(_ name: String, _ bytes: UnsafeRawBufferPointer) throws -> Int32 {
        let fd = linux_memfd(name, 0)
        guard fd >= 0 else { throw SystemRefusal("make shared memory", name, errno: -fd) }
        var done = 0
        while done < bytes.count {
            let n = write(fd, bytes.baseAddress! + done, bytes.count - done)
            guard n > 0 else {
                let error = errno
                close(fd)
                throw SystemRefusal("fill shared memory", name, errno: error)
            }
            done += n
        }
        return fd
    }

    private static func seal(_ name: String, _ fd: Int32) throws -> SharedMemory {
        let sealed = linux_add_seals(
            fd,
            Int32(LINUX_F_SEAL_SEAL | LINUX_F_SEAL_SHRINK | LINUX_F_SEAL_GROW | LINUX_F_SEAL_WRITE)
        )
        guard sealed >= 0 else {
            close(fd)
            throw SystemRefusal("seal shared memory", name, errno: -sealed)
        }
        return try adopt(fd, writable: false)
    }

    /// Maps a memory file that came from somewhere else, and owns its descriptor from now on.
    static func adopt(_ fd: Int32, writable: Bool) throws -> SharedMemory {
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_size > 0 else {
            close(fd)
            throw SystemRefusal("map shared memory", "descriptor \(fd)", errno: EINVAL)
        }
        let count = Int(status.st_size)
        let base = mmap(nil, count, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0)
        guard let base, base != MAP_FAILED else {
            let error = errno
            close(fd)
            throw SystemRefusal("map shared memory", "descriptor \(fd)", errno: error)
        }
        return SharedMemory(fd: fd, base: base, count: count)
    }
}

/// The system said no to something of our own, as opposed to a device of the operator's.
struct SystemRefusal: Error, CustomStringConvertible {
    var operation: String
    var object: String
    var code: Int32

    init(_ operation: String, _ object: String, errno: Int32) {
        self.operation = operation
        self.object = object
        self.code = errno
    }

    var description: String { "cannot \(operation) (\(object)): \(String(cString: strerror(code)))" }
}
