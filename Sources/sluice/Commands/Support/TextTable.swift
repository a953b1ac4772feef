/// Rows with aligned columns, for people. Programs take `--json`.
struct TextTable {
    struct Column {
        var title: String
        var isRight: Bool

        /// Text, set left.
        static func text(_ title: String) -> Column { Column(title: title, isRight: false) }
        /// Numbers, set right.
        static func number(_ title: String) -> Column { Column(title: title, isRight: true) }
    }

    private let columns: [Column]
    private var rows: [[String]] = []
    private var emphasis: [Int: (Style, String) -> String] = [:]

    init(_ columns: Column...) { self.columns = columns }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: String...) { add(cells) }

    /// Missing cells are empty.
    mutating func add(_ cells: [String]) {
        rows.append(cells + [String](repeating: "", count: max(0, columns.count - cells.count)))
    }

    /// How the cells of a column look on a screen.
    mutating func emphasise(_ title: String, _ how: @escaping (Style, String) -> String) {
        if let column = columns.firstIndex(where: { $0.title == title }) { emphasis[column] = how }
    }

    /// The table with a heading; columns that are empty throughout are left out.
    func render(_ style: Style = .plain) -> String {
        let shown = columns.indices.filter { column in rows.contains { !$0[column].isEmpty } }
        let widths = shown.map { column in max(columns[column].title.count, rows.map { $0[column].count }.max() ?? 0) }
        func line(_ cell: (Int) -> String, _ look: (Int, String) -> String) -> String {
            var line = ""
            for (i, column) in shown.enumerated() {
                let text = cell(column)
                let space = String(repeating: " ", count: widths[i] - text.count)
                let isLast = i == shown.count - 1
                line +=
                    columns[column].isRight ? space + look(column, text) : look(column, text) + (isLast ? "" : space)
                if !isLast { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
        let heading = line({ columns[$0].title }, { style.bold($1) })
        return ([heading] + rows.map { row in line({ row[$0] }, { emphasis[$0]?(style, $1) ?? $1 }) })
            .joined(separator: "\n")
    }
}
