/// How far two names are from each other, for "did you mean".
enum NameDistance {
  /// The names nearest to `wanted`: those that begin with it or hold it first, then those within a
  /// few edits; without regard to case.
  static func nearest<Item>(
    _ items: [Item], to wanted: String, limit: Int, name: (Item) -> String
  ) -> [Item] {
    let wanted = Array(wanted.lowercased())
    let allowed = max(1, min(wanted.count / 3, 4))
    var ranked: [(rank: Int, name: String, item: Item)] = []
    for item in items {
      let text = name(item).lowercased()
      let candidate = Array(text)
      if candidate.starts(with: wanted) {
        ranked.append((0, text, item))
      } else if wanted.count >= 3, text.contains(String(wanted)) {
        ranked.append((1, text, item))
      } else if abs(candidate.count - wanted.count) <= allowed {
        let edits = edits(candidate, wanted)
        if edits <= allowed { ranked.append((1 + edits, text, item)) }
      }
    }
    return ranked.sorted { ($0.rank, $0.name) < ($1.rank, $1.name) }.prefix(limit).map(\.item)
  }

  /// Insertions, deletions, replacements and swaps of neighbours that make one name the other.
  static func edits(_ left: [Character], _ right: [Character]) -> Int {
    if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    for row in 1...left.count {
      var current = [row] + [Int](repeating: 0, count: right.count)
      for column in 1...right.count {
        let isSame = left[row - 1] == right[column - 1]
        current[column] = min(
          last[column] + 1, current[column - 1] + 1, last[column - 1] + (isSame ? 0 : 1))
        if row > 1, column > 1, left[row - 1] == right[column - 2],
          left[row - 2] == right[column - 1]
        {
          current[column] = min(current[column], beforeLast[column - 2] + 1)
        }
      }
      beforeLast = last
      last = current
    }
    return last[right.count]
  }
}
