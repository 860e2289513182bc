import Platform

/// Rows for people: aligned and fitted to the terminal, or tab-separated and whole for a pipe.
package struct Table: Sendable, Equatable {
  package var header: [String]
  package var rows: [[String]]

  package init(header: [String], rows: [[String]] = []) {
    self.header = header
    self.rows = rows
  }

  /// The form that suits the console's stdout.
  ///
  /// Ends with a line end unless it is empty.
  package func text(for console: Console) -> String {
    guard console.outputIsTerminal else { return tabSeparated() }
    return aligned(width: console.width, colours: console.outputHasColours)
  }

  /// For programs: no header, nothing cut, one tab between cells.
  package func tabSeparated() -> String {
    rows.map { row in cells(row).joined(separator: "\t") + "\n" }.joined()
  }

  /// For people.
  ///
  /// Columns are cut from the widest on, with `…`; the first (the name to type) never.
  package func aligned(width: Int, colours: Bool = false) -> String {
    guard !rows.isEmpty else { return "" }
    let lines = ([header] + rows).map(cells)
    let widths = columnWidths(lines, width: width)
    return lines.enumerated().map { index, line in
      let text = Self.joined(line, widths: widths)
      return (index == 0 && colours ? Style.bold.applied(to: text) : text) + "\n"
    }.joined()
  }

  private static func joined(_ line: [String], widths: [Int]) -> String {
    var text = ""
    for (column, width) in widths.enumerated() {
      let cell = column == 0 ? line[column] : fitted(line[column], to: width)
      text += cell + String(repeating: " ", count: max(width - displayWidth(cell), 0) + gap)
    }
    while text.last == " " { text.removeLast() }
    return text
  }

  private func columnWidths(_ lines: [[String]], width: Int) -> [Int] {
    var widths = (0..<columnCount).map { column in
      lines.map { displayWidth($0[column]) }.max() ?? 0
    }
    var excess = widths.reduce(0, +) + gap * (columnCount - 1) - width
    while excess > 0 {
      // The widest loses a column at a time, so that long ones end up equal.
      guard let widest = widths.indices.dropFirst().max(by: { widths[$0] < widths[$1] }),
        widths[widest] > narrowest
      else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }

  private var columnCount: Int { max(header.count, rows.map(\.count).max() ?? 0) }

  /// A row's cells, printable, as many as there are columns.
  private func cells(_ row: [String]) -> [String] {
    row.map { printable($0) } + Array(repeating: "", count: max(columnCount - row.count, 0))
  }
}

private let gap = 2
private let narrowest = 4
