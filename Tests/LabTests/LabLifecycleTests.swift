import CLinux
import Glibc
import Model
import Netlink
import Testing

@testable import Lab

/// Whole labs with a stand-in for the switch: a shell script that starts a second process, writes both pid files and
/// says that it is ready.
@Suite(.serialized) struct LabLifecycleTests {
    private static let topology = """
        sluice: 1
        hosts: {h1: {vtep: 192.0.2.1}, h2: {vtep: 192.0.2.2, physical: {p: eth1}}}
        tenants:
          red:
            networks: {app: {segment: {type: vxlan, id: 5001}, subnets: [10.0.0.0/24]}}
            ports:
              web: {host: h1, network: app, address: 10.0.0.11/24, attach: {netns: red-web}}
              db: {host: h2, network: app, address: 10.0.0.12/24, attach: {device: eth3}}
        """

    private static let standIn = """
        #!/bin/sh
        # $0 run --host H --config F --netns N --run-dir D --ready-fd 3 --underlay-mtu M
        directory=$9
        trap 'kill $datapath; exit' TERM
        identify() { set -- $1 $(sed 's/.*) //' /proc/$1/stat); echo $1; shift 20; echo $1; }
        echo "host $3 in $7"
        if [ -e "$directory/../../../refuse-$3" ]; then echo 'no such device: eth7'; exit 1; fi
        sleep 1000 3>&- & datapath=$!; identify $datapath > "$directory/datapath.pid"
        identify $$ > "$directory/control.pid"
        echo ready >&3
        exec 3>&-
        wait
        """

    @Test func upMakesWhatThePlanSaysAndDownRemovesIt() throws {
        try withPrivateRun { bench in
            let (topology, plan) = try bench.lab.plan()
            #expect(topology.hosts.count == 2)
            var lines: [String] = []
            try bench.lab.up(plan, executable: bench.script, report: { lines.append($0) })
            #expect(Set(lines) == ["host h1 up", "host h2 up"])
            #expect(Set(NetworkNamespace.list()) == Set(plan.namespaces.map(\.name)))

            let host = try Netlink(in: try NetworkNamespace(named: "demo-h2"))
            #expect(Set(try host.links().filter { $0.kind == "veth" }.map(\.name)) == ["underlay0", "eth1", "eth3"])
            #expect(try host.links().filter { $0.kind == "veth" }.allSatisfy { $0.isUp })
            let tenant = try Netlink(in: try NetworkNamespace(named: "red-db"))
            let device = try #require(try tenant.link(named: "eth0"))
            #expect(device.isUp && device.mtu == 1450)
            #expect(try tenant.addresses(device.index).map(\.description).contains("10.0.0.12/24"))

            let status = try #require(bench.lab.status())
            #expect(status.isWhole && status.hosts.count == 2)
            #expect(try bench.lab.namespace(of: "h1") == "demo-h1")
            #expect(try bench.lab.namespace(of: "db") == "red-db")
            #expect(try bench.lab.namespace(of: "red/web") == "red-web")
            let unknown = try #require(throws: LabError.self) { try bench.lab.namespace(of: "nobody") }
            #expect(unknown.message.contains("red/web"))

            let again = try #require(throws: LabError.self) { try bench.lab.up(plan, executable: bench.script) }
            #expect(again.message.contains("is up already"))
            #expect(bench.lab.status()?.isWhole == true, "a refused `up` harms nothing")

            let removal = try bench.lab.down()
            #expect(removal.wasThere && removal.ended.isEmpty && removal.trouble.isEmpty)
            #expect(NetworkNamespace.list() == [])
            #expect(bench.lab.record == nil && bench.runningSwitches == 0)
            #expect(try bench.lab.down() == LabRemoval(), "a second time there is nothing to do")
        }
    }

