/// The word of `choice` that was most likely meant: few letters away, and nearer than any other.
func nearest(to word: String, among choice: some Sequence<String>) -> String? {
    let limit = max(1, min(3, word.utf8.count / 3))
    var best: (word: String, distance: Int)?
    for candidate in choice {
        let distance = distance(Array(word.utf8), Array(candidate.utf8), limit: limit)
        if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.word
}

/// Insertions, deletions, replacements and swaps of neighbours, upper and lower case being one; more than `limit` is
/// not counted further.
private func distance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int {
    guard abs(a.count - b.count) <= limit else { return limit + 1 }
    func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
    var before = [Int](repeating: 0, count: b.count + 1)
    var above = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            let isSame = lower(a[i]) == lower(b[j])
            var cost = min(above[j] + (isSame ? 0 : 1), above[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, lower(a[i]) == lower(b[j - 1]), lower(a[i - 1]) == lower(b[j]) {
                cost = min(cost, before[j - 1] + 1)
            }
            row.append(cost)
        }
        (before, above) = (above, row)
    }
    return above[b.count]
}
