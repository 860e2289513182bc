import AzureSimulator
import Platform
import Testing

/// Each line under "what bad input gets", through the built program.
@Suite(.limited) struct BadInputTests {
  // MARK: Names

  @Test("an unknown name is vm-not-found with the closest names and what to type")
  func unknownName() async throws {
    let stage = try await Stage.greeting { configuration in
      for name in ["web2", "db1"] { configuration.machines.append(SimulatedMachine(name)) }
    }
    let run = try await stage.run(["wbe1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-not-found")
    #expect(run.error.contains("no virtual machine is named wbe1"))
    #expect(run.error.contains("rg-demo/web1"))
    #expect(!run.error.contains("db1,"))
    #expect(run.error.contains("next: jitconnect rg-demo/web1"))
    #expect(run.output.isEmpty)
  }

  @Test("a prefix is never taken by itself")
  func prefixName() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["web", "true"])
    #expect(run.code == "vm-not-found")
    #expect(run.error.contains("rg-demo/web1"))
    #expect(stage.requests.isEmpty)
  }

  @Test("the right name in the wrong group: where it is")
  func wrongGroup() async throws {
    let stage = try await Stage.greeting()
    for target in [["rg-demp/web1"], ["--resource-group", "other", "web1"]] {
      let run = try await stage.run(target + ["true"])
      #expect(run.code == "vm-not-found")
      #expect(run.error.contains("next: jitconnect rg-demo/web1"), "\(run.error)")
    }
  }

  @Test("nothing near to it: what to check")
  func nothingNear() async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["zzzzzzzzzz", "true"])
    #expect(run.code == "vm-not-found")
    #expect(run.error.contains("next: "))
  }

  @Test("two of a name in two groups are listed with state and what to type")
  func ambiguousGroups() async throws {
    let stage = try await Stage.greeting { configuration in
      var other = SimulatedMachine("WEB1")
      other.resourceGroup = "rg-other"
      other.power = .deallocated
      configuration.machines[0].name = "Web1"
      configuration.machines.append(other)
      configuration.policies = []
    }
    let run = try await stage.run(["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-ambiguous")
    #expect(run.error.contains("jitconnect rg-demo/Web1"))
    #expect(run.error.contains("jitconnect rg-other/WEB1"))
    #expect(run.error.contains("deallocated"))
    #expect(run.error.contains(SimulatedSubscription().id))

    // What it says to type then leads to one machine.
    let typed = try await stage.run(["--no-enable", "rg-other/web1", "true"])
    #expect(typed.code == "vm-not-running")
  }

  @Test("two of a name in two subscriptions' groups of one name: only the id tells them apart")
  func ambiguousSubscriptions() async throws {
    let second = SimulatedSubscription("second")
    let stage = try await Stage.greeting { configuration in
      configuration.subscriptions.append(second)
      var other = SimulatedMachine("web1")
      other.subscription = second.id
      configuration.machines.append(other)
    }
    let run = try await stage.run(["web1", "true"])
    #expect(run.code == "vm-ambiguous")
    #expect(run.error.contains("jitconnect /subscriptions/\(second.id)/resourceGroups/"))

    let narrowed = try await stage.run(
      ["--subscription", second.id, "--no-enable", "web1", "true"])
    #expect(narrowed.code == "jit-not-enabled")
    let named = try await stage.run(["--subscription", "SECOND", "--no-enable", "web1", "true"])
    #expect(named.code == "jit-not-enabled")
  }

  @Test("on a terminal one of several may be chosen, each time anew")
  func choosing() async throws {
    let stage = try await Stage.ssh { configuration in
      var other = SimulatedMachine("web1")
      other.resourceGroup = "rg-other"
      configuration.machines.append(other)
    }
    for _ in 0..<2 {
      let terminal = try stage.terminal(stage.options() + ["web1", "echo hello"])
      try await terminal.wait(for: "Several virtual machines are named web1. Which one?")
      try await terminal.wait(for: "rg-demo")
      try await terminal.wait(for: "Number (1-2, empty for none): ")
      try terminal.type("1\n")
      try await terminal.wait(for: "hello")
      #expect(try await terminal.end() == .exited(0))
    }
    #expect(try await stage.connect().code == "vm-ambiguous")
  }

  @Test("on a terminal a near name is offered, and not remembered as the one typed")
  func offering() async throws {
    let stage = try await Stage.ssh()
    let refused = try stage.terminal(stage.options() + ["web", "true"])
    try await refused.wait(for: "No virtual machine is named web. Which one is meant?")
    try await refused.wait(for: "empty for none): ")
    try refused.type("\n")
    try await refused.wait(for: "error[vm-not-found]")
    #expect(try await refused.end() == .exited(255))

    let taken = try stage.terminal(stage.options() + ["web", "echo hello"])
    try await taken.wait(for: "rg-demo/web1")
    try await taken.wait(for: "empty for none): ")
    try taken.type("1\n")
    try await taken.wait(for: "hello")
    #expect(try await taken.end() == .exited(0))
    #expect(try await stage.connect("web").code == "vm-not-found")
  }

  @Test("az's default subscription breaks a tie")
  func defaultSubscription() async throws {
    let second = SimulatedSubscription("second")
    let stage = try await Stage.greeting { configuration in
      configuration.cloudName = "AzureCloud"
      configuration.subscriptions.append(second)
      var other = SimulatedMachine("web1")
      other.subscription = second.id
      configuration.machines.append(other)
    }
    try stage.write(
      "azure/azureProfile.json",
      """
      {"subscriptions":[{"id":"\(second.id)","name":"second","state":"Enabled",
      "user":{"name":"ada@contoso.example","type":"user"},"isDefault":true,
      "tenantId":"\(SimulatedTenant().id)","environmentName":"AzureCloud"}]}
      """)
    let run = try await stage.run(["--no-enable", "web1", "true"])
    #expect(run.code == "jit-not-enabled", "\(run.error)")
    #expect(stage.count("GET", second.id) > 0)
  }

  // MARK: The machine

  @Test("a stopped machine names --start, and nothing is requested")
  func stopped() async throws {
    let stage = try await Stage.greeting { $0.machines[0].power = .deallocated }
    let run = try await stage.run(["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-not-running")
    #expect(run.error.contains("next: jitconnect --start rg-demo/web1"))
    #expect(stage.requests.isEmpty)
    #expect(stage.count("POST", "/start") == 0)
  }

  @Test("--start starts it before the request, and connects")
  func start() async throws {
    let stage = try await Stage.ssh { $0.machines[0].power = .deallocated }
    let run = try await stage.connect("web1", ["--start"])
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
    let paths = stage.simulator.report.calls.map(\.path)
    let start = paths.firstIndex { $0.hasSuffix("/start") }
    let initiate = paths.firstIndex { $0.hasSuffix("/initiate") }
    #expect(try #require(start) < (try #require(initiate)))
  }

  @Test("a start that fails is told with Azure's reason")
  func startFails() async throws {
    let stage = try await Stage.greeting { configuration in
      configuration.machines[0].power = .deallocated
      configuration.behaviour.startFailure = (
        "AllocationFailed", "Allocation failed. We do not have sufficient capacity."
      )
    }
    let run = try await stage.run(["--start", "web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "vm-start-failed")
    #expect(run.error.contains("sufficient capacity"))
    #expect(stage.requests.isEmpty)
  }

  @Test("no public address says so before anything is requested")
  func noPublicAddress() async throws {
    let stage = try await Stage.greeting { $0.machines[0].publicAddress = .none }
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "no-public-address")
    #expect(run.error.contains("private address"))
    #expect(run.error.contains("--address private"))
    #expect(stage.requests.isEmpty)
  }

  // MARK: What Azure refuses

  @Test("403 names the action that is missing and whom to ask")
  func forbidden() async throws {
    let stage = try await Stage.greeting {
      $0.identities[0].grants = [
        .init(
          actions: ["*"],
          notActions: ["Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"])
      ]
    }
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "not-permitted")
    #expect(
      run.error.contains("Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"))
    #expect(run.error.contains("correlation id"))
    #expect(run.error.contains("next: ask an owner"))
  }

  @Test("reading the policies may be refused: that is not 'no policy'")
  func policiesForbidden() async throws {
    let stage = try await Stage.greeting {
      $0.identities[0].grants = [
        .init(actions: ["*"], notActions: ["Microsoft.Security/jitNetworkAccessPolicies/read"])
      ]
    }
    let run = try await stage.run(["--enable", "web1", "true"])
    #expect(run.code == "not-permitted", "\(run.error)")
    #expect(stage.count("PUT", "") == 0)
  }

  @Test("401: a token that is not taken is fetched anew once")
  func unauthorized() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    stage.simulator.expireTokens()
    stage.simulator.advance(by: .seconds(600))
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
  }

  @Test("401 for good is one line with the way to sign in")
  func unauthorizedForGood() async throws {
    let stage = try await Stage.greeting()
    var fault = Fault(
      .error(401, code: "InvalidAuthenticationToken", message: "The access token is invalid."),
      kind: .graph)
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "sign-in-refused", "\(run.error)")
    #expect(run.error.contains("next: sign in again"))
  }

  @Test(
    "refusals of the request are told with Azure's message, status and correlation id",
    arguments: [
      (400, "BadRequest", "Something odd about it.", "azure-refused"),
      (409, "Conflict", "Another operation is in progress on it.", "azure-refused"),
      (404, "ResourceGroupNotFound", "Resource group 'x' could not be found.", "jit-not-enabled"),
      (403, "RequestDisallowedByPolicy", "Disallowed by policy 'no holes'.", "azure-refused"),
    ])
  func refusals(status: Int, code: String, message: String, expected: String) async throws {
    let stage = try await Stage.greeting()
    var fault = Fault(.error(status, code: code, message: message), path: "/initiate")
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == expected, "\(run.error)")
    #expect(run.error.contains(message))
    #expect(run.error.contains("HTTP \(status), correlation id "))
    #expect(run.error.split(separator: "\n").count <= 2)
  }

  @Test("throttled with a short Retry-After waits and goes on")
  func throttledShortly() async throws {
    let stage = try await Stage.ssh()
    var fault = Fault(
      .error(429, code: "TooManyRequests", message: "Slow down."), kind: .arm, method: "GET",
      path: "/jitNetworkAccessPolicies")
    fault.headers = [("Retry-After", "1")]
    stage.simulator.inject(fault)
    let run = try await stage.connect()
    #expect(run.status == 0, "\(run.error)")
    #expect(run.text == "hello\n")
  }

  @Test("throttled for too long says for how long, at once")
  func throttledForLong() async throws {
    let stage = try await Stage.greeting()
    var fault = Fault(
      .error(429, code: "TooManyRequests", message: "Slow down."), kind: .arm, method: "GET",
      path: "/jitNetworkAccessPolicies")
    fault.headers = [("Retry-After", "300")]
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["web1", "true"])
    #expect(run.code == "azure-throttled", "\(run.error)")
    #expect(run.error.contains("next: try again in 300 seconds"))
    #expect(stage.count("GET", "/jitNetworkAccessPolicies") == 1)
  }

  @Test(
    "one bad answer to a reading call is got over",
    arguments: [
      "500", "503-page", "empty", "reset", "cut", "text", "html",
    ])
  func passing(kind: String) async throws {
    let stage = try await Stage.ssh()
    stage.simulator.inject(
      Fault(Self.effect(kind), method: "GET", path: "/jitNetworkAccessPolicies"))
    let run = try await stage.connect()
    if ["text", "html"].contains(kind) {
      // An answer that says it is one, and is not: nothing to wait for.
      #expect(run.code == "azure-answer-invalid", "\(run.error)")
    } else {
      #expect(run.status == 0, "\(run.error)")
    }
  }

  @Test(
    "a bad answer to the request: what was heard is found out, and never sent twice",
    arguments: ["500", "503-page", "reset", "cut", "text", "html"], [true, false])
  func lostAnswer(kind: String, isCarriedOut: Bool) async throws {
    let stage = try await Stage.ssh { $0.behaviour.openingDelay = .zero }
    var fault = Fault(Self.effect(kind), method: "POST", path: "/initiate")
    // A cut is of an answer, so its call was carried out.
    fault.isCarriedOut = isCarriedOut || kind == "cut"
    stage.simulator.inject(fault)
    let run = try await stage.connect()
    if fault.isCarriedOut {
      #expect(run.status == 0, "\(run.error)")
      #expect(run.text == "hello\n")
    } else {
      #expect(run.status == 255)
      #expect(run.code != nil)
      #expect(run.error.contains("request access to web1"))
    }
    #expect(stage.requests.count == 1)
    #expect(stage.fileProblems.isEmpty)
  }

  static func effect(_ kind: String) -> Fault.Effect {
    switch kind {
    case "500": .error(500, code: "InternalServerError", message: "Something went wrong.")
    case "503-page": .page(503)
    case "empty": .empty(502)
    case "reset": .reset
    case "cut": .cut(after: 20)
    case "text": .answer(200, body: "I am no JSON", type: "application/json")
    default: .answer(200, body: "<html><body>Sign in to Wi-Fi</body></html>", type: "text/html")
    }
  }

  @Test("a web page that stays is told as one, without its text")
  func staysHTML() async throws {
    let stage = try await Stage.greeting()
    var fault = Fault(.page(503), path: "/virtualMachines/web1")
    fault.times = nil
    stage.simulator.inject(fault)
    let run = try await stage.run(["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "azure-unavailable", "\(run.error)")
    #expect(run.error.contains("a web page came instead of Azure's answer"))
    #expect(!run.error.contains("<h1>"))
    #expect(stage.count("GET", "/virtualMachines/web1") <= 8)
  }

  @Test("without Defender for Servers Plan 2: what to switch on")
  func planMissing() async throws {
    let stage = try await Stage.greeting { $0.subscriptions[0].plan = .p1 }
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.code == "defender-plan-missing")
    #expect(run.error.contains("is not onboarded to Defender For Servers offering"))
    #expect(run.error.contains("az security pricing create"))

    let enabling = try await Stage.greeting(hasPolicy: false) { $0.subscriptions[0].plan = .free }
    let second = try await enabling.run(["--enable"] + enabling.options() + ["web1", "true"])
    #expect(second.code == "defender-plan-missing", "\(second.error)")
  }

  @Test("a subscription that never used Microsoft.Security: the command that registers it")
  func notRegistered() async throws {
    let stage = try await Stage.greeting(hasPolicy: false) {
      $0.subscriptions[0].securityRegistered = false
    }
    let run = try await stage.run(["--enable", "web1", "true"])
    #expect(run.status == 255)
    #expect(run.error.contains("az provider register --namespace Microsoft.Security"))
  }

  @Test("nobody to ask at all: the network is named")
  func noNetwork() async throws {
    let stage = try await Stage.greeting()
    let free = try Simulator.freePort()
    let run = try await stage.run(
      ["web1", "true"],
      environment: [
        "ARM_CLOUD_METADATA_URL": "http://127.0.0.1:\(free)/metadata/endpoints",
        "XDG_CACHE_HOME": stage.folder + "/work",
      ])
    #expect(run.status == 255)
    #expect(run.code != nil, "\(run.error)")
    #expect(run.error.contains("127.0.0.1:\(free)"))
  }

  // MARK: Words on a screen

  @Test("-q: not a word of ours, whatever goes wrong", arguments: ["nobody", "web1"])
  func quiet(host: String) async throws {
    let stage = try await Stage.greeting(hasPolicy: false)
    let run = try await stage.run(["-q", host, "true"])
    #expect(run.status == 255)
    #expect(run.error == "")
    #expect(run.output.isEmpty)
  }

  @Test("control characters in Azure's message never reach the terminal")
  func controlCharacters() async throws {
    let stage = try await Stage.greeting()
    stage.simulator.inject(
      Fault(
        .error(400, code: "Odd", message: "evil \u{1B}]0;title\u{7}\u{1B}[2J \u{202E}text"),
        path: "/initiate"))
    let run = try await stage.run(stage.options() + ["web1", "true"])
    #expect(run.status == 255)
    #expect(run.error.contains("evil"))
    #expect(!run.error.unicodeScalars.contains { $0.value == 0x1B || $0.value == 0x202E })
  }

  @Test(
    "a host that ssh would refuse is refused before any call",
    arguments: ["-oProxyCommand=x", "web1;id", "$(id)", "a b", "user@", "web1\n"])
  func badHost(host: String) async throws {
    let stage = try await Stage.greeting()
    let run = try await stage.run(["--", host, "true"])
    #expect(run.status == 255)
    #expect(stage.simulator.report.calls.isEmpty)
  }
}
