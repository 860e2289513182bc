import HTTP
import Identity
import Platform
import Synchronization
import Testing

@testable import Azure

/// One policy that two clients write, call by call in an order that the test gives.
private final class SharedPolicy: Sendable {
  struct Event: Sendable {
    var client: Int
    var method: HTTPRequest.Method
    /// The policy after the call; nil where there is none.
    var machines: [JSONTree]?
  }

  private struct State {
    var policy: JSONTree?
    var events: [Event] = []
    /// Whose call is next; empty lets everybody go on as they come.
    var turns: [Int]
    var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
  }

  private let state: Mutex<State>

  init(_ policy: JSONTree?, turns: [Int]) { state = Mutex(State(policy: policy, turns: turns)) }

  var events: [Event] { state.withLock { $0.events } }
  var policy: JSONTree? { state.withLock { $0.policy } }

  /// Waits for a client's turn.
  private func enter(_ client: Int) async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.turns.isEmpty || state.turns.first == client { return true }
        state.waiting[client] = continuation
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  private func goOn(_ change: (inout State) -> Void) {
    let next = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      change(&state)
      guard let turn = state.turns.first else {
        defer { state.waiting = [:] }
        return Array(state.waiting.values)
      }
      return state.waiting.removeValue(forKey: turn).map { [$0] } ?? []
    }
    for continuation in next { continuation.resume() }
  }

  /// A client has no more calls to make.
  func finish(_ client: Int) { goOn { $0.turns.removeAll { $0 == client } } }

  func call(_ client: Int, _ request: HTTPRequest) async -> HTTPResponse {
    await enter(client)
    let answer = state.withLock { state -> (Int, JSONTree?) in
      var result: (Int, JSONTree?) = (200, state.policy)
      switch request.method {
      case .put:
        var body = (try? JSONTree(parsing: request.body ?? [])) ?? .null
        body.update("properties") { $0.set("provisioningState", to: "Succeeded") }
        state.policy = body
        result = (200, body)
      case .delete:
        result = (state.policy == nil ? 204 : 200, nil)
        state.policy = nil
      default:
        if state.policy == nil { result = (404, ["error": ["code": "ResourceNotFound"]]) }
      }
      state.events.append(
        Event(
          client: client, method: request.method,
          machines: state.policy.map { PolicyEdit.machines(of: $0) }))
      return result
    }
    goOn { if $0.turns.first == client { $0.turns.removeFirst() } }
    return HTTPResponse(
      status: answer.0, headers: HTTPHeaders([]), body: answer.1?.bytes ?? [])
  }
}

private struct SharedTransport: HTTPTransport {
  let shared: SharedPolicy
  let client: Int

  func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
    await shared.call(client, request)
  }
}

@Suite struct PolicyInterleavingTests {
  private static func machine(_ name: String) throws -> ResourceID {
    try id(JITPoliciesTests.vm.replacing("Web1", with: name))
  }

  private static func policy(_ names: [String]) throws -> JSONTree {
    var entries: [JSONTree] = []
    for name in names {
      entries.append([
        "id": .string(try machine(name).text),
        "future": ["n": .number("1.50"), "of": .string(name)],
        "ports": [
          [
            "number": 22, "protocol": "*", "allowedSourceAddressPrefix": "*",
            "maxRequestAccessDuration": "PT3H", "strange": true,
          ]
        ],
      ])
    }
    return [
      "kind": "Basic", "properties": ["virtualMachines": .array(entries), "other": ["x": 1]],
    ]
  }

  private static func run(
    _ client: Int, _ edit: EntryEdit, on shared: SharedPolicy
  ) async throws -> [String] {
    defer { shared.finish(client) }
    var arm = World().client
    arm = arm.over(SharedTransport(shared: shared, client: client))
    return try await JITPolicies(client: arm).write(
      try id(JITPoliciesTests.policyID), purpose: "edit",
      isDone: { PolicyEdit.isDone([edit], in: $0) },
      edit: { tree throws(Failure) in try PolicyEdit.apply([edit], in: tree) }
    ).notes
  }

  /// Every order of two clients' calls, three each: read, write, read back.
  private static let orders: [[Int]] = (0..<64).map { bits in (0..<6).map { bits >> $0 & 1 } }
    .filter { $0.reduce(0, +) == 3 }

  private enum Kind: CaseIterable { case enable, change, disable }

  private static func edit(_ kind: Kind, _ name: String) throws -> EntryEdit {
    switch kind {
    case .enable: EntryEdit(try machine("new" + name), .ports([PortChange(.set, number: 22)]))
    case .change:
      EntryEdit(
        try machine(name), .ports([PortChange(.change, number: 22, maximum: .seconds(3600))]))
    case .disable: EntryEdit(try machine(name), .remove)
    }
  }

