// Everything in Wire that reads bytes it did not write, behind libFuzzer and the address sanitizer. `.ci/fuzz` compiles
// this file together with Sources/Wire as one module and runs it; it belongs to no target of the package.
//
// The first byte of an input picks what it is fed to, see `Entry`. An input is a finding if it reads or writes outside of
// its memory, traps, runs for long, or breaks one of the promises that are checked here.

/// What the rest of an input is.
private enum Entry: UInt8, CaseIterable {
    /// An Ethernet frame.
    case frame
    /// A tunnel payload: the same bytes as VXLAN and as GRE, and what is inside of them.
    case tunnel
    /// Eight bytes of arguments and a super-frame, see `fuzzSegmentation`.
    case segmentation
    /// Two bytes of arguments and a region to sum.
    case checksum
    /// Text of an address.
    case text
    /// Two bytes of arguments and frames, see `fuzzCoalescing`.
    case coalescing
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 0 else { return 0 }
    let bytes = UnsafeRawPointer(data) + 1
    let count = size - 1
    switch Entry(rawValue: data[0] % UInt8(Entry.allCases.count))! {
    case .frame: fuzzFrame(bytes, count)
    case .tunnel: fuzzTunnel(bytes, count)
    case .segmentation: fuzzSegmentation(bytes, count)
    case .checksum: fuzzChecksum(bytes, count)
    case .text: fuzzText(bytes, count)
    case .coalescing: fuzzCoalescing(bytes, count)
    }
    return 0
}

/// A copy that ends where its allocation ends, so that the sanitizer sees every byte too many.
private func withCopy(_ bytes: UnsafeRawPointer, _ count: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
    let copy = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
    copy.copyMemory(from: bytes, byteCount: count)
    body(copy)
    copy.deallocate()
}

private func fuzzFrame(_ bytes: UnsafeRawPointer, _ count: Int) {
    withCopy(bytes, count) { copy in
        let parsed = ParsedFrame(UnsafeRawPointer(copy), count)
        check(parsed, count)
        _ = FlowHash.hash(copy, parsed, seed: 0x5EED)
        _ = SegmentationKind.of(parsed)
        _ = SegmentationKind.size(parsed, mtu: 1450)
        fuzzRouter(copy, parsed, count)
        let ecn = parsed.tos ^ 1
        ECN.set(ecn, frame: copy, parsed: parsed)
        let again = ParsedFrame(UnsafeRawPointer(copy), count)
        precondition(!parsed.isIP || again.tos == parsed.tos & 0xFC | ecn & 3)
        if let position = PartialChecksum.detect(copy, again) {
            precondition(
                PartialChecksum.complete(
                    copy,
                    again.endOffset,
                    start: Int(position.start),
                    offset: Int(position.offset)
                )
            )
        }
        for type in [EtherType.ipv4, EtherType.ipv6] {
            check(ParsedFrame(datagram: UnsafeRawPointer(copy), count, etherType: type), count)
        }
    }
}

