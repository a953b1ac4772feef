import CLinux
import Forwarding
import Ports
import Rings
import Tables
import Wire

extension Worker {
    /// Most endpoints that one wait reports.
    static var eventCapacity: Int { 64 }
    /// Bursts that one endpoint may have before the others are looked at.
    static var burstsPerTurn: Int { 4 }
    /// A turn without work lasts at most this long, so that `now` and ageing go on.
    static var idleMilliseconds: Int32 { 500 }
    /// Pages of learned addresses aged in a second, at least: the standard table has its turn in a minute and a half.
    static var leastPagesPerSlice: Int { 64 }

    /// Runs until told to stop.
    mutating func run() {
        let events = UnsafeMutablePointer<linux_epoll_event>.allocate(capacity: Worker.eventCapacity)
        defer { events.deallocate() }
        while running {
            let ready = wait(events)
            let time = linux_monotonic_coarse()
            let second = UInt32(truncatingIfNeeded: time / 1_000_000_000)
            milliseconds = UInt32(truncatingIfNeeded: time / 1_000_000)
            if second != now {
                now = second
                state.now = second
            }
            if ready > 0 {
                for i in 0..<Int(ready) {
                    if events[i].data == Worker.wakeToken {
                        obey()
                    } else if events[i].data == Worker.newsToken {
                        listen()
                    } else {
                        serve(UInt32(truncatingIfNeeded: events[i].data))
                    }
                }
            }
            turns &+= 1
            state.turns = turns
            // By the empty snapshot of the beginning every address would be a stranger's.
            if agedAt != now && snapshot.generation != 0 {
                age()
                countLosses()
                if questionCount > 0 { reviewQuestions() }
                if uplink != noSlot { tendUplink() }
            }
        }
    }

    /// Waits for events, asleep or awake.
    @inline(__always)
    private mutating func wait(_ events: UnsafeMutablePointer<linux_epoll_event>) -> Int32 {
        let start = linux_monotonic()
        var last = start
        while patience.pays {
            let ready = linux_epoll_wait(epoll, events, Int32(Worker.eventCapacity), 0)
            if ready != 0 { return ready }
            linux_yield()
            let time = linux_monotonic()
            patience.note(yielded: time &- last)
            last = time
            patience.note(waited: time &- start)
        }
        let ready = linux_epoll_wait(epoll, events, Int32(Worker.eventCapacity), Worker.idleMilliseconds)
        patience.note(waited: linux_monotonic() &- start)
        return ready
    }

    /// Once a second: forgets a slice of what is outlived.
    @inline(never)
    mutating func age() {
        agedAt = now
        for i in 0..<pagesPerSlice {
            let page = agePage
            occupiedPages += state.macs.isOccupied(page: page) ? 1 : 0
            agePage = state.macs.sweep(page: page, now: now, snapshot: snapshot)
            if agePage == 0 { endRound() }
            if !exchange.isAlone { tellPage(page) }
            if i < Worker.leastPagesPerSlice {
                neighborPage = state.taught.neighbors.sweep(page: neighborPage, now: now, snapshot: snapshot)
            }
        }
        if exchange.hasTold { exchange.wakeOthers() }
    }

    /// Once a second: counts what the sockets had no room for. Where something was lost, something was read later.
    @inline(never)
    mutating func countLosses() {
        for slot in 0..<capacity where wasRead[slot] {
            wasRead[slot] = false
            state.counters[slot].receiveFailures &+= UInt64(ports[slot].takeLosses())
        }
    }

    /// Every page of learned addresses has had its turn. Three quarters of them are in use when some eight thousand
    /// addresses are spread over a table of the standard size.
    private mutating func endRound() {
        hasManyMACs = occupiedPages > max(64, state.macs.pageCount * 3 / 4)
        occupiedPages = 0
    }
}