    @Test func aHostThatDoesNotStartTakesTheLabDownAndShowsItsLog() throws {
        try withPrivateRun { bench in
            close(open("\(bench.lab.directory.base)/refuse-h2", O_CREAT | O_WRONLY, 0o644))
            let error = try #require(throws: LabError.self) {
                try bench.lab.up(try bench.lab.plan().plan, executable: bench.script)
            }
            #expect(error.message.contains("host h2 did not start") && error.message.contains("no such device: eth7"))
            #expect(NetworkNamespace.list() == [] && bench.lab.record == nil && bench.runningSwitches == 0)
        }
    }

    @Test func whatWasThereBeforeIsRefusedAndLeftAlone() throws {
        try withPrivateRun { bench in
            let foreign = try NetworkNamespace.create("red-web").identity
            let error = try #require(throws: LabError.self) {
                try bench.lab.up(try bench.lab.plan().plan, executable: bench.script)
            }
            #expect(error.message.contains("red-web"))
            #expect(NetworkNamespace.list() == ["red-web"])
            #expect(NamespaceIdentity(path: "/run/netns/red-web") == foreign)
        }
    }

    @Test func aNameThatMeansAnotherNamespaceByNowIsLeftAlone() throws {
        try withPrivateRun { bench in
            try bench.lab.up(try bench.lab.plan().plan, executable: bench.script)
            try NetworkNamespace.delete("red-web")
            let foreign = try NetworkNamespace.create("red-web").identity
            #expect(bench.lab.status()?.missingNamespaces == ["red-web"])
            #expect(try bench.lab.down().trouble == [])
            #expect(NetworkNamespace.list() == ["red-web"])
            #expect(NamespaceIdentity(path: "/run/netns/red-web") == foreign)
        }
    }

    /// As after SIGKILL between the record and the namespaces, with one made, one half-made, the others not at all.
    @Test func aHalfMadeLabIsTakenDown() throws {
        try withPrivateRun { bench in
            let plan = try bench.lab.plan().plan
            let gone = ProcessIdentity(pid: 999_999, startTime: 1)
            try Files.makeDirectory(bench.lab.path)
            let record = LabRecord(plan, file: bench.lab.file, directory: bench.lab.directory, maker: gone)
            try record.write(to: bench.lab.directory.record(bench.lab.name))
            try NetworkNamespace.create("demo-h1")
            close(open("/run/netns/demo-h2", O_CREAT | O_RDONLY, 0))
            try NetworkNamespace.create("bystander")
            #expect(bench.lab.status()?.isWhole == false)
            #expect(try bench.lab.down().trouble == [])
            #expect(NetworkNamespace.list() == ["bystander"])

            // `up` does the same by itself.
            try record.write(toNew: bench.lab)
            try NetworkNamespace.create("demo-h1")
            try bench.lab.up(plan, executable: bench.script)
            #expect(bench.lab.status()?.isWhole == true)
            #expect(try bench.lab.down().trouble == [])
            #expect(NetworkNamespace.list() == ["bystander"])
        }
    }

    @Test func processesInsideTheLabAreEndedAndNamed() throws {
        try withPrivateRun { bench in
            try bench.lab.up(try bench.lab.plan().plan, executable: bench.script)
            let spawn = Spawn(
                path: "sleep",
                arguments: ["sleep", "1000"],
                environment: [:],
                searchesPath: true
            )
            let pid = try NetworkNamespace(named: "red-web").run { try spawn.start().get() }
            let removal = try bench.lab.down()
            #expect(removal.ended == ["sleep (\(pid)) in red-web"])
            #expect(NetworkNamespace.list() == [])
        }
    }

    @Test func aReusedProcessIdIsNotSignalled() throws {
        let spawn = Spawn(path: "sleep", arguments: ["sleep", "1000"], environment: [:], searchesPath: true)
        let pid = try spawn.start().get()
        let real = try #require(ProcessIdentity(running: pid))
        let stale = ProcessIdentity(pid: pid, startTime: real.startTime - 1)
        #expect(!stale.isRunning && !stale.send(SIGKILL))
        #expect(real.isRunning)
        #expect(Processes.end([real], grace: 2).isEmpty && !real.isRunning)
    }

    @Test func commandsEndAsAShellWouldSay() throws {
        let signals = try SignalTrap()
        defer { signals.stop() }
        let environment = ["PATH": "/usr/bin:/bin"]
        #expect(try Lab.run(["sh", "-c", "exit 7"], environment: environment, signals: signals) == 7)
        #expect(
            try Lab.run(["sh", "-c", "kill -TERM $$"], environment: environment, signals: signals) == 128 + SIGTERM
        )
        let missing = try #require(throws: LabError.self) {
            try Lab.run(["/nowhere/nothing"], environment: environment, signals: signals)
        }
        #expect(missing.code == ENOENT)
        kill(getpid(), SIGHUP)
        // Whichever thread takes it may need a moment.
        var caught: SignalTrap.Caught?
        for _ in 0..<100 where caught == nil {
            signals.wait(milliseconds: 10)
            caught = signals.next()
        }
        #expect(caught == SignalTrap.Caught(signal: SIGHUP, isFromProcess: true))
    }

    // MARK: Bench

    private struct Bench {
        var lab: Lab
        var script: String

        /// Control and datapath stand-ins that still run.
        var runningSwitches: Int {
            Processes.all.count { pid in
                Files.text("/proc/\(pid)/cmdline")?.contains(lab.directory.base) == true
            }
        }
    }

    /// Runs `body` on a thread with a mount namespace of its own and an empty /run: names made there are seen by
    /// nobody else and vanish with the thread.
    private func withPrivateRun(_ body: @escaping @Sendable (Bench) throws -> Void) throws {
        let base = "/tmp/sluice-lab-test-\(getpid())"
        defer { Files.removeTree(base) }
        try Files.makeDirectory(base)
        try Files.replace("\(base)/demo.yaml", with: Array(Self.topology.utf8))
        try Files.replace("\(base)/switch", with: Array(Self.standIn.utf8))
        chmod("\(base)/switch", 0o755)
        let work = Work {
            try Self.check(linux_unshare(Int32(LINUX_CLONE_NEWNS)))
            try Self.check(linux_mount("none", "/", nil, UInt(LINUX_MS_REC | LINUX_MS_PRIVATE), nil))
            try Self.check(linux_mount("tmpfs", "/run", "tmpfs", 0, nil))
            let lab = Lab(file: "\(base)/demo.yaml", directory: RunDirectory(base: base))
            defer { _ = try? lab.down() }
            try body(Bench(lab: lab, script: "\(base)/switch"))
        }
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { raw in
                Unmanaged<Work>.fromOpaque(raw!).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(work).toOpaque()
        )
        try #require(result == 0)
        pthread_join(thread, nil)
        if let error = work.error { throw error }
    }

    private static func check(_ result: Int32) throws {
        guard result == 0 else { throw NetlinkError("make a private /run", "", errno: -result) }
    }

    private final class Work: @unchecked Sendable {
        var error: (any Error)?
        private let body: @Sendable () throws -> Void

        init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }

        func run() { do { try body() } catch { self.error = error } }
    }
}

extension LabRecord {
    /// Puts the record where a lab that is being made has it.
    fileprivate func write(toNew lab: Lab) throws {
        try Files.makeDirectory(lab.path)
        try write(to: lab.directory.record(lab.name))
    }
}
