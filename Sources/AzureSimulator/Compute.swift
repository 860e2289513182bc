/// Microsoft.Compute: virtual machines.
extension World {
  mutating func compute(
    _ request: ARMRequest, _ caller: Caller
  ) throws(AzureError) -> HTTPServerResponse {
    let read = "Microsoft.Compute/virtualMachines/read"
    let path = request.lowerPath
    if path.count == 4, path[0] == "locations", path[2] == "operations", request.method == "GET" {
      return try operation(path[3], request)
    }
    guard path.first == "virtualmachines", path.count <= 3 else { throw notFound(request) }
    if path.count == 1 {
      guard request.method == "GET" else { throw notFound(request) }
      if let group = request.group, !hasGroup(group, in: request.subscription ?? "") {
        throw .groupNotFound(group)
      }
      return list(
        readableMachines(request, caller, action: read).map { machineJSON($0, expanded: false) },
        request)
    }
    guard let group = request.group else { throw notFound(request) }
    let id = request.scope + "/providers/Microsoft.Compute/virtualMachines/" + request.path[1]
    func machine() throws(AzureError) -> Machine {
      guard hasGroup(group, in: request.subscription ?? "") else { throw .groupNotFound(group) }
      guard let machine = machines[id.lowercased()] else {
        throw .resourceNotFound(
          type: "Microsoft.Compute/virtualMachines", name: request.path[1], group: group)
      }
      return machine
    }
    switch (request.method, path.count == 3 ? path[2] : "") {
    case ("GET", ""):
      try caller.require(read, on: id)
      let expand = request.http.parameter("$expand")?.lowercased()
      guard [nil, "instanceview", "userdata"].contains(expand) else {
        throw AzureError(
          400, "InvalidParameter", "The value '\(expand ?? "")' of parameter '$expand' is invalid.")
      }
      return computeAnswer(200, machineJSON(try machine(), expanded: expand == "instanceview"))
    case ("GET", "instanceview"):
      try caller.require("Microsoft.Compute/virtualMachines/instanceView/read", on: id)
      return computeAnswer(200, instanceView(try machine()))
    case ("POST", "start"):
      try caller.require("Microsoft.Compute/virtualMachines/start/action", on: id)
      return power(try machine(), to: .running, over: .starting, request)
    case ("POST", "deallocate"):
      try caller.require("Microsoft.Compute/virtualMachines/deallocate/action", on: id)
      return power(try machine(), to: .deallocated, over: .deallocating, request)
    case ("POST", "poweroff"):
      try caller.require("Microsoft.Compute/virtualMachines/powerOff/action", on: id)
      return power(try machine(), to: .stopped, over: .stopping, request)
    default: throw notFound(request)
    }
  }

  /// The machines that a list holds: all, or those that the caller may read.
  func readableMachines(
    _ request: ARMRequest, _ caller: Caller, action: String
  ) -> [Machine] {
    let prefix =
      "/subscriptions/\(request.subscription ?? "")/".lowercased()
      + (request.group.map { "resourcegroups/\($0)/".lowercased() } ?? "")
    let all = caller.may(action, on: request.scope)
    return machineOrder.lazy.filter { $0.hasPrefix(prefix) }.compactMap { machines[$0] }
      .filter { all || caller.may(action, on: $0.made.id) }
  }

  private func computeAnswer(_ status: Int, _ json: JSON) -> HTTPServerResponse {
    HTTPServerResponse(status, json).adding(
      "x-ms-ratelimit-remaining-resource",
      "Microsoft.Compute/LowCostGet3Min;3983,Microsoft.Compute/LowCostGet30Min;31981")
  }

