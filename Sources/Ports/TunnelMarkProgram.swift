/// What `TunnelMark` loads.
///
/// It reads the first bytes of a super-frame: Ethernet without tags; IPv4 without options, or IPv6; then VXLAN over UDP (IPv4
/// only: over IPv6 a UDP checksum has to be made for each segment, and nothing here could ask for that), GRE with or without
/// a key and nothing else, or another IP header; inside of VXLAN and GRE an Ethernet header with one tag at most. Whatever
/// else it finds it leaves alone.
enum TunnelMarkProgram {
    /// - Parameter withVXLAN: not where the virtio header can say it: what is marked once must not be marked again.
    static func instructions(withVXLAN: Bool) -> [BPFInstruction] { assemble(withVXLAN) }

    private enum Label { case ipv4, byProtocol, gre, ethernet, untagged, inIPv4, inIPv6, rewrite, leave, drop }

    /// Helpers (`enum bpf_func_id`).
    private static let storeBytes: Int32 = 9
    private static let loadBytes: Int32 = 26
    private static let adjustRoom: Int32 = 50

    /// Flags of `bpf_skb_adjust_room`: segments keep their size, and what the outer headers are.
    private static let fixedSize: Int32 = 1
    private static let outerIPv4: Int32 = 1 << 1
    private static let outerIPv6: Int32 = 1 << 2
    private static let isGRE: Int32 = 1 << 3
    private static let isUDP: Int32 = 1 << 4
    private static let hasEthernet: Int32 = 1 << 6
    private static let uncoversIPv4: Int32 = 1 << 7
    private static let uncoversIPv6: Int32 = 1 << 8
    private static let ethernetLengthShift: Int32 = 56

    /// `struct __sk_buff`.
    private static let gsoSize: Int16 = 176
    /// Verdicts of tcx.
    private static let goOn: Int32 = -1
    private static let dropIt: Int32 = 2

    /// EtherTypes, as a little-endian load finds them.
    private static func type(_ value: UInt16) -> Int32 { Int32(value.bigEndian) }

    /// The copy of the frame's beginning: where it is on the stack, and where the outer IP header is in it.
    private static let copy = Int16(-TunnelMark.leastLength)
    private static let outer = copy + 14

    // 6 the frame · 7 bytes of outer headers behind the Ethernet header · 8 flags for putting them on · 9 for taking them off
    private static func assemble(_ withVXLAN: Bool) -> [BPFInstruction] {
        var program = BPFAssembler<Label>()
        program.move(.r6, .r1)
        program.load(.word, .r1, .r6, gsoSize)
        program.jump(if: .r1, is: 0, to: .leave)
        program.move(.r1, .r6)
        program.move(.r2, 0)
        program.move(.r3, .r10)
        program.add(.r3, Int32(copy))
        program.move(.r4, Int32(TunnelMark.leastLength))
        program.call(loadBytes)
        program.jump(if: .r0, isNot: 0, to: .leave)
        readOuter(&program, withVXLAN)
        readGRE(&program)
        readEthernet(&program)
        rewrite(&program)
        program.place(.leave)
        program.move(.r0, goOn)
        program.exit()
        program.place(.drop)
        program.move(.r0, dropIt)
        program.exit()
        return program.finished()
    }

