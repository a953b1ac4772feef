import TestCloud

// Frames between the ports of a test cloud and its routers.

let far4 = "10.0.0.21"

/// A packet of either family with a number in it.
func numbered(_ number: Int, from source: String, to destination: String, ttl: Int = 64) -> [UInt8] {
    source.contains(":")
        ? ipv6(from: source, to: destination, hopLimit: ttl, be32(number))
        : ipv4(from: source, to: destination, ttl: ttl, be32(number))
}
