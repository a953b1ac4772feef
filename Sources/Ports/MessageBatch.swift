import CLinux
import Rings
import Wire

/// Messages that one `sendmmsg` takes, with room for all that they point to.
struct MessageBatch {
    static let capacity = 64
    /// Header, payload up to the checksum field, the field, the rest.
    static let piecesPerMessage = 4
    static let nameSize = 32
    static let controlSize = 64

    let messages: UnsafeMutablePointer<linux_mmsghdr>
    let pieces: UnsafeMutablePointer<iovec>
    let names: UnsafeMutableRawPointer
    let controls: UnsafeMutableRawPointer
    /// Checksums that replace two bytes of a payload that must not be written.
    let patches: UnsafeMutablePointer<UInt16>
    let slots: UnsafeMutablePointer<UnsafeMutablePointer<TransmitSlot>?>
    /// How each message ended: 0 or an errno.
    let errors: UnsafeMutablePointer<Int32>
    let filled: UnsafeMutablePointer<Int>

    init() {
        let capacity = MessageBatch.capacity
        messages = .allocate(capacity: capacity)
        messages.initialize(repeating: linux_mmsghdr(), count: capacity)
        pieces = .allocate(capacity: capacity * MessageBatch.piecesPerMessage)
        pieces.initialize(repeating: iovec(), count: capacity * MessageBatch.piecesPerMessage)
        names = .allocate(byteCount: capacity * MessageBatch.nameSize, alignment: 64)
        names.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * MessageBatch.nameSize)
        controls = .allocate(byteCount: capacity * MessageBatch.controlSize, alignment: 64)
        controls.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * MessageBatch.controlSize)
        patches = .allocate(capacity: capacity)
        patches.initialize(repeating: 0, count: capacity)
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: nil, count: capacity)
        errors = .allocate(capacity: capacity)
        errors.initialize(repeating: 0, count: capacity)
        filled = .allocate(capacity: 1)
        filled.initialize(to: 0)
    }

    func deallocate() {
        messages.deallocate()
        pieces.deallocate()
        names.deallocate()
        controls.deallocate()
        patches.deallocate()
        slots.deallocate()
        errors.deallocate()
        filled.deallocate()
    }

    @inline(__always)
    var count: Int { filled.pointee }

    /// Takes the next message, with no address, ancillary data or pieces.
    @inline(__always)
    func next(_ slot: UnsafeMutablePointer<TransmitSlot>?) -> Int {
        let index = filled.pointee
        filled.pointee = index &+ 1
        slots[index] = slot
        messages[index].header.msg_name = nil
        messages[index].header.msg_namelen = 0
        messages[index].header.msg_control = nil
        messages[index].header.msg_controllen = 0
        messages[index].header.msg_iov = pieces + index &* MessageBatch.piecesPerMessage
        messages[index].header.msg_iovlen = 0
        return index
    }

    @inline(__always)
    func addPiece(_ index: Int, _ bytes: UnsafeRawPointer?, _ count: Int) {
        guard count > 0 else { return }
        let at = messages[index].header.msg_iovlen
        let piece = pieces + index &* MessageBatch.piecesPerMessage + Int(at)
        piece.pointee.iov_base = UnsafeMutableRawPointer(mutating: bytes)
        piece.pointee.iov_len = count
        messages[index].header.msg_iovlen = at &+ 1
    }

    /// Writes the checksum of a GRE header over all of a message (RFC 2784 §2.5): the header is at the beginning of its
    /// first piece.
    @inline(never)
    func writeGREChecksum(_ index: Int, _ header: UnsafeMutableRawPointer) {
        header.set16(4, 0)
        let first = pieces + index &* MessageBatch.piecesPerMessage
        var sum: UInt64 = 0
        var offset = 0
        for number in 0..<Int(messages[index].header.msg_iovlen) {
            let piece = first[number]
            guard let bytes = piece.iov_base else { continue }
            let count = Int(piece.iov_len)
            sum = Checksum.appending(Checksum.sum(bytes, count), at: offset, to: sum)
            offset &+= count
        }
        header.set16(4, Checksum.finish(sum))
    }

    /// Gives a message its destination and, unless it is zero, its type of service.
    @inline(__always)
    func address(_ index: Int, _ slot: UnsafeMutablePointer<TransmitSlot>, isIPv6: Bool) {
        let name = names + index &* MessageBatch.nameSize
        SocketAddress.write(
            slot.pointee.destination,
            port: slot.pointee.destinationPort,
            isIPv6: isIPv6,
            to: name
        )
        messages[index].header.msg_name = name
        messages[index].header.msg_namelen =
            UInt32(truncatingIfNeeded: isIPv6 ? SocketAddress.ipv6Length : SocketAddress.ipv4Length)
        guard slot.pointee.tos != 0 else { return }
        let control = controls + index &* MessageBatch.controlSize
        messages[index].header.msg_control = control
        messages[index].header.msg_controllen = MessageBatch.putTOS(slot.pointee.tos, isIPv6: isIPv6, at: control)
    }

    /// Ancillary data that sets DSCP and ECN of one message. Returns its space.
    @inline(__always)
    static func putTOS(_ tos: UInt8, isIPv6: Bool, at control: UnsafeMutableRawPointer) -> Int {
        var value = Int32(tos)
        return isIPv6
            ? linux_put_control(control, Int32(LINUX_SOL_IPV6), Int32(LINUX_IPV6_TCLASS), &value, 4)
            : linux_put_control(control, Int32(LINUX_SOL_IP), Int32(LINUX_IP_TOS), &value, 4)
    }

    /// Sends all messages in order and notes how each ended. A message that fails does not hold up those behind it,
    /// except when the socket's buffer is full: that does not change within one call, so the rest fails with it.
    ///
    /// An error may belong to an earlier packet (ICMP came in, a device went down and up): the kernel reports it once,
    /// in place of sending. So every message is tried again once.
    ///
    /// - Parameter news: where a tunnel's socket tells what it heard.
    func send(_ socket: Int32, _ news: UnderlayNews? = nil) {
        let count = filled.pointee
        var index = 0
        var isSecondTry = false
        while index < count {
            let result = Syscall.sendmmsg(socket, messages + index, count &- index)
            if result > 0 {
                for done in index..<min(count, index &+ Int(result)) { errors[done] = 0 }
                index &+= Int(result)
                isSecondTry = false
                // The error that ended the call early is lost; what it was about may be in the queue.
                if index < count { _ = news?.drain(socket) }
                continue
            }
            let error = result == 0 ? EAGAIN : 0 &- result
            if error == EAGAIN {
                for rest in index..<count { errors[rest] = EAGAIN }
                return
            }
            let heard = news?.drain(socket) ?? 0
            if !isSecondTry, error != ENOBUFS, error != EMSGSIZE || heard > 0 {
                isSecondTry = true
                continue
            }
            errors[index] = error
            index &+= 1
            isSecondTry = false
        }
    }

    @inline(__always)
    func clear() { filled.pointee = 0 }
}
