import CLinux
import Rings
import Wire

extension PortEngine {
    /// Sends everything that waits for an endpoint, in order, without waiting. The queue itself stays as it is.
    ///
    /// - Returns: how the frames ended.
    public func transmit(
        _ port: UnsafeMutablePointer<PortIO>,
        queues: borrowing TransmitQueues,
        endpoint: UInt32
    ) -> TransmitResult {
        var result = TransmitResult()
        switch port.pointee.kind {
        case .none: discard(queues, endpoint, &result)
        case .tap: transmitTAP(port, queues, endpoint, &result)
        case .uplink: transmitUplink(port, queues, endpoint, &result)
        case .uplinkDevice: transmitUplinkDevice(port, queues, endpoint, &result)
        case .packet: transmitPackets(port, queues, endpoint, &result)
        case .vxlan4: transmitTunnel(port, queues, endpoint, isIPv6: false, isUDP: true, &result)
        case .vxlan6: transmitTunnel(port, queues, endpoint, isIPv6: true, isUDP: true, &result)
        case .raw4: transmitTunnel(port, queues, endpoint, isIPv6: false, isUDP: false, &result)
        case .raw6: transmitTunnel(port, queues, endpoint, isIPv6: true, isUDP: false, &result)
        case .memory: transmitMemory(port, queues, endpoint, &result)
        }
        return result
    }

    private func discard(_ queues: borrowing TransmitQueues, _ endpoint: UInt32, _ result: inout TransmitResult) {
        for _ in 0..<queues.count(endpoint) { result.fail(ENXIO) }
    }

    /// A packet socket takes many frames with one call, whole like a TAP.
    private func transmitPackets(
        _ port: UnsafeMutablePointer<PortIO>,
        _ queues: borrowing TransmitQueues,
        _ endpoint: UInt32,
        _ result: inout TransmitResult
    ) {
        let fd = port.pointee.receiveDescriptor
        let batch = batches[0]
        var waiting = queues.first(endpoint)
        while let slot = waiting {
            waiting = queues.next(slot)
            let header = slot.header - VirtioHeader.length
            VirtioHeader.write(slot.pointee.offload, to: header)
            let index = batch.next(slot)
            batch.addPiece(index, header, VirtioHeader.length &+ Int(slot.pointee.headerLength))
            batch.addPiece(index, slot.pointee.payload, slot.pointee.payloadLength)
            guard batch.count == MessageBatch.capacity || waiting == nil else { continue }
            batch.send(fd)
            for sent in 0..<batch.count {
                guard let slot = batch.slots[sent] else { continue }
                var error = batch.errors[sent]
                if error == EINVAL, slot.pointee.offload.isSuperFrame, let plan = plan(slot) {
                    error = sendPieces(fd, plan, from: 0, nil)
                }
                if error == 0 {
                    result.succeed(slot.pointee.length, isSuperFrame: slot.pointee.offload.isSuperFrame)
                } else {
                    result.fail(error)
                }
            }
            batch.clear()
        }
    }
}
