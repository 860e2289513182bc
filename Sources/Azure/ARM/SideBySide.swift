import Platform

/// Applies `transform` to every item, several at once, and gives the results in the items' order.
///
/// - Parameter limit: how many run at the same moment.
package func sideBySide<Item: Sendable, Output: Sendable>(
  _ items: [Item], limit: Int = 8,
  _ transform: @escaping @Sendable (Item) async -> Output
) async -> [Output] {
  await withTaskGroup(of: (Int, Output).self) { group in
    var results: [Int: Output] = [:]
    var waiting = items.enumerated().makeIterator()
    func startNext() {
      guard let (index, item) = waiting.next() else { return }
      group.addTask { (index, await transform(item)) }
    }
    for _ in 0..<max(1, limit) { startNext() }
    while let (index, output) = await group.next() {
      results[index] = output
      startNext()
    }
    return items.indices.compactMap { results[$0] }
  }
}
