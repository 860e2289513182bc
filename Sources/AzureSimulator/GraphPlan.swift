/// What a recognised query answers: columns of a machine's row, and which rows.
struct GraphPlan {
  /// The resource that an expression is read from.
  enum Source: String {
    case machine = "microsoft.compute/virtualmachines"
    case interface = "microsoft.network/networkinterfaces"
    case address = "microsoft.network/publicipaddresses"
    case network = "microsoft.network/virtualnetworks"
  }

  struct Column: Equatable {
    var name: String
    var source: Source
    /// In canonical spelling.
    var expression: String
  }

  /// Nil before the first `project`: all of the resource.
  var columns: [Column]?
  var filters: [GraphFilter] = []
  /// A row for each IP configuration.
  var joinsInterfaces = false
  var order: [(column: String, ascending: Bool)] = []
  var limit: Int?

  private let source: Source
  /// The query's own names for an expanded item and a count, and ours.
  private var aliases: [String: String] = [:]

  private static let expressions: [Source: Set<String>] = [
    // What the wrappers of ``unwrapped(_:)`` stand around.
    .machine: [
      "id", "name", "type", "resourceGroup", "subscriptionId", "tenantId", "location", "zones",
      "tags", "properties.vmId", "properties.storageProfile.osDisk.osType",
      "properties.extended.instanceView.powerState.code", "properties.osProfile.adminUsername",
      "properties.osProfile.computerName", "properties.storageProfile.imageReference",
      "properties.storageProfile.imageReference.publisher",
      "properties.storageProfile.imageReference.offer",
      "properties.storageProfile.imageReference.sku", "properties.securityProfile.securityType",
      "properties.timeCreated", "properties.provisioningState",
      "properties.hardwareProfile.vmSize", "properties.networkProfile.networkInterfaces",
    ],
    .interface: [
      "id", "name", "properties.virtualMachine", "properties.virtualMachine.id",
      "tobool(properties.primary)", "count==1 or tobool(item.properties.primary)", "item.name",
      "item.properties.privateIPAddress", "item.properties.privateIPAddressVersion",
      "properties.networkSecurityGroup.id", "item.properties.subnet.id",
      "item.properties.publicIPAddress.id",
    ],
    .address: [
      "id", "name", "properties.ipAddress", "properties.dnsSettings.fqdn",
      "properties.publicIPAllocationMethod",
    ],
    .network: ["id", "name", "item.id", "item.properties.networkSecurityGroup.id"],
  ]

  init(_ query: GraphQuery, isJoined: Bool = false) throws(AzureError) {
    guard query.table.is("resources") else {
      throw GraphQuery.failure(query.table, expected: "Resources")
    }
    guard let first = query.stages.first, first.name.is("where") else {
      throw GraphQuery.failure(query.stages.first?.name, expected: "where type =~ …")
    }
    let filter = try GraphFilter(first.tokens)
    guard let type = filter.required("type")?.first?.lowercased(),
      let source = Source(rawValue: type), isJoined || source == .machine
    else { throw GraphQuery.failure(first.tokens.first, expected: "a known resource type") }
    self.source = source
    try keep(filter, first)
    for stage in query.stages.dropFirst() { try apply(stage) }
    guard !isJoined || columns != nil else {
      throw GraphQuery.failure(query.stages.last?.name, expected: "project")
    }
  }

  private mutating func keep(_ filter: GraphFilter, _ stage: GraphQuery.Stage) throws(AzureError) {
    for name in filter.columns where name != "type" {
      guard column(for: name) != nil else {
        throw GraphQuery.failure(stage.tokens.first, expected: "a known column, not \(name)")
      }
    }
    filters.append(filter)
  }

  /// The column that a canonical expression means at this point of the query.
  private func column(for expression: String, named name: String? = nil) -> Column? {
    if let columns {
      if let found = columns.first(where: { $0.name == expression }) {
        return Column(name: name ?? found.name, source: found.source, expression: found.expression)
      }
      return nil
    }
    let path = Self.unwrapped(expression).path
    guard Self.expressions[source]?.contains(path) == true || path == "type" else { return nil }
    return Column(name: name ?? expression, source: source, expression: expression)
  }

  /// Takes `tostring(…)` and `tolower(…)` off an expression.
  static func unwrapped(_ expression: String) -> (path: String, isText: Bool, isLower: Bool) {
    var path = expression
    var isText = false
    var isLower = false
    while path.hasSuffix(")") {
      if path.hasPrefix("tostring(") {
        isText = true
        path = String(path.dropFirst("tostring(".count).dropLast())
      } else if path.hasPrefix("tolower(") {
        isLower = true
        path = String(path.dropFirst("tolower(".count).dropLast())
      } else {
        break
      }
    }
    return (path, isText, isLower)
  }

