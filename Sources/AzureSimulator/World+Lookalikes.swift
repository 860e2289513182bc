/// Resource Graph's rows of what is no virtual machine.
extension World {
  private static let types = [
    "microsoft.hybridcompute/machines", "microsoft.compute/virtualmachinescalesets",
    "microsoft.classiccompute/virtualmachines",
  ]

  /// The answer to a query for these types alone; nil for one that asks for other resources.
  func lookalikes(
    _ query: GraphQuery, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse? {
    guard let first = query.stages.first, first.name.is("where"),
      let types = try? GraphFilter(first.tokens).required("type"),
      types.allSatisfy({ Self.types.contains($0.lowercased()) })
    else { return nil }
    var filters: [GraphFilter] = []
    for stage in query.stages {
      if stage.name.is("where") {
        filters.append(try GraphFilter(stage.tokens))
      } else if stage.name.is("project") {
        guard GraphQuery.canonical(stage.tokens) == "id,name" else {
          throw GraphQuery.failure(stage.tokens.first, expected: "id, name")
        }
      } else if !stage.name.is("order") {
        throw GraphQuery.failure(stage.name, expected: "where, project or order by")
      }
    }
    let tenant = configuration.subscriptions.filter { $0.tenant == caller.tenant }.map(\.id)
    let rows = configuration.lookalikes.filter { made in
      tenant.contains(made.subscription) && caller.may("\(made.type)/read", on: made.id)
        && filters.allSatisfy { filter in
          filter.matches { column in
            switch column {
            case "type": made.type.lowercased()
            case "name": made.name
            case "id": made.id
            default: ""
            }
          }
        }
    }
    return HTTPServerResponse(
      200,
      [
        "totalRecords": JSON(rows.count), "count": JSON(rows.count), "facets": [],
        "resultTruncated": "false",
        "data": .array(rows.map { ["id": .string($0.id), "name": .string($0.name)] }),
      ])
  }
}
