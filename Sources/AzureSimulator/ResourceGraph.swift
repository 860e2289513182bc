/// Microsoft.ResourceGraph.
extension World {
  private struct Row {
    var machine: Machine
    /// The network interface's number; its public address belongs to the first.
    var interface: Int
    /// Joined resources that the caller may not read: their columns stay empty.
    var hidden: [GraphPlan.Source] = []
  }

  /// What a caller must be allowed to read for a joined resource to have a row.
  private func hiddenSources(_ machine: Machine, _ caller: Caller) -> [GraphPlan.Source] {
    var hidden: [GraphPlan.Source] = []
    let network = "Microsoft.Network/"
    if !caller.may(network + "networkInterfaces/read", on: interfaceID(of: machine.made)) {
      hidden.append(.interface)
    }
    if !caller.may(network + "publicIPAddresses/read", on: addressID(of: machine.made)) {
      hidden.append(.address)
    }
    if !caller.may(network + "virtualNetworks/read", on: networkID(of: machine.made)) {
      hidden.append(.network)
    }
    // The others are found through the interface.
    return hidden.contains(.interface) ? [.interface, .address, .network] : hidden
  }

  func resourceGraph(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    if behaviour.graphIsThrottled {
      var error = AzureError(
        429, "RateLimiting",
        "Please provide below info when asking for support: timestamp = \(now.text), correlationId = "
          + "\(Identifiers.guid("throttled")).")
      error.details = [
        [
          "code": "RateLimiting",
          "message":
            "Client application has been throttled and should not attempt to repeat the request until an amount of time has elapsed.",
        ]
      ]
      error.headers = [
        ("x-ms-user-quota-remaining", "0"), ("x-ms-user-quota-resets-after", "00:00:01"),
        ("Retry-After", "1"),
      ]
      throw error
    }
    let body = try request.body()
    try checkMembers(
      of: body, required: ["query"],
      allowed: ["subscriptions", "managementGroups", "options", "facets"])
    let options = body["options"] ?? [:]
    try checkMembers(
      of: options, required: [],
      allowed: [
        "$top", "$skip", "$skipToken", "resultFormat", "allowPartialScopes",
        "authorizationScopeFilter",
      ])
    if behaviour.graphIsDenied {
      throw AzureError(
        403, "AccessDenied",
        "Access is denied to the requested resource. The user might not have enough permission.")
    }
    guard let text = body["query"]?.text else { throw .missingMember("query") }
    let query = try GraphQuery(text)
    if let answer = try lookalikes(query, caller) { return answer }
    let plan = try GraphPlan(query)
    guard plan.columns != nil else {
      throw GraphQuery.failure(query.stages.last?.name, expected: "project")
    }
    let subscriptions = try scope(body, caller)
    let rows = try rows(plan, subscriptions, caller)
    return try page(rows, plan, options: options, text: text)
      .adding("x-ms-user-quota-remaining", "14")
      .adding("x-ms-user-quota-resets-after", "00:00:05")
      .adding("x-ms-ratelimit-remaining-tenant-resource-requests", "14")
  }

  /// The subscriptions asked; nil is all of the tenant.
  private func scope(_ body: JSON, _ caller: Caller) throws(AzureError) -> Set<String>? {
    guard let list = body["subscriptions"], !list.isNull else { return nil }
    guard let ids = list.elements?.map({ $0.text?.lowercased() }), ids.allSatisfy({ $0 != nil })
    else { throw .badRequest("The subscriptions must be a list of texts.") }
    return Set(ids.compactMap { $0 })
  }

