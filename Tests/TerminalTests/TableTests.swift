import Testing

@testable import Terminal

@Suite struct TableTests {
  private let table = Table(
    header: ["VM", "GROUP", "STATE"],
    rows: [
      ["web1", "production", "configured"],
      ["数据库", "rg", "not configured: no policy in this location"],
    ])

  @Test("people get aligned columns without trailing blanks")
  func aligned() {
    #expect(
      table.aligned(width: 80) == """
        VM      GROUP       STATE
        web1    production  configured
        数据库  rg          not configured: no policy in this location

        """)
  }

  @Test("a narrow terminal cuts the widest column first, never the first")
  func narrow() {
    #expect(
      table.aligned(width: 40) == """
        VM      GROUP       STATE
        web1    production  configured
        数据库  rg          not configured: no …

        """)
    let text = table.aligned(width: 10)
    #expect(text.contains("数据库"))
    #expect(text.contains("web1"))
    for width in 24...90 {
      for line in table.aligned(width: width).split(separator: "\n") {
        #expect(displayWidth(line) <= width)
      }
    }
  }

  @Test("a pipe gets tabs, everything, and no header")
  func piped() {
    let recorder = Recorder()
    #expect(
      table.text(for: recorder.console(terminal: false))
        == "web1\tproduction\tconfigured\n"
        + "数据库\trg\tnot configured: no policy in this location\n")
    #expect(table.text(for: recorder.console(terminal: true)) == table.aligned(width: 80))
  }

  @Test("cells cannot break out of their row; short rows are filled; no rows is no text")
  func odd() {
    let odd = Table(header: ["A", "B"], rows: [["x\ty\nz", "\u{1B}[31m"], ["only"]])
    #expect(odd.tabSeparated() == "x y z\t?[31m\nonly\t\n")
    #expect(odd.aligned(width: 80) == "A      B\nx y z  ?[31m\nonly\n")
    #expect(Table(header: ["A"]).aligned(width: 80).isEmpty)
    #expect(Table(header: ["A"]).tabSeparated().isEmpty)
  }

  @Test(
    "columns are counted as a terminal shows them",
    arguments: [("abc", 3), ("数据", 4), ("e\u{301}", 1), ("👩‍🚀", 2), ("", 0), ("…", 1)])
  func widths(text: String, expected: Int) {
    #expect(displayWidth(text) == expected)
  }

  @Test("cutting never splits a wide character")
  func cutting() {
    #expect(fitted("数据库", to: 4) == "数…")
    #expect(fitted("数据库", to: 6) == "数据库")
    #expect(fitted("abc", to: 0) == "")
    #expect(fitted("abc", to: 1) == "…")
  }
}
