import Testing

@testable import sluice

@Suite struct TextTableTests {
    @Test func columnsAlign() {
        var table = TextTable(.text("NAME"), .number("COUNT"), .text("NOTE"))
        table.add("a", "1", "x")
        table.add("long name", "1000", "")
        #expect(
            table.render() == """
                NAME       COUNT  NOTE
                a              1  x
                long name   1000
                """
        )
    }

    @Test func emptyColumnsAreLeftOut() {
        var table = TextTable(.text("NAME"), .text("EMPTY"), .number("N"))
        table.add("a", "", "1")
        table.add("b")
        #expect(table.render() == "NAME  N\na     1\nb")
        #expect(TextTable(.text("NAME")).isEmpty)
    }

    @Test func emphasisDoesNotMoveColumns() {
        var table = TextTable(.text("STATE"), .number("N"))
        table.emphasise("STATE") { $0.state($1) }
        table.add("up", "1")
        table.add("missing", "20")
        #expect(table.render() == "STATE     N\nup        1\nmissing  20")
        let coloured = table.render(Style(isColoured: true))
        #expect(coloured.contains("\u{1B}[32mup\u{1B}[0m") && coloured.contains("\u{1B}[31mmissing\u{1B}[0m"))
        let bare = coloured.replacing(/\u{1B}\[[0-9]+m/, with: "")
        #expect(bare == table.render())
    }

    @Test func widthsCountWhatIsSeen() {
        var table = TextTable(.text("A"), .text("B"))
        table.add("→é", "x")
        table.add("abc", "y")
        #expect(table.render() == "A    B\n→é   x\nabc  y")
    }

    @Test func amounts() {
        #expect(Amounts.short(0.0) == "0" && Amounts.short(999.0) == "999")
        #expect(Amounts.short(1000.0) == "1.00k" && Amounts.short(12_345.0) == "12.3k")
        #expect(Amounts.short(999_999.0) == "1.00M" && Amounts.short(123_000_000.0) == "123M")
        #expect(Amounts.short(0.5) == "0.50" && Amounts.short(UInt64(99_999)) == "99999")
        #expect(
            Amounts.bytes(0) == "0 B" && Amounts.bytes(1536) == "1.5 KiB" && Amounts.bytes(22_372_352) == "21.3 MiB"
        )
        #expect(Amounts.duration(59) == "59 s" && Amounts.duration(3661) == "1 h 1 min")
        #expect(Amounts.duration(185) == "3 min 5 s" && Amounts.duration(90_000) == "1 d 1 h")
    }
}
