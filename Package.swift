// swift-tools-version:6.2
import PackageDescription

// A library may import only libraries that sort after it: `ls Sources`, read downwards, is an intent on its way to
// the wire. `.ci/run` checks it. Hot modules use `public` (never `package`) so that cross-module optimisation can
// inline them; see README, "How it is built".
let common: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny")
]
// Used by everything that a frame passes through. Exclusivity checks would be calls into the runtime per frame.
let hot: [SwiftSetting] =
    common + [
        .unsafeFlags(
            ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
            .when(configuration: .release)
        )
    ]

let package = Package(
    name: "sluice",
    products: [
        .executable(name: "sluice", targets: ["sluice"]),
        .executable(name: "sluice-datapath", targets: ["sluice-datapath"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CNetlink",
            pkgConfig: "libnl-route-3.0",
            providers: [.apt(["libnl-3-dev", "libnl-route-3-dev"])]
        ),
        .target(name: "CLinux", cSettings: [.unsafeFlags(["-O2"])]),

        .target(
            name: "API",
            dependencies: [
                "Control", "Model", "Tables",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: common
        ),
        .target(
            name: "Client",
            dependencies: [
                "Model",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: common
        ),
        .target(
            name: "Control",
            dependencies: ["Forwarding", "Model", "Rings", "Tables", "Wire"],
            swiftSettings: common
        ),
        .target(
            name: "Datapath",
            dependencies: ["CLinux", "Forwarding", "Ports", "Rings", "Tables", "Wire"],
            swiftSettings: hot
        ),
        .target(name: "Forwarding", dependencies: ["Rings", "Tables", "Wire"], swiftSettings: hot),
        .target(name: "Lab", dependencies: ["CLinux", "Model", "Netlink", "Wire"], swiftSettings: common),
        .target(
            name: "Model",
            dependencies: ["Wire", .product(name: "Yams", package: "Yams")],
            swiftSettings: common
        ),
        .target(name: "Netlink", dependencies: ["CLinux", "CNetlink", "Wire"], swiftSettings: common),
        .target(name: "Ports", dependencies: ["CLinux", "Rings", "Wire"], swiftSettings: hot),
        .target(name: "Rings", dependencies: ["CLinux", "Wire"], swiftSettings: hot),
        .target(name: "Tables", dependencies: ["Wire"], swiftSettings: hot),
        .target(name: "Wire", swiftSettings: hot),

        .executableTarget(
            name: "sluice",
            dependencies: [
                "API", "CLinux", "Client", "Control", "Forwarding", "Lab", "Model", "Netlink", "Ports", "Rings",
                "Tables", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: common
        ),
        .executableTarget(name: "sluice-datapath", dependencies: ["Datapath"], swiftSettings: hot),

        // Not a product: the datapath without descriptors, for `.ci/check-instructions` and the benchmarks.
        .executableTarget(
            name: "sluice-journeys",
            dependencies: ["Control", "Datapath", "Model", "Ports", "Rings", "Tables", "Wire"],
            path: "Benchmarks/journeys",
            swiftSettings: common
        ),

        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "Client", "Control", "Forwarding", "Model", "Tables", "Wire",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "SluiceTests",
            dependencies: [
                "Control", "Model", "sluice", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "WireTests", dependencies: ["Wire"]),
        .testTarget(name: "TablesTests", dependencies: ["Tables", "Wire"]),
        .testTarget(name: "RingsTests", dependencies: ["Rings", "Wire"]),
        .testTarget(name: "LabTests", dependencies: ["CLinux", "Lab", "Model", "Netlink", "Wire"]),
        .testTarget(name: "PortsTests", dependencies: ["CLinux", "Ports", "Rings", "Wire"]),
        .testTarget(name: "ForwardingTests", dependencies: ["Forwarding", "Rings", "Tables", "Wire"]),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter", cSettings: [.unsafeFlags(["-O2"])]),
        // Hosts, networks and routers of tests, and packets.
        .target(name: "TestCloud", dependencies: ["Tables", "Wire"], path: "Tests/TestCloud"),
        .testTarget(
            name: "RoutingTests",
            dependencies: ["Forwarding", "Rings", "Tables", "TestCloud", "Wire"]
        ),
        .testTarget(
            name: "DatapathTests",
            dependencies: [
                "AllocationCounter", "Datapath", "Forwarding", "Ports", "Rings", "Tables", "TestCloud", "Wire",
            ]
        ),
        .testTarget(name: "ModelTests", dependencies: ["Model", "Wire"]),
        .testTarget(name: "NetlinkTests", dependencies: ["Netlink", "CLinux", "Wire"]),
        .testTarget(
            name: "ControlTests",
            dependencies: ["Control", "Forwarding", "Model", "Rings", "Tables", "Wire"]
        ),
    ],
    swiftLanguageModes: [.v6]
)
