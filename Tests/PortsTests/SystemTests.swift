import CLinux
import Glibc
import Testing

@testable import Rings

/// The wrappers of `CLinux` that carry more than one line of logic.
@Suite struct SystemTests {
    private func pair() throws -> (Int32, Int32) {
        var sockets: [Int32] = [0, 0]
        try #require(linux_seqpacket_pair(&sockets) == 0)
        return (sockets[0], sockets[1])
    }

    private func receive(_ socket: Int32, room: Int) -> (result: Int32, bytes: [UInt8], descriptors: [Int32]) {
        var bytes = [UInt8](repeating: 0, count: 100)
        var descriptors = [Int32](repeating: -1, count: room)
        var count = room
        let result = linux_receive_descriptors(socket, &bytes, bytes.count, &descriptors, &count, 0)
        return (result, Array(bytes[..<max(0, Int(result))]), Array(descriptors[..<count]))
    }

    /// Descriptors of what `descriptor` is one of. Other tests have some of their own open meanwhile.
    private func copies(of descriptor: Int32) -> Int {
        func file(_ descriptor: Int32) -> stat? {
            var status = stat()
            return fstat(descriptor, &status) == 0 ? status : nil
        }
        let own = file(descriptor)
        return (0..<4_096).filter {
            guard let own, let other = file(Int32($0)) else { return false }
            return other.st_dev == own.st_dev && other.st_ino == own.st_ino
        }.count
    }

    /// Message boundaries and descriptors survive; what arrives names the same file and is closed on exec.
    @Test(arguments: [0, 1, 17, 64])
    func descriptorsPass(count: Int) throws {
        let (here, there) = try pair()
        let file = linux_memfd("test", 4_096)
        try #require(file >= 0)
        let sent = Array(repeating: file, count: count)
        #expect(linux_send_descriptors(here, [1, 2, 3] as [UInt8], 3, sent, count) == 3)
        #expect(linux_send_descriptors(here, [4] as [UInt8], 1, nil, 0) == 1)
        let first = receive(there, room: 64)
        #expect(first.bytes == [1, 2, 3] && first.descriptors.count == count)
        for descriptor in first.descriptors {
            #expect(linux_file_size(descriptor) == 4_096)
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            close(descriptor)
        }
        #expect(receive(there, room: 64).bytes == [4])
        close(here)
        #expect(receive(there, room: 64).result == 0)
        for fd in [there, file] { close(fd) }
    }

    /// A message that brings more than there is room for leaves nothing open behind.
    @Test func tooManyDescriptorsAreRefused() throws {
        let (here, there) = try pair()
        #expect(linux_send_descriptors(here, [1] as [UInt8], 1, Array(repeating: here, count: 65), 65) == -EINVAL)
        for _ in 0..<200 {
            #expect(linux_send_descriptors(here, [1] as [UInt8], 1, Array(repeating: here, count: 10), 10) == 1)
            let refused = receive(there, room: 3)
            #expect(refused.result == -EMSGSIZE && refused.descriptors.isEmpty)
        }
        #expect(copies(of: here) == 1)
        for fd in [here, there] { close(fd) }
    }

    /// Two mappings of one memory file, as two processes have them: a ring written in one is read in the other.
    @Test func ringsCrossMappings() throws {
        let size = SPSCRing.memorySize(capacity: 4_096)
        let file = linux_memfd("ring", size)
        try #require(file >= 0 && linux_file_size(file) == Int64(size))
        var one: UnsafeMutableRawPointer?
        var two: UnsafeMutableRawPointer?
        try #require(linux_map_shared(file, size, 1, &one) == 0 && linux_map_shared(file, size, 1, &two) == 0)
        let writer = SPSCRing.format(one!, capacity: 4_096)
        let reader = try #require(SPSCRing(attachedTo: two!, size: size))
        for number in 0..<1_000 {
            var value = UInt64(number)
            #expect(writer.tryWrite(&value, 8))
            #expect(reader.peek()?.loadUnaligned(as: UInt64.self) == value)
            reader.release()
        }
        #expect(linux_unmap(one, size) == 0 && linux_unmap(two, size) == 0)
        close(file)
    }

    @Test func sealedMemoryStaysAsItIs() throws {
        let file = linux_memfd("sealed", 4_096)
        let seals = LINUX_F_SEAL_WRITE | LINUX_F_SEAL_GROW | LINUX_F_SEAL_SHRINK | LINUX_F_SEAL_SEAL
        #expect(linux_add_seals(file, Int32(seals)) == 0)
        #expect(linux_get_seals(file) & Int32(seals) == Int32(seals))
        #expect(ftruncate(file, 8_192) < 0)
        var memory: UnsafeMutableRawPointer?
        #expect(linux_map_shared(file, 4_096, 1, &memory) == -EPERM)
        #expect(linux_map_shared(file, 4_096, 0, &memory) == 0)
        #expect(linux_unmap(memory, 4_096) == 0)
        close(file)
    }

    @Test func epollTellsWhoIsReady() throws {
        let epoll = linux_epoll_create()
        let wake = linux_eventfd()
        try #require(epoll >= 0 && wake >= 0)
        #expect(linux_epoll_add(epoll, wake, UInt32(LINUX_EPOLLIN), 0x1234_5678_9ABC_DEF0) == 0)
        var events = [linux_epoll_event](repeating: linux_epoll_event(), count: 4)
        #expect(linux_epoll_wait(epoll, &events, 4, 0) == 0)
        #expect(linux_eventfd_signal(wake) == 8)
        #expect(linux_epoll_wait(epoll, &events, 4, 100) == 1)
        #expect(events[0].data == 0x1234_5678_9ABC_DEF0 && events[0].events == UInt32(LINUX_EPOLLIN))
        #expect(linux_eventfd_clear(wake) == 8)
        #expect(linux_eventfd_clear(wake) == -EAGAIN)
        // Asked for again, it is changed.
        #expect(linux_epoll_add(epoll, wake, UInt32(LINUX_EPOLLOUT), 7) == 0)
        #expect(linux_epoll_wait(epoll, &events, 4, 0) == 1 && events[0].data == 7)
        #expect(linux_epoll_remove(epoll, wake) == 0 && linux_epoll_remove(epoll, wake) == -ENOENT)
        for fd in [epoll, wake] { close(fd) }
    }

    @Test func clocksMoveForward() {
        let before = linux_monotonic()
        let coarse = linux_monotonic_coarse()
        #expect(linux_monotonic() >= before)
        #expect(coarse <= linux_monotonic() && coarse + 1_000_000_000 > before)
        #expect(linux_wall_clock() > 1_700_000_000 * 1_000_000_000)
    }

    @Test func aSocketKnowsItsNamespace() throws {
        try withNamespaces(1) { spaces in
            let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            let found = linux_socket_namespace(fd)
            try #require(found >= 0)
            var expected = stat()
            var actual = stat()
            #expect(fstat(spaces[0].fd, &expected) == 0 && fstat(found, &actual) == 0)
            #expect(expected.st_ino == actual.st_ino)
            for fd in [fd, found] { close(fd) }
        }
    }
}