/// What a router reads from a frame, and what it says about it.
private func fuzzRouter(_ frame: UnsafeMutableRawPointer, _ parsed: ParsedFrame, _ count: Int) {
    let may = ICMPError.mayAnswer(frame, parsed: parsed, linkDestinationIsGroup: false, isTooBigOrParameter2: false)
    precondition(!may || parsed.isIP)
    let output = UnsafeMutableRawPointer.allocate(byteCount: ICMPError.capacity, alignment: 1)
    defer { output.deallocate() }
    if parsed.isIP || parsed.etherType == EtherType.ipv4 || parsed.etherType == EtherType.ipv6 {
        let finding = RouterHeaderCheck.check(frame, parsed)
        precondition(parsed.isIP || ![.fine, .routerAlert].contains(finding.verdict))
        precondition(finding.offset == 0 || parsed.networkOffset + Int(finding.offset) < parsed.endOffset)
        if parsed.isIPv4 {
            // Hardly any input has a right checksum: what lies behind that check is to be seen, too.
            withCopy(frame, count) { copy in
                let header = copy + parsed.networkOffset
                Checksum.write(ipv4Header: header, length: Int(UnsafeRawPointer(header).byte(0) & 15) * 4)
                if RouterHeaderCheck.check(copy, parsed).verdict == .fine { fuzzFragments(copy, parsed) }
            }
        }
    }
    if parsed.isIP {
        let length = ICMPError.write(
            to: output,
            about: UnsafeRawPointer(frame) + parsed.networkOffset,
            count: count - parsed.networkOffset,
            isIPv6: parsed.isIPv6,
            type: 3,
            code: 4,
            parameter: 1400,
            source: IPv6Address(high: 1, low: 1)
        )
        let error = ParsedFrame(datagram: UnsafeRawPointer(output), length, etherType: parsed.etherType)
        precondition(error.has(.transport) && error.endOffset == length)
        // What is about an error is never answered.
        precondition(
            !ICMPError.mayAnswer(output, parsed: error, linkDestinationIsGroup: false, isTooBigOrParameter2: true)
        )
    }
    if let packet = ARPPacket(frame, parsed) {
        precondition(count >= ARPPacket.frameLength && packet.senderMAC.bits >> 48 == 0)
    }
    let message = NeighborDiscovery.parse(frame, parsed)
    if message.kind == .solicitation {
        precondition(parsed.ttl == 255 && !message.target.isMulticast)
        NeighborDiscovery.writeAnswer(
            to: output,
            message,
            senderMAC: MACAddress(bits: 0x0200_0000_0001),
            neighborMAC: parsed.source,
            isRouter: true
        )
        let length = NeighborDiscovery.frameLength
        let answer = NeighborDiscovery.parse(output, ParsedFrame(UnsafeRawPointer(output), length))
        precondition(message.target.isMartianSource || answer.kind == .advertisement)
    }
    if EchoReply.isRequest(frame, parsed) {
        let isValid = EchoReply.checksumIsValid(frame, parsed)
        withCopy(frame, count) { copy in
            let start = EchoReply.make(inPlace: copy, parsed)
            let rest = UnsafeRawPointer(copy) + start
            let reply = ParsedFrame(datagram: rest, count - start, etherType: parsed.etherType)
            precondition(reply.has(.transport) && reply.endOffset == parsed.endOffset - start && reply.ttl == 64)
            precondition(EchoReply.checksumIsValid(rest, reply) == isValid)
        }
    }
}

private func fuzzFragments(_ frame: UnsafeMutableRawPointer, _ parsed: ParsedFrame) {
    let header = UnsafeRawPointer(frame) + parsed.networkOffset
    let length = parsed.endOffset - parsed.networkOffset
    let headerLength = Int(header.byte(0) & 15) * 4
    let mtu = 20 + Int(parsed.ttl)
    guard let plan = FragmentPlan(header: header, payloadLength: length - headerLength, mtu: mtu) else { return }
    var at = 0
    for index in 0..<plan.count {
        let output = UnsafeMutableRawPointer.allocate(byteCount: FragmentPlan.headerCapacity, alignment: 1)
        defer { output.deallocate() }
        let fragment = plan.writeHeader(index, to: output)
        precondition(fragment.payloadOffset == at && fragment.headerLength + fragment.payloadCount <= mtu)
        precondition(Checksum.isValid(ipv4Header: output, length: fragment.headerLength))
        at += fragment.payloadCount
    }
    precondition(at == length - headerLength)
}

private func check(_ parsed: ParsedFrame, _ count: Int) {
    precondition(parsed.networkOffset <= max(count, 14) && parsed.endOffset <= count)
    precondition(!parsed.isIP || parsed.networkOffset + 20 <= parsed.endOffset)
    precondition(!parsed.has(.transport) || parsed.transportOffset <= parsed.endOffset)
    precondition(!parsed.has(.ports) || parsed.transportOffset + 4 <= parsed.endOffset)
    precondition(!parsed.has(.transportHeader) || parsed.payloadOffset <= parsed.endOffset)
    precondition(!parsed.has(.laterFragment) || !parsed.has(.ports))
}