  private func rows(
    _ plan: GraphPlan, _ subscriptions: Set<String>?, _ caller: Caller
  ) throws(AzureError) -> [Row] {
    let tenant = Set(
      configuration.subscriptions.filter { $0.tenant == caller.tenant }.map(\.id))
    var keys = machineOrder
    if let names = plan.filters.lazy.compactMap({ $0.required("name") }).first {
      keys = names.flatMap { machinesByName[$0.lowercased()] ?? [] }
    } else if let ids = plan.filters.lazy.compactMap({ $0.required("id") }).first {
      keys = ids.map { $0.lowercased() }.filter { machines[$0] != nil }
    }
    let action = "Microsoft.Compute/virtualMachines/read"
    var rows: [Row] = []
    for key in keys {
      guard let machine = machines[key], machine.made.knownToGraph,
        tenant.contains(machine.made.subscription),
        subscriptions?.contains(machine.made.subscription) ?? true,
        caller.may(action, on: machine.made.id)
      else { continue }
      let hidden = plan.joinsInterfaces ? hiddenSources(machine, caller) : []
      let readsInterfaces = plan.joinsInterfaces && !hidden.contains(.interface)
      let count = readsInterfaces ? machine.made.extraInterfaces + 1 : 1
      for interface in 0..<count {
        let row = Row(machine: machine, interface: interface, hidden: hidden)
        let matches = plan.filters.allSatisfy { filter in
          filter.matches { name in
            let column =
              plan.columns?.first { $0.name == name && $0.source != .machine }
              ?? GraphPlan.Column(
                name: name, source: .machine,
                expression: plan.columns?.first { $0.name == name }?.expression ?? name)
            return value(of: column, row).text ?? ""
          }
        }
        if matches { rows.append(row) }
      }
    }
    return sorted(rows, plan)
  }

  private func sorted(_ rows: [Row], _ plan: GraphPlan) -> [Row] {
    guard rows.count > 1, !plan.order.isEmpty else { return rows }
    let columns = plan.order.compactMap { part in
      plan.columns?.first { $0.name == part.column }.map { ($0, part.ascending) }
    }
    let keyed = rows.map { row in (row, columns.map { value(of: $0.0, row).text ?? "" }) }
    return keyed.sorted { a, b in
      for (index, column) in columns.enumerated() where a.1[index] != b.1[index] {
        return (a.1[index] < b.1[index]) == column.1
      }
      return a.0.interface < b.0.interface
    }.map(\.0)
  }

  private func page(
    _ all: [Row], _ plan: GraphPlan, options: JSON, text: String
  ) throws(AzureError) -> HTTPServerResponse {
    let columns = plan.columns ?? []
    let rows = plan.limit.map { Array(all.prefix($0)) } ?? all
    let top = options["$top"]?.integer ?? (options["$top"] == nil ? 100 : 0)
    guard (1...1000).contains(top) else {
      throw .badRequest("The value of $top must be between 1 and 1000.")
    }
    var first = options["$skip"]?.integer ?? 0
    let mark = Identifiers.hexadecimal(Identifiers.hash(text))
    if let token = options["$skipToken"]?.text {
      let parts = token.split(separator: ".")
      guard parts.count == 2, parts[0] == mark, let offset = Int(parts[1]) else {
        throw .badRequest("The skip token does not belong to this query.")
      }
      first = offset
    }
    guard first >= 0 else { throw .badRequest("The value of $skip must not be negative.") }
    let last = min(first + top, rows.count)
    let part = first < last ? Array(rows[first..<last]) : []
    let isCut = last < rows.count
    let pages = columns.contains { $0.name == "id" } && plan.limit == nil
    let data: JSON
    if options["resultFormat"]?.text?.lowercased() == "table" {
      data = [
        "columns": .array(columns.map { ["name": .string($0.name), "type": "string"] }),
        "rows": .array(
          part.map { row in .array(columns.map { told(value(of: $0, row)) ?? .null }) }),
      ]
    } else {
      data = .array(
        part.map { row in
          .object(
            columns.compactMap { column in
              told(value(of: column, row)).map { JSON.Member(column.name, $0) }
            })
        })
    }
    return HTTPServerResponse(
      200,
      [
        "totalRecords": JSON(rows.count), "count": JSON(part.count), "data": data, "facets": [],
        "resultTruncated": isCut && !pages ? "true" : "false",
        "$skipToken": isCut && pages ? .string("\(mark).\(last)") : nil,
      ])
  }

