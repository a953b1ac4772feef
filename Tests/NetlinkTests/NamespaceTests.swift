import CLinux
import Glibc
import Netlink
import Testing

@Suite struct NamespaceTests {
    @Test func runGoesThereAndComesBack() throws {
        let home = try NetworkNamespace.current().identity
        let other = try NetworkNamespace.anonymous()
        #expect(other.identity != home)
        #expect(try other.run { try NetworkNamespace.current().identity } == other.identity)
        #expect(try NetworkNamespace.current().identity == home)
        struct Failure: Error {}
        #expect(throws: Failure.self) { try other.run { throw Failure() } }
        #expect(try NetworkNamespace.current().identity == home, "also when the body throws")
    }

    @Test func anAnonymousNamespaceGoesWithItsObject() throws {
        // A veth's far end vanishes when the namespace that held it does.
        let bench = try Bench()
        do {
            let other = try NetworkNamespace.anonymous()
            try bench.netlink.createVeth("a", peer: "b", peerNamespace: other)
            #expect(try bench.netlink.link(named: "a") != nil)
        }
        for _ in 0..<200 where try bench.netlink.link(named: "a") != nil { usleep(20_000) }
        #expect(try bench.netlink.link(named: "a") == nil)
    }

    @Test func namesAreMadeFoundListedAndDeleted() throws {
        try withPrivateRun {
            let home = try NetworkNamespace.current().identity
            #expect(NetworkNamespace.list() == [])
            let made = try NetworkNamespace.create("red-web")
            try NetworkNamespace.create("blue-web")
            #expect(NetworkNamespace.list() == ["blue-web", "red-web"])
            #expect(NetworkNamespace.exists("red-web") && !NetworkNamespace.exists("red"))
            #expect(made.identity != home && made.name == "red-web")
            #expect(NamespaceIdentity(path: "/run/netns/red-web") == made.identity)
            #expect(try NetworkNamespace(named: "/run/netns/red-web").identity == made.identity)
            #expect(try Netlink(in: made).link(index: 1)?.isUp == true)
            let taken = try #require(throws: NetlinkError.self) { try NetworkNamespace.create("red-web") }
            #expect(taken.errno == EEXIST && "\(taken)".contains("red-web"))
            #expect(NetworkNamespace.exists("red-web"), "a refused creation removes nothing")
            try NetworkNamespace.delete("red-web")
            #expect(NetworkNamespace.list() == ["blue-web"])
            let missing = try #require(throws: NetlinkError.self) { try NetworkNamespace.delete("red-web") }
            #expect(missing.errno == ENOENT)
            try NetworkNamespace.delete("blue-web")
            #expect(try NetworkNamespace.current().identity == home)
        }
    }

    @Test func ipNetnsSeesThem() throws {
        try withPrivateRun {
            try NetworkNamespace.create("seen")
            // As `ip netns` leaves it: the directory is a shared mount of its own, the name a mount in it. Of several
            // mounts on one path the last is on top.
            let mounts = try lines(of: "/proc/thread-self/mountinfo").map { $0.split(separator: " ") }
            let directory = try #require(mounts.last { $0[4] == "/run/netns" })
            #expect(directory.contains { $0.hasPrefix("shared:") })
            #expect(mounts.contains { $0[4] == "/run/netns/seen" && $0.contains("nsfs") })
            try NetworkNamespace.delete("seen")
        }
    }

    @Test func aFileWithoutANamespaceCanBeDeleted() throws {
        try withPrivateRun {
            try NetworkNamespace.create("whole")
            close(open("/run/netns/half", O_RDONLY | O_CREAT, 0o644))
            let error = try #require(throws: NetlinkError.self) { _ = try NetworkNamespace(named: "half") }
            #expect("\(error)".contains("half"))
            try NetworkNamespace.delete("half")
            #expect(NetworkNamespace.list() == ["whole"])
            try NetworkNamespace.delete("whole")
        }
    }

    @Test func badNamesAreRefusedBeforeAnythingIsMade() throws {
        for name in ["", ".", "..", "a/b", String(repeating: "x", count: 256)] {
            let error = try #require(throws: NetlinkError.self) { try NetworkNamespace.create(name) }
            #expect(error.errno == EINVAL)
        }
        #expect(throws: NetlinkError.self) { try NetworkNamespace(named: "/etc/hostname") }
    }

    private func lines(of path: String) throws -> [String] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var lines: [String] = []
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        while getline(&line, &capacity, file) > 0 { lines.append(String(cString: line!)) }
        free(line)
        return lines
    }
}