private func fuzzTunnel(_ bytes: UnsafeRawPointer, _ count: Int) {
    withCopy(bytes, count) { copy in
        let start = UnsafeRawPointer(copy)
        if let header = VXLANHeader(start, count) {
            precondition(header.vni <= VXLANHeader.maximumVNI)
            check(ParsedFrame(start + VXLANHeader.length, count - VXLANHeader.length), count - VXLANHeader.length)
        }
        let header = GREHeader.parse(start, count)
        _ = header.checksumIsValid(start, count)
        precondition(header.length <= count && header.length <= GREHeader.maximumLength)
        precondition((header.problem == .none) == (header.length > 0))
        let rest = count - header.length
        check(ParsedFrame(start + header.length, rest), rest)
        check(ParsedFrame(datagram: start + header.length, rest, etherType: header.protocolType), rest)
    }
}

/// Arguments: kind, segment size (2), checksum start (2), checksum offset, prefix length, length of the first region. Bits
/// of the kind that no kind has say what follows the prefix and whether it holds a GRE checksum.
private func fuzzSegmentation(_ bytes: UnsafeRawPointer, _ count: Int) {
    guard count >= 8 else { return }
    let total = count - 8
    let cut = min(Int(bytes.byte(7)), total)
    let prefix = Int(bytes.byte(6))
    let start = Int(bytes.be16(3))
    let type: UInt16 = [0, 0, EtherType.ipv4, EtherType.ipv6][Int(bytes.byte(0) >> 4 & 3)]
    let gre = bytes.byte(0) & 0x40 != 0 ? 4 : -1
    withCopy(bytes + 8, cut) { header in
        withCopy(bytes + 8 + cut, total - cut) { payload in
            let scratch = UnsafeMutableRawPointer.allocate(byteCount: SegmentationPlan.headerCapacity, alignment: 1)
            defer { scratch.deallocate() }
            _ = PartialChecksum.complete(
                header: header,
                cut,
                payload: payload,
                total - cut,
                start: start,
                offset: Int(bytes.byte(5))
            )
            guard
                let plan = SegmentationPlan(
                    header: header,
                    cut,
                    payload: payload,
                    total - cut,
                    prefixLength: prefix,
                    networkType: type,
                    gsoType: bytes.byte(0) & 0x8F,
                    gsoSize: bytes.be16(1),
                    checksumStart: start,
                    checksumOffset: Int(bytes.byte(5)),
                    greChecksumOffset: gre,
                    scratch: scratch
                )
            else { return }
            precondition(plan.headerLength >= cut && plan.headerLength + plan.payloadLength <= total)
            let expected = UnsafeRawPointer(payload) + (plan.headerLength - cut)
            var sent = 0
            for index in 0..<plan.count {
                // One allocation per segment, exactly as long as the segment is.
                let output = UnsafeMutableRawPointer.allocate(byteCount: plan.headerLength, alignment: 1)
                let segment = plan.writeHeader(index, into: output)
                precondition(segment.payload == expected + sent)
                sent += segment.count
                output.deallocate()
                if index == 0 || index == plan.count - 1 { checkSegment(plan, index, segment, prefix, type, gre) }
            }
            precondition(sent == plan.payloadLength)
        }
    }
}

/// A segment reads as a whole datagram with right checksums.
private func checkSegment(
    _ plan: SegmentationPlan,
    _ index: Int,
    _ segment: SegmentationPlan.Segment,
    _ prefix: Int,
    _ type: UInt16,
    _ gre: Int
) {
    let length = plan.headerLength + segment.count
    let whole = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
    defer { whole.deallocate() }
    _ = plan.writeHeader(index, into: whole)
    (whole + plan.headerLength).copyMemory(from: segment.payload, byteCount: segment.count)
    let frame = UnsafeRawPointer(whole) + prefix
    precondition(gre < 0 || Checksum.fold(Checksum.sum(UnsafeRawPointer(whole), length)) == 0xFFFF)
    let parsed =
        type == 0
        ? ParsedFrame(frame, length - prefix) : ParsedFrame(datagram: frame, length - prefix, etherType: type)
    precondition(parsed.has(.transportHeader) && !parsed.has(.cutShort) && parsed.endOffset == length - prefix)
    let header = frame + parsed.networkOffset
    let size = parsed.endOffset - parsed.transportOffset
    let pseudo =
        parsed.isIPv6
        ? Checksum.pseudoIPv6(header, protocol: parsed.protocol, length: size)
        : Checksum.pseudoIPv4(header, protocol: parsed.protocol, length: size)
    precondition(Checksum.fold(Checksum.sum(frame + parsed.transportOffset, size, pseudo)) == 0xFFFF)
    if parsed.isIPv4 {
        precondition(Checksum.isValid(ipv4Header: header, length: Int(header.byte(0) & 15) * 4))
    }
}