  /// An empty value is told as a text, as null, or not at all.
  private func told(_ value: JSON) -> JSON? {
    guard value == "" || value.isNull else { return value }
    if behaviour.graphOmitsEmpty { return nil }
    return behaviour.graphEmptyIsNull ? .null : value
  }

  private func value(of column: GraphPlan.Column, _ row: Row) -> JSON {
    if column.expression.hasPrefix("isnotempty(") {
      var inner = column
      inner.expression = String(column.expression.dropFirst("isnotempty(".count).dropLast())
      return .bool(value(of: inner, row).text?.isEmpty == false)
    }
    let (path, isText, isLower) = GraphPlan.unwrapped(column.expression)
    var value = JSON.null
    if !row.hidden.contains(column.source) {
      switch column.source {
      case .machine: value = machineValue(path, row.machine)
      case .interface: value = interfaceValue(path, row)
      case .address: value = addressValue(path, row)
      case .network: value = networkValue(path, row)
      }
    }
    // A text that is missing is empty, whichever way it is missing.
    if isLower { return .string((value.text ?? "").lowercased()) }
    return isText && value.isNull ? "" : value
  }

  private func machineValue(_ path: String, _ machine: Machine) -> JSON {
    let made = machine.made
    switch path {
    case "id": return .string(made.id)
    case "name": return .string(made.name)
    case "type": return .string(GraphPlan.Source.machine.rawValue)
    // Resource Graph writes groups in lower case.
    case "resourceGroup": return .string(made.resourceGroup.lowercased())
    case "subscriptionId": return .string(made.subscription)
    case "tenantId": return .string(subscription(made.subscription)?.tenant ?? "")
    case "location": return .string(made.location)
    case "zones": return made.zones.isEmpty ? .null : .array(made.zones.map(JSON.string))
    case "tags": return made.tags.isEmpty ? .null : tagsJSON(made)
    case "properties.extended.instanceView.powerState.code":
      let power = made.graphPower ?? machine.power
      return power == .unknown ? .null : .string("PowerState/" + power.rawValue)
    default:
      var value: JSON? = machineJSON(machine, expanded: false)
      for name in path.split(separator: ".") { value = value?[String(name)] }
      return value ?? .null
    }
  }

  private func interfaceValue(_ path: String, _ row: Row) -> JSON {
    let made = row.machine.made
    let id = interfaceID(of: made, number: row.interface)
    switch path {
    case "id": return .string(id)
    case "name": return .string(lastSegment(id))
    case "properties.virtualMachine.id", "properties.virtualMachine": return .string(made.id)
    case "tobool(properties.primary)": return .bool(row.interface == 0)
    case "count==1 or tobool(item.properties.primary)": return true
    case "item.name": return "ipconfig1"
    case "item.properties.privateIPAddress":
      return .string(privateAddress(of: row.machine, number: row.interface))
    case "item.properties.privateIPAddressVersion": return "IPv4"
    case "properties.networkSecurityGroup.id": return JSON(interfaceGroupID(of: made)) ?? .null
    case "item.properties.subnet.id": return .string(subnetID(of: made))
    default:
      let hasAddress = row.interface == 0 && made.publicAddress != .none
      return hasAddress ? .string(addressID(of: made)) : .null
    }
  }

  private func addressValue(_ path: String, _ row: Row) -> JSON {
    let made = row.machine.made
    guard row.interface == 0, made.publicAddress != .none else { return .null }
    switch path {
    case "id": return .string(addressID(of: made))
    case "name": return .string(lastSegment(addressID(of: made)))
    case "properties.ipAddress": return JSON(toldAddress(of: row.machine)) ?? .null
    case "properties.publicIPAllocationMethod":
      if case .dynamic = made.publicAddress { return "Dynamic" }
      return "Static"
    default: return JSON(made.fqdn) ?? .null
    }
  }

  private func networkValue(_ path: String, _ row: Row) -> JSON {
    let made = row.machine.made
    switch path {
    case "id": return .string(networkID(of: made))
    case "name": return .string(lastSegment(networkID(of: made)))
    case "item.id": return .string(subnetID(of: made))
    default: return JSON(subnetGroupID(of: made)) ?? .null
    }
  }
}
