extension FrozenIndex {
    /// Every entry, in no order: for `show` and for proofs over a whole snapshot, never for forwarding.
    public func forEach(_ body: (Entry) throws -> Void) rethrows {
        for i in 0...Int(mask) where entries[i].value != FrozenIndex.none { try body(entries[i]) }
    }
}
