/// An event of the activity log.
struct Activity: Sendable {
  var time: Instant
  var subscription: String
  var json: JSON
}

extension World {
  mutating func recordInitiate(
    _ id: String, _ made: AccessRequest, _ request: ARMRequest, _ caller: Caller
  ) {
    var details: JSON = ["User": .string(caller.identity.name)]
    details["Justification"] = JSON(made.justification)
    if behaviour.logNamesMachines { details["virtualMachines"] = made.json["virtualMachines"] }
    record(
      "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action", id, request, caller,
      properties: [
        JSON.Member("eventProperties", .string(String(decoding: details.encoded, as: UTF8.self)))
      ])
  }

  mutating func record(
    _ action: String, _ id: String, _ request: ARMRequest, _ caller: Caller,
    properties: [JSON.Member]
  ) {
    let time = now
    let correlation =
      request.http.header("x-ms-correlation-request-id") ?? Identifiers.guid("log \(number())")
    for status in ["Started", "Succeeded"] {
      let event = Identifiers.guid("event \(number())")
      activity.append(
        Activity(
          time: time, subscription: request.subscription ?? "",
          json: [
            "authorization": [
              "action": .string(action), "scope": .string(id), "role": "Subscription Admin",
            ], "caller": .string(caller.identity.name), "correlationId": .string(correlation),
            "eventDataId": .string(event),
            "eventName": ["value": "EndRequest", "localizedValue": "End request"],
            "httpRequest": [
              "clientIpAddress": .string(networkAddress(of: request.http.peer)),
              "method": .string(request.method),
            ], "id": .string("\(id)/events/\(event)/ticks/\(time.ticks)"),
            "level": "Informational", "resourceGroupName": JSON(request.group),
            "resourceProviderName": [
              "value": "Microsoft.Security", "localizedValue": "Microsoft Security",
            ], "resourceId": .string(id), "operationId": .string(correlation),
            "operationName": [
              "value": .string(action),
              "localizedValue": action.hasSuffix("initiate/action")
                ? "Initiate JIT Network Access Policy" : .string(action),
            ], "properties": .object(properties),
            "status": ["value": .string(status), "localizedValue": .string(status)],
            "subStatus": ["value": "", "localizedValue": ""],
            "eventTimestamp": .string(time.text), "submissionTimestamp": .string(time.text),
            "subscriptionId": JSON(request.subscription),
          ]))
    }
  }

  func activityLog(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    guard request.method == "GET", request.group == nil,
      request.lowerPath == ["eventtypes", "management", "values"]
    else { throw notFound(request) }
    try caller.require("Microsoft.Insights/eventtypes/values/Read", on: request.scope)
    // This provider wraps its errors in another way.
    func odd(_ message: String) -> HTTPServerResponse {
      HTTPServerResponse(400, ["Code": "BadRequest", "Message": .string(message)])
    }
    guard let filter = request.http.parameter("$filter") else {
      return odd("The $filter query parameter is required.")
    }
    var from: Instant?
    var to = now
    var narrowing: (name: String, value: String)?
    for part in filter.split(separator: " and ") {
      let words = part.split(separator: " ", maxSplits: 2).map(String.init)
      guard words.count == 3, words[2].count >= 2, words[2].first == "'", words[2].last == "'"
      else {
        return odd("The $filter '\(filter)' is invalid.")
      }
      let value = String(words[2].dropFirst().dropLast())
      switch (words[0], words[1]) {
      case ("eventTimestamp", "ge"):
        guard let time = Instant(text: value) else { return odd("The time '\(value)' is invalid.") }
        from = time
      case ("eventTimestamp", "le"):
        guard let time = Instant(text: value) else { return odd("The time '\(value)' is invalid.") }
        to = time
      case ("resourceGroupName", "eq"), ("resourceUri", "eq"), ("resourceProvider", "eq"),
        ("correlationId", "eq"):
        guard narrowing == nil else { return odd("No other syntax is allowed.") }
        narrowing = (words[0], value.lowercased())
      default: return odd("No other syntax is allowed.")
      }
    }
    guard let from else { return odd("The $filter must name a start time.") }
    guard now - from <= .seconds(90 * 86_400) else {
      return odd("The start time cannot be more than 90 days in the past.")
    }
    let members = request.http.parameter("$select").map {
      $0.split(separator: ",").map(String.init)
    }
    let found = activity.filter { event in
      guard event.subscription == request.subscription, event.time >= from, event.time <= to else {
        return false
      }
      switch narrowing?.name {
      case "resourceGroupName":
        return event.json["resourceGroupName"]?.text?.lowercased() == narrowing?.value
      case "resourceUri": return event.json["resourceId"]?.text?.lowercased() == narrowing?.value
      case "resourceProvider": return narrowing?.value == "microsoft.security"
      case "correlationId":
        return event.json["correlationId"]?.text?.lowercased() == narrowing?.value
      default: return true
      }
    }
    return list(
      found.reversed().map { event in
        guard let members else { return event.json }
        return .object(event.json.members?.filter { members.contains($0.name) } ?? [])
      }, request)
  }
}
