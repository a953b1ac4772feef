/// Which of a datapath's workers reads an endpoint. All of them may send there.
///
/// A flow comes in by one endpoint, so it has one worker from its first frame to its last, and keeps its order. Slots are
/// given out one after the other, so neighbours of the operator's file are spread over the workers.
public enum WorkerAssignment {
    @inlinable @inline(__always)
    public static func reader(of endpoint: UInt32, workers: Int) -> Int {
        Int(endpoint % UInt32(truncatingIfNeeded: max(1, workers)))
    }
}