private func fuzzChecksum(_ bytes: UnsafeRawPointer, _ count: Int) {
    guard count >= 2 else { return }
    let length = count - 2
    let cut = min(Int(bytes.be16(0)), length)
    withCopy(bytes + 2, length) { region in
        var slow: UInt32 = 0
        for i in 0..<length {
            slow += UInt32(UnsafeRawPointer(region).byte(i)) << (i % 2 == 0 ? 8 : 0)
            slow = slow & 0xFFFF + slow >> 16
        }
        let whole = Checksum.sum(region, length)
        precondition(Checksum.fold(whole) == UInt16(slow))
        let parts = Checksum.appending(Checksum.sum(region + cut, length - cut), at: cut, to: Checksum.sum(region, cut))
        precondition(Checksum.fold(parts) == UInt16(slow))
    }
}

private func fuzzText(_ bytes: UnsafeRawPointer, _ count: Int) {
    let text = String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    if let mac = MACAddress(text) { precondition(MACAddress(mac.description) == mac) }
    if let address = IPAddress(text) { precondition(IPAddress(address.description) == address) }
    if let prefix = IPPrefix(text) {
        precondition(IPPrefix(prefix.description) == prefix && prefix.network.contains(prefix.address))
    }
}

/// Arguments: flags and the length of each frame but the last. Flags: what frames begin with (2 bits), whether their
/// checksums are put right first, whether each but the first is made to continue the one before.
private func fuzzCoalescing(_ bytes: UnsafeRawPointer, _ count: Int) {
    guard count >= 3 else { return }
    let flags = bytes.byte(0)
    let type: UInt16 = [0, 0, EtherType.ipv4, EtherType.ipv6][Int(flags & 3)]
    let size = max(1, Int(bytes.byte(1)))
    let total = count - 2
    // As they came, and the copy that they are put together in, one behind the other.
    withCopy(bytes + 2, total) { frames in
        for at in stride(from: 0, to: total, by: size) {
            let frame = UnsafeMutableRawBufferPointer(start: frames + at, count: min(size, total - at))
            if flags & 8 != 0, at > 0 {
                follow(UnsafeRawBufferPointer(start: frames + at - size, count: size), frame, type)
            }
            if flags & 4 != 0 { correct(frame, type) }
        }
        withCopy(frames, total) { copy in
            var first = 0
            var run = Coalescing(copy, min(size, total), prefixLength: 0, networkType: type)
            for at in stride(from: size, to: total, by: size) {
                let length = min(size, total - at)
                if run.append(UnsafeRawPointer(copy) + at, length, capacity: total - first) { continue }
                check(run, UnsafeRawBufferPointer(start: frames + first, count: at - first), size, type)
                first = at
                run = Coalescing(copy + at, length, prefixLength: 0, networkType: type)
            }
            check(run, UnsafeRawBufferPointer(start: frames + first, count: total - first), size, type)
        }
    }
}

private func parse(_ bytes: UnsafeRawPointer, _ count: Int, _ type: UInt16) -> ParsedFrame {
    type == 0 ? ParsedFrame(bytes, count) : ParsedFrame(datagram: bytes, count, etherType: type)
}

