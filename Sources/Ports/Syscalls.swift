import CLinux

// Every system call of this module. Results are counts or negative errnos.

enum Syscall {
    // MARK: Frames

    @inline(__always)
    static func read(_ fd: Int32, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int32 {
        linux_read(fd, bytes, count)
    }

    @inline(__always)
    static func write(_ fd: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int32 { linux_write(fd, bytes, count) }

    @inline(__always)
    static func writev(_ fd: Int32, _ pieces: UnsafePointer<iovec>, _ count: Int32) -> Int32 {
        linux_writev(fd, pieces, count)
    }

    @inline(__always)
    static func recvmmsg(_ fd: Int32, _ messages: UnsafeMutablePointer<linux_mmsghdr>, _ count: Int) -> Int32 {
        linux_recvmmsg(fd, messages, UInt32(truncatingIfNeeded: count))
    }

    @inline(__always)
    static func sendmmsg(_ fd: Int32, _ messages: UnsafeMutablePointer<linux_mmsghdr>, _ count: Int) -> Int32 {
        linux_sendmmsg(fd, messages, UInt32(truncatingIfNeeded: count))
    }

    @inline(__always)
    static func sendmsg(_ fd: Int32, _ message: UnsafePointer<msghdr>) -> Int32 { linux_sendmsg(fd, message) }

    /// 1 with an entry of the error queue, 0 without.
    @inline(__always)
    static func readError(_ fd: Int32, _ error: UnsafeMutablePointer<linux_socket_error>) -> Int32 {
        linux_read_error(fd, error)
    }

    /// The error that waits at a socket, as a negative errno; 0 without one.
    @inline(__always)
    static func takeFailure(_ fd: Int32) -> Int32 {
        var code: Int32 = 0
        let result = linux_get_option(fd, Int32(LINUX_SOL_SOCKET), Int32(LINUX_SO_ERROR), &code)
        return result < 0 ? result : 0 &- code
    }

    /// Frames that a packet socket had no room for since it was asked before.
    @inline(__always)
    static func takePacketLosses(_ fd: Int32) -> UInt32 { UInt32(max(0, linux_packet_losses(fd))) }

    /// What another socket had no room for since it was opened. The count begins anew after 2³².
    @inline(__always)
    static func socketLosses(_ fd: Int32) -> UInt32 { UInt32(truncatingIfNeeded: max(0, linux_socket_losses(fd))) }

    // MARK: Opening

    static func socket(_ family: Int32, _ type: Int32, _ protocolNumber: Int32) -> Int32 {
        linux_socket(family, type, protocolNumber)
    }

    static func set(_ fd: Int32, _ level: Int, _ name: Int, _ value: Int32) -> Int32 {
        linux_set_option(fd, Int32(level), Int32(name), value)
    }

    static func bind(_ fd: Int32, _ address: SocketAddress) -> Int32 {
        withUnsafeBytes(of: address.bytes) { linux_bind(fd, $0.baseAddress, UInt32(address.length)) }
    }

    static func bindPacket(_ fd: Int32, _ interfaceIndex: Int32) -> Int32 { linux_bind_packet(fd, interfaceIndex) }

    static func addPromiscuous(_ fd: Int32, _ interfaceIndex: Int32) -> Int32 {
        linux_add_promiscuous(fd, interfaceIndex)
    }

    static func socketProtocol(_ fd: Int32) -> Int32 { linux_socket_protocol(fd) }

    static func refuseInput(_ fd: Int32) -> Int32 { linux_refuse_input(fd) }

    static func openTUN() -> Int32 { linux_open_tun() }

    /// `name` is IFNAMSIZ bytes and comes back as the kernel chose it.
    static func attachTUN(_ fd: Int32, _ name: UnsafeMutablePointer<CChar>, _ flags: Int) -> Int32 {
        linux_tun_attach(fd, name, Int32(flags))
    }

    static func setTUNOffloads(_ fd: Int32, _ offloads: UInt32) -> Int32 { linux_tun_set_offloads(fd, offloads) }

    static func setTUNHeaderSize(_ fd: Int32, _ size: Int32) -> Int32 { linux_tun_set_header_size(fd, size) }

    static func setTUNLittleEndian(_ fd: Int32) -> Int32 { linux_tun_set_little_endian(fd) }

    static func close(_ fd: Int32) { _ = linux_close(fd) }
}
