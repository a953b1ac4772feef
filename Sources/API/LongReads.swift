import NIOCore

/// Lets a file of many megabytes arrive in few pieces: each costs a turn of the event loop and one of the request's task.
final class LongReads: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = Any

    /// Bytes of the longest piece; a connection begins with short ones.
    private static let most = 1 << 20

    func handlerAdded(context: ChannelHandlerContext) {
        // A channel without the option reads as it did.
        try? context.channel.syncOptions?.setOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: Self.most)
        )
    }
}
