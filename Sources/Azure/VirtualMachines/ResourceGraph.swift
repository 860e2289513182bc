import HTTP
import Platform

/// Questions to Resource Graph, Azure's index over everything the caller can read.
struct ResourceGraph: Sendable {
  let client: ARMClient

  /// Rows of one query, over all its pages.
  ///
  /// - Parameters:
  ///   - subscriptions: ids; empty is everything readable.
  ///   - rowLimit: the first so many rows are enough.
  ///   - hasFallBack: a refusal is told at once, since the caller can ask elsewhere.
  func rows(
    _ query: String, subscriptions: [String] = [], rowLimit: Int = 50_000,
    hasFallBack: Bool = false, purpose: String
  ) async throws(Failure) -> [JSONTree] {
    var rows: [JSONTree] = []
    try await pages(
      query, subscriptions: subscriptions, hasFallBack: hasFallBack, purpose: purpose
    ) { page, _ throws(Failure) in
      rows += page
      return rows.count < rowLimit
    }
    return rows
  }

  /// Gives the rows of one query page by page.
  ///
  /// - Parameter onPage: told the rows and whether they are the last; false ends it.
  func pages(
    _ query: String, subscriptions: [String] = [], hasFallBack: Bool = false, purpose: String,
    onPage: (_ rows: [JSONTree], _ isLast: Bool) async throws(Failure) -> Bool
  ) async throws(Failure) {
    var skipToken: String?
    var seen: Set<String> = []
    while true {
      var options: JSONTree = ["$top": 1000, "resultFormat": "objectArray"]
      if let skipToken { options.set("$skipToken", to: .string(skipToken)) }
      var body: JSONTree = ["query": .string(query)]
      if !subscriptions.isEmpty {
        body.set("subscriptions", to: .array(subscriptions.map { .string($0) }))
      }
      body.set("options", to: options)
      let answer = try await client.post(
        "/providers/Microsoft.ResourceGraph/resources", .resourceGraph, body: body,
        isRepeatable: true, hasFallBack: hasFallBack && skipToken == nil, purpose: purpose)
      let page = try answer.json()
      guard let data = page["data"] else { throw answer.invalid("the answer holds no data") }
      let next = page["$skipToken"]?.text
      guard try await onPage(Self.objects(data), next == nil), let next else { return }
      guard seen.insert(next).inserted, seen.count < ARMClient.pageLimit else {
        throw answer.invalid("the list has no end")
      }
      skipToken = next
      // The next page would be refused: waiting here costs less than a refusal and a retry.
      if answer.headers["x-ms-user-quota-remaining"].flatMap({ Int($0) }) == 0,
        let reset = answer.headers["x-ms-user-quota-resets-after"].flatMap(RetryPlan.quotaReset)
      {
        try await client.pacing.pause(min(reset, RetryPlan.longestWait))
      }
    }
  }

  /// Rows as objects, also where they came as a table.
  static func objects(_ data: JSONTree) -> [JSONTree] {
    if case .array(let rows) = data { return rows }
    let names = (data["columns"]?.elements ?? []).map { $0["name"]?.text ?? "" }
    return (data["rows"]?.elements ?? []).map { row in
      .object(zip(names, row.elements).map { JSONTree.Member($0, $1) })
    }
  }

  /// A text as a literal of the query language.
  static func literal(_ text: String) -> String {
    var literal = "'"
    for scalar in text.unicodeScalars {
      switch scalar {
      case "'", "\\": literal += "\\" + String(scalar)
      // A line end would end the literal; no name holds one.
      case "\0"..<" ", "\u{7F}": literal += " "
      default: literal.unicodeScalars.append(scalar)
      }
    }
    return literal + "'"
  }
}
