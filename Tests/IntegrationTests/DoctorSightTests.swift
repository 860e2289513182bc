import AzureSimulator
import FoundationEssentials
import Platform
import Testing

/// What the doctor does where it cannot see: it says so and why, and goes on.
@Suite(.limited) struct DoctorSightTests {
  private static let azureChecks = [
    "permission", "plan", "power", "nic", "policy", "window", "nsg", "jit-rule", "exposure",
    "route",
  ]

  private func policyID(_ name: String = "default") -> String {
    "/subscriptions/\(SimulatedSubscription().id)/resourceGroups/rg-demo/providers"
      + "/Microsoft.Security/locations/westeurope/jitNetworkAccessPolicies/\(name)"
  }

  private func resource(_ type: String, _ name: String) -> String {
    "/subscriptions/\(SimulatedSubscription().id)/resourceGroups/rg-demo/providers/\(type)/\(name)"
  }

  /// Every check of Azure's says that it was not seen, and the port, the banner and the host key
  /// were looked at.
  private func expectBlind(_ report: Examination, _ reason: String) {
    for check in Self.azureChecks {
      #expect(report.all(check).count == 1, "\(check)")
      #expect(report.text(check, "state") == "unknown")
      #expect(report.text(check).hasPrefix("not seen: "), "\(report.text(check))")
      #expect(report.text(check).contains(reason), "\(report.text(check))")
    }
    #expect(report.text("port").hasSuffix("is open"))
    #expect(report.details("port").count == 1)
    #expect(report.text("banner").hasPrefix("SSH-2.0-"))
    #expect(report.text("host-key").hasSuffix("is the pinned one"), "\(report.text("host-key"))")
  }