  func machineJSON(_ machine: Machine, expanded: Bool) -> JSON {
    let made = machine.made
    let isLinux = made.system == .linux
    var operatingSystem: JSON?
    if made.hasOSProfile {
      var profile: JSON = [
        "computerName": .string(made.name), "adminUsername": .string(made.adminUsername),
      ]
      if isLinux {
        profile["linuxConfiguration"] = [
          "disablePasswordAuthentication": true, "ssh": ["publicKeys": []],
          "provisionVMAgent": true,
        ]
      } else {
        profile["windowsConfiguration"] = [
          "provisionVMAgent": true, "enableAutomaticUpdates": true,
        ]
      }
      profile["secrets"] = []
      profile["allowExtensionOperations"] = true
      operatingSystem = profile
    }
    let interfaces = (0...made.extraInterfaces).map { number -> JSON in
      let id = JSON.string(interfaceID(of: made, number: number))
      // A single interface does not say that it is the primary one.
      if made.extraInterfaces == 0 { return ["id": id] }
      return ["id": id, "properties": ["primary": .bool(number == 0)]]
    }
    let properties: JSON = [
      "vmId": .string(machine.vmID), "hardwareProfile": ["vmSize": "Standard_B2s"],
      "storageProfile": [
        "imageReference": imageReference(made),
        "osDisk": [
          "osType": .string(made.system.rawValue), "name": .string(made.name + "-disk"),
          "createOption": "FromImage", "caching": "ReadWrite",
        ], "dataDisks": [],
      ], "osProfile": operatingSystem,
      "securityProfile": made.securityType.map { ["securityType": .string($0)] },
      "networkProfile": ["networkInterfaces": .array(interfaces)],
      "provisioningState": "Succeeded", "timeCreated": "2023-05-25T06:51:19.7585858+00:00",
      "instanceView": expanded ? instanceView(machine) : nil,
    ]
    return [
      "name": .string(made.name), "id": .string(made.id),
      "type": "Microsoft.Compute/virtualMachines", "location": .string(made.location),
      "tags": made.tags.isEmpty ? nil : tagsJSON(made),
      "zones": made.zones.isEmpty ? nil : .array(made.zones.map(JSON.string)),
      "properties": properties,
      "resources": made.extensions.isEmpty
        ? nil
        : .array(
          made.extensions.map { name in
            [
              "name": .string(name), "id": .string(made.id + "/extensions/" + name),
              "type": "Microsoft.Compute/virtualMachines/extensions",
              "location": .string(made.location),
              "properties": [
                "provisioningState": "Succeeded", "publisher": "Microsoft.Azure.ActiveDirectory",
                "type": .string(name),
              ],
            ]
          }),
    ]
  }

  func tagsJSON(_ made: SimulatedMachine) -> JSON {
    .object(made.tags.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .string($0.value)) })
  }

  func imageReference(_ made: SimulatedMachine) -> JSON {
    made.system == .linux
      ? [
        "publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server",
        "version": "latest",
      ]
      : [
        "publisher": "MicrosoftWindowsServer", "offer": "WindowsServer",
        "sku": "2022-datacenter-azure-edition", "version": "latest",
      ]
  }

  private func instanceView(_ machine: Machine) -> JSON {
    var statuses: [JSON] = [
      [
        "code": "ProvisioningState/succeeded", "level": "Info",
        "displayStatus": "Provisioning succeeded", "time": "2023-05-25T06:51:19.7585858+00:00",
      ]
    ]
    if machine.power != .unknown {
      statuses.append([
        "code": .string("PowerState/" + machine.power.rawValue), "level": "Info",
        "displayStatus": .string("VM " + machine.power.rawValue),
      ])
    }
    var agent: JSON?
    if machine.power == .running {
      agent = [
        "vmAgentVersion": "2.9.1.1",
        "statuses": [
          [
            "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready",
            "message": "Guest Agent is running",
          ]
        ],
      ]
    }
    return [
      "vmAgent": agent, "hyperVGeneration": "V2", "statuses": .array(statuses),
    ]
  }

  // Power

  private mutating func power(
    _ machine: Machine, to power: SimulatedMachine.Power, over step: SimulatedMachine.Power,
    _ request: ARMRequest
  ) -> HTTPServerResponse {
    let started = now
    let due = machine.power == power ? started : started + behaviour.powerDelay
    let failure = power == .running ? behaviour.startFailure : nil
    if machine.power != power, failure == nil {
      machines[machine.key]?.power = step
      schedule(.power(machine: machine.key, power), at: due)
    }
    let name = Identifiers.guid("operation \(number())")
    operations[name] = Operation(started: started, due: due, failure: failure)
    let url =
      "\(armURL)subscriptions/\(machine.made.subscription)/providers/Microsoft.Compute/locations/"
      + "\(machine.made.location)/operations/\(name)?p=simulator"
      + "&api-version=\(request.http.parameter("api-version") ?? "")"
    var response = HTTPServerResponse(status: 202)
      .adding("Location", url + "&monitor=true").adding("Azure-AsyncOperation", url)
    if behaviour.operationsSayRetryAfter { response = response.adding("Retry-After", "1") }
    return response
  }

  private func operation(
    _ name: String, _ request: ARMRequest
  ) throws(AzureError) -> HTTPServerResponse {
    guard let operation = operations[name] else {
      throw AzureError(404, "NotFound", "The entity was not found.")
    }
    let isDone = operation.due <= now
    if request.http.parameter("monitor") == "true" {
      if !isDone { return HTTPServerResponse(status: 202) }
      if let failure = operation.failure {
        throw AzureError(409, failure.code, failure.message)
      }
      return HTTPServerResponse(status: 200)
    }
    var json: JSON = ["startTime": .string(operation.started.offsetText)]
    if isDone { json["endTime"] = .string(operation.due.offsetText) }
    json["status"] = isDone ? (operation.failure == nil ? "Succeeded" : "Failed") : "InProgress"
    if isDone, let failure = operation.failure {
      json["error"] = ["code": .string(failure.code), "message": .string(failure.message)]
    }
    json["name"] = .string(name)
    return HTTPServerResponse(200, json)
  }
}
