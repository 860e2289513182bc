import AzureSimulator
import Platform
import Testing

/// What Azure refuses, through the built program.
@Suite(.limited) struct RefusalTests {
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
    // The application comes before any login: only its own secret mends it.
    #expect(run.error.contains("next: give the application that AZURE_CLIENT_ID names a new"))
  }

  @Test(
    "refusals of the request are told with Azure's message, status and correlation id",
    arguments: [
      (400, "BadRequest", "Something odd about it.", "azure-refused"),
      (409, "Conflict", "Another operation is in progress on it.", "azure-refused"),
      (404, "ResourceGroupNotFound", "Resource group 'x' could not be found.", "not-found"),
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
    #expect(run.error.contains("\n  next: "), "\(run.error)")
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
}
