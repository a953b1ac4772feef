import TestCloud

// Frames between the ports of a test cloud and its routers.

let web4 = "10.0.0.11"
let web6 = "2001:db8:a::11"
let db4 = "10.0.1.12"
let db6 = "2001:db8:b::12"
let far4 = "10.0.0.21"
/// The router's addresses in `app` and `data`.
let gateway4 = "10.0.0.1"
let gateway6 = "2001:db8:a::1"
let dataGateway4 = "10.0.1.1"
let dataGateway6 = "2001:db8:b::1"

func fromWeb(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.gateway, from: Names.web, packet) }
func fromDB(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.gateway, from: Names.db, packet) }
func toWeb(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.web, from: Names.gateway, packet) }
func toDB(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.db, from: Names.gateway, packet) }

/// A packet of either family with a number in it.
func numbered(_ number: Int, from source: String, to destination: String, ttl: Int = 64) -> [UInt8] {
    source.contains(":")
        ? ipv6(from: source, to: destination, hopLimit: ttl, be32(number))
        : ipv4(from: source, to: destination, ttl: ttl, be32(number))
}
