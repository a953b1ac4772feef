import CLinux
import Glibc
import Testing

@testable import Ports

@Suite struct CallBatchTests {
    private func withPipe(_ body: (CallBatch, _ reading: Int32, _ writing: Int32) throws -> Void) throws {
        let calls = try #require(CallBatch())
        defer { calls.deallocate() }
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        try body(calls, ends[0], ends[1])
    }

    /// The pipe would let its reader wait; nobody waits here.
    @Test func endInTheirOrderAndNeverWait() throws {
        try withPipe { calls, reading, writing in
            var bytes = [UInt8](0..<UInt8(CallBatch.capacity))
            bytes.withUnsafeMutableBytes { bytes in
                for round in 0..<1000 {
                    let count = 1 + round % CallBatch.capacity
                    for index in 0..<count { calls.write(index, writing, bytes.baseAddress! + index, 1) }
                    calls.run(count)
                    #expect((0..<count).allSatisfy { calls.result($0) == 1 })
                    var found = [UInt8](repeating: 0xFF, count: CallBatch.capacity)
                    found.withUnsafeMutableBytes { found in
                        for index in 0..<CallBatch.capacity {
                            calls.read(index, reading, found.baseAddress! + index, 1)
                        }
                        calls.run(CallBatch.capacity)
                    }
                    #expect(
                        found == [UInt8](0..<UInt8(count)) + [UInt8](repeating: 0xFF, count: CallBatch.capacity - count)
                    )
                    #expect((count..<CallBatch.capacity).allSatisfy { calls.result($0) == -EAGAIN })
                }
            }
        }
    }

    @Test func oneThatFailsIsTheOnlyOne() throws {
        try withPipe { calls, reading, writing in
            let header: [UInt8] = [1, 2]
            let payload: [UInt8] = [3, 4, 5]
            for _ in 0..<100 {
                calls.write(0, writing, header, 2, payload, 3)
                calls.write(1, 12345, header, 2, payload, 3)
                calls.write(2, reading, header, 2)
                calls.write(3, writing, header, 2, nil, 0)
                calls.run(4)
                #expect((0..<4).map(calls.result) == [5, -EBADF, -EBADF, 2])
                var found = [UInt8](repeating: 0, count: 10)
                #expect(read(reading, &found, 10) == 7 && found[..<7] == [1, 2, 3, 4, 5, 1, 2])
            }
        }
    }

    @Test func aFileThatCouldWaitIsLeftAlone() throws {
        try withPipe { calls, _, _ in
            let file = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 20)
            bytes.withUnsafeMutableBytes {
                calls.read(0, file, $0.baseAddress!, 20)
                calls.run(1)
            }
            #expect(CallBatch.isUndone(0 - calls.result(0)))
        }
    }
}
