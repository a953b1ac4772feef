import CLinux
import Forwarding
import Glibc
import Ports
import Rings
import Tables
import Wire

// Driving a worker by hand, without threads, sockets or a clock: how tests run whole switches in one process.

extension Worker {
    /// A worker without a control thread: alone, or one of those that `Exchange.make` joins. Nil when the system refuses
    /// descriptors.
    public init?(snapshot: Snapshot, state: StateRegion, now: UInt32, exchange: Exchange = Exchange()) {
        let epoll = linux_epoll_create()
        guard let mailbox = Mailbox(), epoll >= 0 else { return nil }
        self.init(snapshot: snapshot, state: state, epoll: epoll, mailbox: mailbox, exchange: exchange)
        self.now = now
        milliseconds = now &* 1000
    }

    /// Gives back what the system lent for a worker that is not needed any more.
    public func closeDescriptors() {
        for descriptor in [epoll, exchange.wake] + mailbox.descriptors where descriptor >= 0 { close(descriptor) }
    }

    /// Serves an endpoint slot from now on. The slot is within the capacity of the state.
    public mutating func attach(_ port: PortIO, slot: UInt32) { ports[Int(slot)] = port }

    /// Forwards one burst of what waits at an endpoint.
    public mutating func turn(slot: UInt32) { serve(slot) }

    /// Forwards by another snapshot from the next burst on.
    public mutating func use(_ new: Snapshot) {
        snapshot = new
        paceRounds()
        findUplink()
    }

    /// Sets the second that learning and ageing go by.
    public mutating func advance(to second: UInt32) { advance(toMilliseconds: second &* 1000) }

    /// The same, with what rates go by.
    public mutating func advance(toMilliseconds time: UInt32) {
        now = time / 1000
        milliseconds = time
        state.now = now
    }

    /// What the worker does once a second about addresses that it has asked for.
    public mutating func review() {
        reviewQuestions()
        if uplink != noSlot { tendUplink() }
    }

    /// Takes over what the other workers have told, as much as in one turn. Returns the number of records.
    public mutating func hearOthers() -> Int { listen() }

    /// Forgets what was learned in a segment, or everywhere with `noSlot`.
    public mutating func forget(segment: UInt32) { flushTaught(segment) }

    /// Ages a slice of the learned addresses, and tells the others which of them live.
    public mutating func ageSlice() { age() }
}