  private func canonical(_ tokens: [GraphQuery.Token]) -> String {
    GraphQuery.canonical(
      tokens.map { token in
        var token = token
        if token.kind == .word, let alias = aliases[token.value] { token.value = alias }
        return token
      })
  }

  private mutating func apply(_ stage: GraphQuery.Stage) throws(AzureError) {
    let refused = GraphQuery.failure(stage.name, expected: "a recognised operator")
    switch stage.name.value.lowercased() {
    case "where": try keep(try GraphFilter(stage.tokens), stage)
    case "project":
      var projected: [Column] = []
      for part in GraphQuery.split(stage.tokens, at: ",") {
        let (name, value) = try GraphQuery.assignment(part)
        guard let column = column(for: canonical(value), named: name.value),
          !projected.contains(where: { $0.name == name.value })
        else { throw GraphQuery.failure(value.first, expected: "a recognised expression") }
        projected.append(column)
      }
      columns = projected
    case "project-away":
      for part in GraphQuery.split(stage.tokens, at: ",") {
        guard part.count == 1, let index = columns?.firstIndex(where: { $0.name == part[0].value })
        else { throw GraphQuery.failure(part.first, expected: "a column") }
        columns?.remove(at: index)
      }
    case "extend":
      for part in GraphQuery.split(stage.tokens, at: ",") { try extend(part) }
    case "mv-expand":
      var tokens = stage.tokens
      if tokens.count > 2, tokens[tokens.count - 2].is("limit") {
        guard let limit = Int(tokens[tokens.count - 1].value), (1...400).contains(limit) else {
          throw GraphQuery.failure(tokens.last, expected: "at most 400")
        }
        tokens.removeLast(2)
      }
      let (name, value) = try GraphQuery.assignment(tokens)
      let wanted =
        source == .interface
        ? "properties.ipConfigurations" : source == .network ? "properties.subnets" : nil
      guard canonical(value) == wanted else { throw refused }
      aliases[name.value] = "item"
    case "join": try join(stage)
    case "order", "sort":
      guard let by = stage.tokens.first, by.is("by") else { throw refused }
      for part in GraphQuery.split(Array(stage.tokens.dropFirst()), at: ",") {
        guard let name = part.first, column(for: name.value) != nil, part.count <= 2,
          part.count == 1 || part[1].is("asc") || part[1].is("desc")
        else { throw GraphQuery.failure(part.first, expected: "a column") }
        order.append((name.value, part.count == 2 && part[1].is("asc")))
      }
    case "limit", "take":
      guard stage.tokens.count == 1, let count = Int(stage.tokens[0].value) else { throw refused }
      limit = count
    default: throw refused
    }
  }

  private mutating func extend(_ tokens: [GraphQuery.Token]) throws(AzureError) {
    let (name, value) = try GraphQuery.assignment(tokens)
    let expression = canonical(value)
    if source == .interface, expression == "array_length(properties.ipConfigurations)" {
      aliases[name.value] = "count"
      return
    }
    // Whether a join found something.
    let inner = expression.dropFirst("isnotempty(".count).dropLast()
    guard expression.hasPrefix("isnotempty("), expression.hasSuffix(")"), columns != nil,
      var column = column(for: String(inner), named: name.value),
      columns?.contains(where: { $0.name == name.value }) == false
    else { throw GraphQuery.failure(value.first, expected: "a recognised expression") }
    column.expression = "isnotempty(\(column.expression))"
    columns?.append(column)
  }

  private mutating func join(_ stage: GraphQuery.Stage) throws(AzureError) {
    var tokens = stage.tokens[...]
    func refused(_ expected: String) -> AzureError {
      GraphQuery.failure(tokens.first ?? stage.name, expected: expected)
    }
    guard tokens.prefix(3).map({ $0.value.lowercased() }) == ["kind", "=", "leftouter"] else {
      throw refused("kind=leftouter")
    }
    tokens = tokens.dropFirst(3)
    guard let end = tokens.lastIndex(where: { $0.is(")") }), let open = tokens.first, open.is("("),
      end + 3 == tokens.endIndex, tokens[end + 1].is("on")
    else { throw refused("( … ) on a column") }
    let key = tokens[end + 2].value
    let inner = try GraphPlan(
      GraphQuery(Array(tokens[(tokens.startIndex + 1)..<end])), isJoined: true)
    guard columns?.contains(where: { $0.name == key }) == true,
      let right = inner.columns, right.contains(where: { $0.name == key }),
      inner.source != .machine
    else { throw GraphQuery.failure(tokens[end + 2], expected: "a column of both sides") }
    if inner.source == .interface { joinsInterfaces = true }
    for column in right {
      var column = column
      var suffix = 0
      let name = column.name
      while columns?.contains(where: { $0.name == column.name }) == true {
        suffix += 1
        column.name = name + String(suffix)
      }
      columns?.append(column)
    }
  }
}