    private static func readOuter(_ program: inout BPFAssembler<Label>, _ withVXLAN: Bool) {
        program.load(.half, .r1, .r10, copy + 12)
        program.jump(if: .r1, is: type(0x0800), to: .ipv4)
        program.jump(if: .r1, isNot: type(0x86DD), to: .leave)
        program.load(.byte, .r2, .r10, outer + 6)
        program.move(.r7, 40)
        program.move(.r8, fixedSize | outerIPv6)
        program.jump(if: .r2, is: 4, to: .inIPv4)
        program.jump(if: .r2, is: 41, to: .inIPv6)
        program.jump(if: .r2, is: 47, to: .gre)
        program.jump(to: .leave)

        program.place(.ipv4)
        program.load(.byte, .r1, .r10, outer)
        program.jump(if: .r1, isNot: 0x45, to: .leave)
        program.load(.byte, .r2, .r10, outer + 9)
        program.move(.r7, 20)
        program.move(.r8, fixedSize | outerIPv4)
        program.jump(if: .r2, is: 4, to: .inIPv4)
        program.jump(if: .r2, is: 41, to: .inIPv6)
        program.jump(if: .r2, is: 47, to: .gre)
        guard withVXLAN else { return program.jump(to: .leave) }
        program.jump(if: .r2, isNot: 17, to: .leave)
        program.add(.r7, 16)
        program.or(.r8, isUDP)
        program.jump(to: .ethernet)
    }

    private static func readGRE(_ program: inout BPFAssembler<Label>) {
        program.place(.gre)
        program.or(.r8, isGRE)
        headers(&program, into: .r4)
        program.load(.byte, .r1, .r4, 0)
        program.load(.half, .r2, .r4, 2)
        program.add(.r7, 4)
        // Only a key may be there: a checksum or a number would have to change from segment to segment.
        program.move(.r3, .r1)
        program.and(.r3, 0xDF)
        program.jump(if: .r3, isNot: 0, to: .leave)
        // Bit 5 says that there are four bytes more.
        program.and(.r1, 0x20)
        program.shiftRight(.r1, 3)
        program.add(.r7, .r1)
        program.jump(if: .r2, is: type(0x0800), to: .inIPv4)
        program.jump(if: .r2, is: type(0x86DD), to: .inIPv6)
        program.jump(if: .r2, isNot: type(0x6558), to: .leave)
    }

    private static func readEthernet(_ program: inout BPFAssembler<Label>) {
        program.place(.ethernet)
        program.or(.r8, hasEthernet)
        headers(&program, into: .r4)
        program.load(.half, .r2, .r4, 12)
        program.move(.r1, 14)
        program.jump(if: .r2, isNot: type(0x8100), to: .untagged)
        program.load(.half, .r2, .r4, 16)
        program.move(.r1, 18)
        program.place(.untagged)
        program.add(.r7, .r1)
        program.shiftLeft(.r1, ethernetLengthShift)
        program.or(.r8, .r1)
        program.jump(if: .r2, is: type(0x0800), to: .inIPv4)
        program.jump(if: .r2, isNot: type(0x86DD), to: .leave)
        program.place(.inIPv6)
        program.move(.r9, uncoversIPv6)
        program.jump(to: .rewrite)
        program.place(.inIPv4)
        program.move(.r9, uncoversIPv4)
    }

    private static func rewrite(_ program: inout BPFAssembler<Label>) {
        program.place(.rewrite)
        program.or(.r9, fixedSize)
        program.move(.r1, .r6)
        program.move(.r2, 0)
        program.subtract(.r2, .r7)
        program.move(.r3, 1)
        program.move(.r4, .r9)
        program.move(.r5, 0)
        program.call(adjustRoom)
        program.jump(if: .r0, isNot: 0, to: .drop)
        program.move(.r1, .r6)
        program.move(.r2, .r7)
        program.move(.r3, 1)
        program.move(.r4, .r8)
        program.move(.r5, 0)
        program.call(adjustRoom)
        program.jump(if: .r0, isNot: 0, to: .drop)
        program.move(.r1, .r6)
        program.move(.r2, 14)
        program.move(.r3, .r10)
        program.add(.r3, Int32(outer))
        program.move(.r4, .r7)
        program.move(.r5, 0)
        program.call(storeBytes)
        program.jump(if: .r0, isNot: 0, to: .drop)
    }

    /// The address of what stands behind the headers counted so far.
    private static func headers(_ program: inout BPFAssembler<Label>, into register: BPFRegister) {
        program.move(register, .r10)
        program.add(register, Int32(outer))
        program.add(register, .r7)
    }
}