/// Gives a frame the headers of the one before and the next sequence number and identification.
private func follow(_ last: UnsafeRawBufferPointer, _ frame: UnsafeMutableRawBufferPointer, _ type: UInt16) {
    let old = last.baseAddress!
    let parsed = parse(old, last.count, type)
    guard parsed.has(.transportHeader), parsed.protocol == IPProtocol.tcp, frame.count > parsed.payloadOffset else {
        return
    }
    let bytes = frame.baseAddress!
    let network = parsed.networkOffset
    let transport = parsed.transportOffset
    bytes.copyMemory(from: old, byteCount: parsed.payloadOffset)
    bytes.set32(transport + 4, old.be32(transport + 4) &+ UInt32(parsed.endOffset - parsed.payloadOffset))
    if parsed.isIPv6 {
        bytes.set16(network + 4, UInt16(truncatingIfNeeded: frame.count - network - HeaderLength.ipv6))
    } else {
        bytes.set16(network + 2, UInt16(truncatingIfNeeded: frame.count - network))
        bytes.set16(network + 4, old.be16(network + 4) &+ 1)
    }
}

/// Puts both checksums right.
private func correct(_ frame: UnsafeMutableRawBufferPointer, _ type: UInt16) {
    let bytes = frame.baseAddress!
    let parsed = parse(bytes, frame.count, type)
    guard parsed.has(.transportHeader), parsed.protocol == IPProtocol.tcp else { return }
    let header = UnsafeRawPointer(bytes) + parsed.networkOffset
    if parsed.isIPv4 {
        Checksum.write(ipv4Header: bytes + parsed.networkOffset, length: Int(header.byte(0) & 15) * 4)
    }
    let length = parsed.endOffset - parsed.transportOffset
    let pseudo =
        parsed.isIPv6
        ? Checksum.pseudoIPv6(header, protocol: IPProtocol.tcp, length: length)
        : Checksum.pseudoIPv4(header, protocol: IPProtocol.tcp, length: length)
    bytes.set16(parsed.transportOffset + 16, 0)
    let sum = Checksum.sum(UnsafeRawPointer(bytes) + parsed.transportOffset, length, pseudo)
    bytes.set16(parsed.transportOffset + 16, Checksum.finishTransport(sum))
}

/// What was put together is cut again into the frames that came, `size` bytes each.
private func check(_ run: Coalescing, _ frames: UnsafeRawBufferPointer, _ size: Int, _ type: UInt16) {
    precondition(run.count == (frames.count + size - 1) / size && run.length <= frames.count)
    run.finish()
    let start = frames.baseAddress!
    guard run.count > 1 else {
        for at in 0..<frames.count { precondition(UnsafeRawPointer(run.bytes).byte(at) == start.byte(at)) }
        return
    }
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: SegmentationPlan.headerCapacity, alignment: 1)
    let output = UnsafeMutableRawPointer.allocate(byteCount: run.payloadOffset, alignment: 1)
    defer {
        scratch.deallocate()
        output.deallocate()
    }
    let plan = SegmentationPlan(
        header: run.bytes,
        0,
        payload: run.bytes,
        run.length,
        prefixLength: 0,
        networkType: type,
        gsoType: run.gsoType,
        gsoSize: run.gsoSize,
        checksumStart: run.checksumStart,
        checksumOffset: PartialChecksum.tcpOffset,
        scratch: scratch
    )!
    precondition(plan.count == run.count && plan.headerLength == run.payloadOffset)
    for index in 0..<plan.count {
        let segment = plan.writeHeader(index, into: output)
        let frame = start + index * size
        let parsed = parse(frame, min(size, frames.count - index * size), type)
        precondition(plan.headerLength + segment.count == parsed.endOffset)
        // Identifications of what is never fragmented mean nothing, and a TCP checksum of zero is written as ones.
        let isAtomic = parsed.isIPv4 && frame.be16(parsed.networkOffset + 6) & 0x4000 != 0
        let isZero = frame.be16(parsed.transportOffset + 16) == 0
        for at in 0..<plan.headerLength {
            let isIdentified = isAtomic && [4, 5, 10, 11].contains(at - parsed.networkOffset)
            let isSummed = isZero && [16, 17].contains(at - parsed.transportOffset)
            precondition(isIdentified || isSummed || UnsafeRawPointer(output).byte(at) == frame.byte(at))
        }
        for at in 0..<segment.count { precondition(segment.payload.byte(at) == frame.byte(plan.headerLength + at)) }
    }
}
