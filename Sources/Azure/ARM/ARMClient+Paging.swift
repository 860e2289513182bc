package import Platform

extension ARMClient {
  /// Pages of one list; Azure gives some hundreds of items on each.
  static let pageLimit = 500

  /// Every item of a list, over all its pages.
  package func list(
    _ path: String, _ version: APIVersion, query: [(name: String, value: String)] = [],
    purpose: String
  ) async throws(Failure) -> [JSONTree] {
    var answer = try await get(path, version, query: query, purpose: purpose)
    var items: [JSONTree] = []
    var seen: Set<String> = []
    while true {
      let page = try answer.json()
      // Without its list the answer says nothing, least of all that there is nothing.
      guard case .array(let values)? = page["value"] else {
        throw answer.invalid("the answer is no list")
      }
      items += values
      guard let next = page["nextLink"]?.text else { return items }
      guard seen.insert(next).inserted, seen.count < Self.pageLimit else {
        throw answer.invalid("the list has no end")
      }
      answer = try await get(url: next, purpose: purpose)
    }
  }
}
