import NIOCore

/// Closes a connection whose client takes nothing of what is ready for it for too long. Waiting for something to send
/// (a capture without frames) is not stalling.
final class StalledWriteHandler: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = NIOAny
    typealias OutboundOut = NIOAny

    private let limit: TimeAmount
    private var pending = 0
    private var lastProgress = NIODeadline.now()
    private var check: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if pending == 0 { lastProgress = .now() }
        pending += 1
        let done = promise ?? context.eventLoop.makePromise()
        done.futureResult.assumeIsolated().whenComplete { _ in
            self.pending -= 1
            self.lastProgress = .now()
        }
        if check == nil { schedule(context, at: lastProgress + limit) }
        context.write(data, promise: done)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    private func schedule(_ context: ChannelHandlerContext, at deadline: NIODeadline) {
        check = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.check = nil
            guard self.pending > 0 else { return }
            if NIODeadline.now() >= self.lastProgress + self.limit {
                context.close(promise: nil)
            } else {
                self.schedule(context, at: self.lastProgress + self.limit)
            }
        }
    }
}
