/// Numbers for people: three digits are enough to see what is going on. `--json` has them whole.
enum Amounts {
    /// `0`, `999`, `1.23k`, `45.6M`.
    static func short(_ value: Double) -> String {
        var value = value
        var unit = ""
        for next in ["k", "M", "G", "T", "P"] where value >= 999.5 {
            value /= 1000
            unit = next
        }
        let digits = value >= 99.95 || unit.isEmpty && value == value.rounded() ? 0 : value >= 9.995 ? 1 : 2
        return fixed(value, digits) + unit
    }

    static func short(_ value: UInt64) -> String { value < 100_000 ? "\(value)" : short(Double(value)) }

    /// `512 B`, `1.5 KiB`, `3.0 MiB`.
    static func bytes(_ value: UInt64) -> String {
        guard value >= 1024 else { return "\(value) B" }
        var scaled = Double(value)
        var unit = ""
        for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] where scaled >= 1024 {
            scaled /= 1024
            unit = next
        }
        return "\(fixed(scaled, scaled >= 100 ? 0 : 1)) \(unit)"
    }

    /// `42 s`, `3 min 5 s`, `2 h 14 min`, `5 d 3 h`.
    static func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(max(0, seconds)) s"
        case ..<3600: "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: "\(seconds / 86_400) d \(seconds / 3600 % 24) h"
        }
    }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = digits == 0 ? 1.0 : digits == 1 ? 10.0 : 100.0
        let whole = UInt64((value * scale).rounded())
        guard digits > 0 else { return "\(whole)" }
        let fraction = "\(whole % UInt64(scale))"
        return "\(whole / UInt64(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
