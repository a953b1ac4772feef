// Who is who in `TestCloud.twoTenants`, and frames between the ports of either tenant and its router.

package let web4 = "10.0.0.11"
package let web6 = "2001:db8:a::11"
package let db4 = "10.0.1.12"
package let db6 = "2001:db8:b::12"
/// The router's addresses in `app` and `data`.
package let gateway4 = "10.0.0.1"
package let gateway6 = "2001:db8:a::1"
package let dataGateway4 = "10.0.1.1"
package let dataGateway6 = "2001:db8:b::1"

package func fromWeb(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.gateway, from: Names.web, packet) }
package func fromDB(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.gateway, from: Names.db, packet) }
package func toWeb(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.web, from: Names.gateway, packet) }
package func toDB(_ packet: [UInt8]) -> [UInt8] { ethernet(to: Names.db, from: Names.gateway, packet) }
