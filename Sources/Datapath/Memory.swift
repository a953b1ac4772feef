import CLinux
import Glibc
import Tables

/// Memory behind a descriptor.
struct Mapping {
    let base: UnsafeMutableRawPointer
    let count: Int

    /// Maps the whole of a memory file. `populate` takes the page faults now, on the caller's thread.
    init?(_ fd: Int32, writable: Bool, populate: Bool) {
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_size > 0 else { return nil }
        let base = mmap(
            nil,
            Int(status.st_size),
            PROT_READ | (writable ? PROT_WRITE : 0),
            MAP_SHARED | (populate ? Int32(MAP_POPULATE) : 0),
            fd,
            0
        )
        guard let base, base != MAP_FAILED else { return nil }
        self.base = base
        count = Int(status.st_size)
    }

    func unmap() { munmap(base, count) }
}

/// What a worker forwards by until it is told otherwise: nothing. Both live as long as the process.
enum Beginning {
    static func snapshot() -> Snapshot {
        let image = SnapshotBuilder().freeze(generation: 0, seed: 1)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: image.count, alignment: 16)
        memory.copyBytes(from: image)
        guard let snapshot = try? Snapshot(validating: UnsafeRawBufferPointer(memory)) else {
            preconditionFailure("the empty snapshot is valid")
        }
        return snapshot
    }

    static func state() -> StateRegion? {
        let size = StateRegion.size(.standard)
        let base = mmap(
            nil,
            size,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | Int32(MAP_ANONYMOUS) | Int32(MAP_NORESERVE),
            -1,
            0
        )
        guard let base, base != MAP_FAILED else { return nil }
        StateRegion.format(base, .standard, seed: 1)
        return StateRegion(base, count: size)
    }
}