  @Test("call by call in any order: every loss that a read-back can see is mended and told")
  func interleaved() async throws {
    #expect(Self.orders.count == 20)
    for first in Kind.allCases {
      for second in Kind.allCases {
        for order in Self.orders { try await interleave(first, second, order) }
      }
    }
  }

  private func interleave(_ first: Kind, _ second: Kind, _ order: [Int]) async throws {
    let shared = SharedPolicy(try Self.policy(["a", "b", "bystander"]), turns: order)
    let edits = [try Self.edit(first, "a"), try Self.edit(second, "b")]
    async let one = Self.run(0, edits[0], on: shared)
    async let two = Self.run(1, edits[1], on: shared)
    let notes = [try await one, try await two]
    let events = shared.events
    let words = "\(first) and \(second) in \(order): \(notes)"
    let end = try #require(shared.policy, "\(words)")
    let entry = PolicyEdit.entry(of: try Self.machine("bystander"), in: end)
    #expect(
      entry
        == PolicyEdit.entry(of: try Self.machine("bystander"), in: try Self.policy(["bystander"])))
    #expect(end["properties", "other"] == ["x": 1])
    for (client, edit) in edits.enumerated() {
      func holds(_ machines: [JSONTree]?) -> Bool {
        PolicyEdit.isDone([edit], in: ["properties": ["virtualMachines": .array(machines ?? [])]])
      }
      let own = try #require(events.firstIndex { $0.client == client && $0.method == .put })
      let overwritten = events.indices.filter {
        $0 > own && events[$0].client != client && events[$0].method == .put
          && !holds(events[$0].machines)
      }
      if holds(PolicyEdit.machines(of: end)) {
        // What was lost in between and seen is told.
        let wasSeen = events.indices.contains {
          $0 > own && events[$0].client == client && events[$0].method == .get
            && !holds(events[$0].machines)
            && events[..<$0].last { $0.method == .put }?.client != client
        }
        if wasSeen { #expect(!notes[client].isEmpty, "\(words)") }
      } else {
        // Lost for good only where nobody could see it: after the last read-back.
        let last = try #require(overwritten.last, "\(words)")
        #expect(!events[last...].contains { $0.client == client }, "\(words)")
      }
    }
  }

  @Test("whole commands of two clients in any order leave every other entry as it is")
  func wholeCommands() async throws {
    var random = SplitMix(seed: 99)
    let names = ["a", "b", "c", "d", "e"]
    for _ in 0..<60 {
      let shared = SharedPolicy(
        try Self.policy(names.filter { _ in Bool.random(using: &random) }), turns: [])
      for _ in 0..<12 {
        let name = names[Int.random(in: 0..<names.count, using: &random)]
        let machine = try Self.machine(name)
        let before = shared.policy
        let isThere = PolicyEdit.entry(of: machine, in: before) != nil
        let changes: [PortChange] = [
          PortChange(
            .set, number: Int.random(in: 1...3, using: &random),
            maximum: .seconds(300 * Int.random(in: 1...9, using: &random)))
        ]
        let edit = EntryEdit(
          machine, isThere && Int.random(in: 0...2, using: &random) == 0 ? .remove : .ports(changes)
        )
        let notes = try await Self.run(Int.random(in: 0...1, using: &random), edit, on: shared)
        #expect(notes.isEmpty)
        let others = { (tree: JSONTree?) in
          (tree.map { PolicyEdit.machines(of: $0) } ?? [])
            .filter { ResourceID($0["id"]?.text) != machine }.map(\.bytes)
        }
        #expect(others(shared.policy) == others(before))
        if let after = shared.policy {
          #expect(PolicyEdit.isDone([edit], in: after))
          #expect(before == nil || after["properties", "other"] == before?["properties", "other"])
        }
      }
    }
  }

  @Test("a policy that somebody writes again while it is deleted is looked at again")
  func deletedAndWritten() async throws {
    // The deleting client reads, the other one reads, the policy goes, and comes back with both.
    let shared = SharedPolicy(try Self.policy(["a"]), turns: [0, 1, 0, 1, 0, 1])
    async let gone = Self.run(0, try Self.edit(.disable, "a"), on: shared)
    async let new = Self.run(1, try Self.edit(.enable, "b"), on: shared)
    let notes = [try await gone, try await new]
    #expect(notes[0].contains { $0.contains("was written again at the same time") })
    #expect(PolicyEdit.entry(of: try Self.machine("a"), in: shared.policy) == nil)
    #expect(PolicyEdit.entry(of: try Self.machine("newb"), in: shared.policy) != nil)
  }
}

extension ARMClient {
  /// The same client over another transport.
  fileprivate func over(_ transport: any HTTPTransport) -> ARMClient {
    ARMClient(
      cloud: cloud, tokens: FakeTokens(), transport: transport, version: "9.9", pacing: pacing)
  }
}
