import Glibc
import Testing

@testable import Lab

@Suite struct LabNamesTests {
    @Test(arguments: [
        ("Configs/two-tenants.yaml", "two-tenants"), ("/tmp/a b.yml", "a-b"), ("lab.json", "lab"),
        ("noextension", "noextension"), ("..yaml", "lab"), (".hidden.yaml", "hidden"), ("Ünï.yaml", "-n-"),
    ])
    func ofFiles(_ file: String, _ name: String) { #expect(LabNames.lab(ofFile: file) == name) }

    @Test func longNamesAreShortenedAndStayApart() {
        let a = LabNames.lab(ofFile: "a-very-long-name-for-a-lab-number-1.yaml")
        let b = LabNames.lab(ofFile: "a-very-long-name-for-a-lab-number-2.yaml")
        #expect(a.utf8.count <= 24 && b.utf8.count <= 24 && a != b && a.hasPrefix("a-very-long"))
        #expect(LabNames.shortened("äääääääääää", to: 15).utf8.count <= 15)
        #expect(LabNames.shortened("short", to: 15) == "short")
    }

    @Test func interfaceNamesAreHandedOutOnce() {
        var taken: Set<String> = []
        for _ in 0..<100 {
            #expect((1...15).contains(LabNames.interface("physnet1-host-1", taken: &taken).utf8.count))
        }
        #expect(taken.count == 100)
    }

    @Test func runDirectoriesByEnvironment() throws {
        let path = "/tmp/sluice-test-\(getpid())"
        defer { Files.removeTree(path) }
        let given = RunDirectory.standard(environment: ["SLUICE_RUN_DIR": path + "/run"])
        #expect(given.base == path + "/run" && access(path, F_OK) != 0, "named, not made")
        try given.make()
        #expect(access(path + "/run", W_OK) == 0)
        #expect(given.host("h1", lab: "demo") == path + "/run/labs/demo/h1")
        let long = RunDirectory(base: "/tmp/" + String(repeating: "x", count: 60))
        let error = try #require(throws: LabError.self) {
            try long.check(lab: "demo-lab-of-some-length", hosts: ["h1"])
        }
        #expect(error.message.contains("SLUICE_RUN_DIR"))
        try given.check(lab: "demo", hosts: ["h1"])
    }
}