  @Test("without a sign-in it goes on with what an earlier connect saw")
  func signedOut() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    try FileManager.default.removeItem(atPath: stage.folder + "/state/jitconnect/tokens.json")
    let report = try await stage.examine(environment: ["AZURE_CLIENT_SECRET": "wrong"])
    #expect(report.run.status == 1)
    #expect(report.wrong.first == "sign-in problem")
    #expect(report.text("vm", "state") == "unknown")
    expectBlind(report, "")
    #expect(
      report.details("policy").first?.hasPrefix("seen last: the policy default opens") == true)
    #expect(
      report.details("window").first?.hasPrefix("you opened it for 203.0.113.7 until ") == true)
    #expect(report.details("nic").first?.hasPrefix("seen last: web1-nic: private 10.") == true)
    #expect(report.text("source") == "you come from 203.0.113.7")
  }

  @Test("another machine at the remembered address is told by its key")
  func otherKey() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    let known = try #require(stage.read("state/jitconnect/known_hosts"))
    let key = try #require(known.split(whereSeparator: \.isWhitespace).dropFirst(2).first)
    let other = key.dropLast(8) + (key.hasSuffix("AAAAAAAA") ? "BBBBBBBB" : "AAAAAAAA")
    try stage.write("state/jitconnect/known_hosts", known.replacing(key, with: other))
    for secret in [nil, "wrong"] as [String?] {
      if secret != nil {
        try FileManager.default.removeItem(atPath: stage.folder + "/state/jitconnect/tokens.json")
      }
      let report = try await stage.examine(
        environment: secret.map { ["AZURE_CLIENT_SECRET": $0] } ?? [:])
      #expect(report.run.status == 1)
      #expect(report.text("host-key", "state") == "problem")
      #expect(report.text("host-key", "code") == "host-key-changed")
    }
  }

  @Test("without a way to Azure, however the machine is named")
  func noNetwork() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    let nowhere = "http://127.0.0.1:\(try Simulator.freePort())/metadata/endpoints"
    for target in ["web1", "rg-demo/WEB1", resource("Microsoft.Compute/virtualMachines", "web1")] {
      let report = try await stage.examine(
        [], target,
        environment: [
          "ARM_CLOUD_METADATA_URL": nowhere, "XDG_CACHE_HOME": "\(stage.folder)/cache",
        ])
      #expect(report.run.status == 1)
      #expect(report.wrong.first == "sign-in problem")
      expectBlind(report, "Azure cannot be reached")
    }
  }

  @Test("where Azure answers nothing but errors each of its checks says so, and the port is seen")
  func outage() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    for kind in [CallReport.Kind.arm, .graph] {
      var fault = Fault(.page(503), kind: kind)
      fault.times = nil
      stage.simulator.inject(fault)
    }
    let report = try await stage.examine()
    for check in ["vm", "plan", "policy"] {
      #expect(report.text(check, "code") == "azure-unavailable")
      #expect(report.text(check, "state") == "unknown")
      #expect(!report.details(check).isEmpty)
    }
    #expect(report.text("host-key").hasSuffix("is the pinned one"))
  }

  @Test("where only the look-up fails the remembered machine is read as ever")
  func lookUpFails() async throws {
    let stage = try await Stage.ssh()
    #expect(try await stage.connect().status == 0)
    let list = "\(SimulatedSubscription().id)/providers/microsoft.compute/virtualmachines"
    for (kind, path) in [(CallReport.Kind.graph, ""), (.arm, list)] {
      var fault = Fault(
        .error(400, code: "BadRequest", message: "not today"), kind: kind, path: path)
      fault.times = nil
      stage.simulator.inject(fault)
    }
    let report = try await stage.examine()
    #expect(report.text("power") == "it is running", "\(report.run.text)")
    #expect(report.text("nsg", "state") == "ok")
  }

  @Test("with nothing remembered each check says that it was not seen")
  func nothingKnown() async throws {
    let stage = try await Stage.ssh()
    let nowhere = try await stage.examine([], "nowhere")
    #expect(nowhere.run.status == 1)
    #expect(nowhere.wrong.first == "vm problem")
    #expect(nowhere.text("plan") == "not seen: no virtual machine is named nowhere")
    #expect(nowhere.text("port", "state") == "unknown")
    #expect(nowhere.text("source") == "you come from 203.0.113.7")
    let stranger = try await stage.run(
      ["doctor", "web1", "--json"], environment: ["AZURE_CLIENT_SECRET": "wrong"])
    #expect(stranger.status == 1)
    let report = try Examination(stranger)
    #expect(report.wrong.first == "sign-in problem")
    #expect(report.text("host-key", "state") == "unknown")
  }

  @Test("a machine that may not be read: its groups are, by what is remembered")
  func machineUnreadable() async throws {
    let stage = try await Stage.ssh {
      $0.identities.append(SimulatedIdentity(application: "half"))
      $0.identities[1].grants = [.init(notActions: ["Microsoft.Compute/*"])]
    }
    #expect(try await stage.connect().status == 0)
    let half = SimulatedIdentity(application: "half")
    let report = try await stage.examine(environment: ["AZURE_CLIENT_ID": half.name])
    #expect(report.text("vm", "state") != "ok")
    #expect(report.text("power", "state") == "unknown")
    #expect(report.text("nsg").contains("web1-nsg (interface) lets 203.0.113.7 in by"))
    #expect(report.text("policy").hasPrefix("the policy default opens port"))
    #expect(report.text("host-key").hasSuffix("is the pinned one"))
    let missing = report.all("permission").filter { $0["state"] == "problem" }
    #expect(
      missing.map { $0["action"]?.text } == ["Microsoft.Compute/virtualMachines/read"])
  }

  @Test("with the right to read alone everything is seen, and what is not permitted is named")
  func reader() async throws {
    let stage = try await Stage.ssh {
      $0.identities[0].grants = [.init(actions: ["*/read"])]
    }
    let report = try await stage.examine()
    #expect(report.run.status == 1)
    #expect(report.wrong.first == "permission problem")
    let missing = report.all("permission").filter { $0["state"] == "problem" }
    #expect(missing.count == 1)
    let action = "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"
    #expect(
      missing.first?["text"]?.text
        == "no role of this account has \(action) on jitNetworkAccessPolicies/default "
        + "(the role Security Admin has it)")
    #expect(missing.first?["action"]?.text == action)
    #expect(missing.first?["scope"]?.text == policyID())
    #expect(missing.first?["role"]?.text == "Security Admin")
    #expect(
      missing.first?["next"]?.text
        == "az role assignment create --assignee \(SimulatedIdentity().name) "
        + "--role 'Security Admin' --scope \(policyID())")
    #expect(!report.wrong.contains("policy problem"))
    // Routes take more than reading: it is said what.
    #expect(report.text("route", "state") == "unknown")
    #expect(
      report.details("route").contains {
        $0.contains("Microsoft.Network/networkInterfaces/effectiveRouteTable/action")
      })
    #expect(report.text("route", "next").contains("Network Contributor"))
  }

  @Test("rights on the single resources are enough, and asked for there")
  func narrowRights() async throws {
    let group = "/subscriptions/\(SimulatedSubscription().id)/resourceGroups/rg-demo"
    let policies = "Microsoft.Security/locations/jitNetworkAccessPolicies/"
    let listing = "Microsoft.Security/jitNetworkAccessPolicies/read"
    let stage = try await Stage.ssh {
      $0.identities[0].grants = [
        .init(scope: group, actions: [listing, "Microsoft.Authorization/*/read"]),
        .init(scope: policyID(), actions: [policies + "*"]),
        .init(scope: resource("Microsoft.Compute/virtualMachines", "web1"), actions: ["*/read"]),
        .init(scope: resource("Microsoft.Network/networkInterfaces", "web1-nic"), actions: ["*"]),
        .init(scope: resource("Microsoft.Network/publicIPAddresses", "web1-ip"), actions: ["*"]),
        .init(
          scope: resource("Microsoft.Network/networkSecurityGroups", "web1-nsg"), actions: ["*"]),
      ]
    }
    let report = try await stage.examine(
      [], resource("Microsoft.Compute/virtualMachines", "web1"))
    #expect(!report.wrong.contains("permission problem"), "\(report.run.text)")
    // Only the subnet is not among them.
    let unseen = report.all("permission").filter { $0["state"] != "ok" }
    #expect(unseen.map { $0["action"]?.text } == ["Microsoft.Network/virtualNetworks/subnets/read"])
    #expect(report.text("nsg").contains("the security group of the subnet default is not known"))
    #expect(report.details("nsg").contains { $0.contains("the role Reader has Microsoft.Network") })
    #expect(report.text("nsg").contains("web1-nsg (interface) keeps"))
  }

  @Test("what may not be read is unknown, never wrong, with action, scope and role")
  func blind() async throws {
    let stage = try await Stage.ssh {
      $0.identities[0].grants = [
        .init(
          notActions: [
            "Microsoft.Security/*/read", "Microsoft.Network/networkSecurityGroups/*",
            "Microsoft.Authorization/*",
          ])
      ]
    }
    let report = try await stage.examine()
    for check in ["permission", "plan", "policy", "window", "nsg", "jit-rule", "exposure"] {
      #expect(!report.all(check).isEmpty)
      #expect(report.all(check).allSatisfy { $0["state"] == "unknown" }, "\(check)")
    }
    let reads = [
      ("plan", "Microsoft.Security/pricings/read", "/virtualMachines/web1", "Security Reader"),
      (
        "policy", "Microsoft.Security/jitNetworkAccessPolicies/read", "/rg-demo",
        "Security Reader"
      ),
      ("nsg", "Microsoft.Network/networkSecurityGroups/read", "/web1-nsg", "Reader"),
    ]
    for (check, action, scope, role) in reads {
      let why = report.details(check).first ?? ""
      #expect(why.contains(action), "\(check): \(why)")
      #expect(why.lowercased().contains(scope.lowercased()), "\(check): \(why)")
      #expect(report.text(check, "next").hasSuffix("such as \(role)"))
      #expect(report.text(check, "code") == "not-permitted")
    }
    #expect(report.all("permission").count > 4)
    #expect(
      report.details("permission").allSatisfy {
        $0.contains("Microsoft.Authorization/permissions/read")
      })
  }
}
