import Platform

@testable import AzureSimulator

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// An answer as a client sees it.
struct Answer {
  var status: Int
  /// Names in lower case.
  var headers: [String: String]
  var body: [UInt8]

  var json: JSON { (try? JSON(parsing: body)) ?? .null }
  var text: String { String(decoding: body, as: UTF8.self) }
  var code: String? { json["error"]?["code"]?.text }
  var message: String? { json["error"]?["message"]?.text }
}

/// A running simulator and the simplest client of it: one connection for each call.
final class TestAzure: Sendable {
  let simulator: Simulator
  let token: String

  init(_ configuration: SimulatorConfiguration = SimulatorConfiguration()) throws {
    simulator = try Simulator(configuration)
    simulator.start()
    token = simulator.issueToken(to: configuration.identities[0].name) ?? ""
  }

  deinit { simulator.stop() }

  var subscription: String { SimulatedSubscription().id }
  var group: String { "/subscriptions/\(subscription)/resourceGroups/rg-demo" }
  var policyPath: String {
    group + "/providers/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/default"
  }

  /// A call to Resource Manager; `version` is appended.
  func call(
    _ method: String, _ path: String, version: String? = "2020-01-01", body: JSON? = nil,
    token: String? = nil
  ) throws -> Answer {
    var target = path
    if let version { target += (path.contains("?") ? "&" : "?") + "api-version=" + version }
    var headers = ["Authorization: Bearer \(token ?? self.token)"]
    if body != nil { headers.append("Content-Type: application/json") }
    return try send(
      method, simulator.baseURL, target, headers: headers, body: body?.encoded ?? [])
  }

  func initiate(
    _ machine: String, port: Int = 22, source: String = "203.0.113.7", duration: String = "PT1H"
  ) throws -> Answer {
    try call(
      "POST", policyPath + "/initiate",
      body: [
        "virtualMachines": [
          [
            "id": .string(machineID(machine)),
            "ports": [
              [
                "number": JSON(port), "allowedSourceAddressPrefix": .string(source),
                "duration": .string(duration),
              ]
            ],
          ]
        ]
      ])
  }

  func machineID(_ name: String) -> String {
    group + "/providers/Microsoft.Compute/virtualMachines/" + name
  }

  func query(_ text: String, options: JSON = ["$top": 1000, "resultFormat": "objectArray"]) throws
    -> Answer
  {
    try call(
      "POST", "/providers/Microsoft.ResourceGraph/resources", version: "2021-03-01",
      body: ["query": .string(text), "options": options])
  }

  func signIn(_ fields: [(String, String)], tenant: String = SimulatedTenant().id) throws -> Answer
  {
    let form = fields.map { "\(percentEncoded($0.0))=\(percentEncoded($0.1))" }
    return try send(
      "POST", simulator.loginURL, "/\(tenant)/oauth2/v2.0/token",
      headers: ["Content-Type: application/x-www-form-urlencoded"],
      body: Array(form.joined(separator: "&").utf8))
  }

  func send(
    _ method: String, _ base: String, _ target: String, headers: [String] = [], body: [UInt8] = []
  ) throws -> Answer {
    let port = UInt16(lastSegment(base).split(separator: ":").last ?? "") ?? 0
    let head =
      ["\(method) \(target) HTTP/1.1", "Host: 127.0.0.1", "Connection: close"] + headers
      + (method == "GET" ? [] : ["Content-Length: \(body.count)"])
    let bytes = try exchange(
      Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body, port: port)
    return Answer(parsing: bytes)
  }

  func exchange(_ request: [UInt8], address: String = "127.0.0.1", port: UInt16) throws -> [UInt8] {
    let descriptor = FileDescriptor(owning: try Socket.connected(to: address, port: port))
    Socket.sendAll(descriptor.number, request)
    var bytes: [UInt8] = []
    while true {
      let chunk = try readSome(descriptor.number, limit: 64 << 10)
      if chunk.isEmpty { return bytes }
      bytes += chunk
    }
  }
}

extension Answer {
  init(parsing bytes: [UInt8]) {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
      self.init(status: 0, headers: [:], body: bytes)
      return
    }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
    }
    self.init(status: status, headers: headers, body: Array(bytes[end.upperBound...]))
  }
}

/// What a server says first, or next.
func readGreeting(_ descriptor: Int32) throws -> String {
  String(decoding: try readSome(descriptor, limit: 4096), as: UTF8.self)
}
