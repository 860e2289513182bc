import Platform
import Synchronization
import Testing

@testable import SSH

@Suite struct HostTrustTests {
  let key = KnownHostsTests.one
  let other = KnownHostsTests.two

  func known(_ text: String) -> KnownHosts {
    KnownHosts(lines: KnownHosts.parse(Array(text.utf8), file: "/home/u/.ssh/known_hosts"))
  }

  func trust(
    _ checking: HostTrust.Checking, canAsk: Bool = true, port: Int = 22, alias: String? = nil
  ) -> HostTrust {
    HostTrust(
      host: "web", address: "192.0.2.7", port: port, alias: alias, checking: checking,
      file: "/home/u/.ssh/known_hosts", canAsk: canAsk)
  }

  @Test("a new host is asked about, kept or refused as the setting says")
  func newHost() {
    #expect(trust(.off).decide(key, known: KnownHosts()) == .remember)
    #expect(trust(.acceptNew).decide(key, known: KnownHosts()) == .remember)
    for checking in [HostTrust.Checking.yes, .ask] {
      guard
        case .refuse(_, let failure) = trust(checking, canAsk: false).decide(
          key, known: KnownHosts())
      else {
        Issue.record("not refused")
        return
      }
      #expect(failure.code == .hostKeyUnknown)
    }
  }

  @Test("the question is worded as ssh words it")
  func question() {
    let decision = trust(.ask).decide(key, known: KnownHosts())
    #expect(
      decision
        == .ask(
          lines: [
            "The authenticity of host 'web (192.0.2.7)' can't be established.",
            "ED25519 key fingerprint is \(key.fingerprint).",
            "This key is not known by any other names.",
          ],
          question: "Are you sure you want to continue connecting (yes/no/[fingerprint])? "))
    guard
      case .ask(let lines, _) = trust(.ask, port: 2222).decide(
        key, known: known("elsewhere \(key.text)"))
    else {
      Issue.record("not asked")
      return
    }
    #expect(lines[0].contains("'[web]:2222 ([192.0.2.7]:2222)'"))
    #expect(lines[2] == "This host key is known by the following other names/addresses:")
    #expect(lines[3] == "    /home/u/.ssh/known_hosts:1: elsewhere")
  }

  @Test("a changed key is refused with ssh's warning, and off shows no password to it")
  func changedKey() {
    let known = known("web \(other.text)")
    for checking in [HostTrust.Checking.yes, .ask, .acceptNew] {
      guard case .refuse(let warning, let failure) = trust(checking).decide(key, known: known)
      else {
        Issue.record("not refused")
        return
      }
      #expect(failure.code == .hostKeyChanged)
      #expect(warning[1] == "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @")
      #expect(warning.contains("Offending ED25519 key in /home/u/.ssh/known_hosts:1"))
    }
    guard case .distrusted = trust(.off).decide(key, known: known) else {
      Issue.record("not distrusted")
      return
    }
  }

  @Test("a key of another type is no new host for accept-new, and said in the question")
  func otherType() {
    let known = known("web \(KnownHostsTests.rsa.text)")
    guard case .refuse(_, let failure) = trust(.acceptNew).decide(key, known: known) else {
      Issue.record("not refused")
      return
    }
    #expect(failure.code == .hostKeyUnknown)
    guard case .ask(let lines, _) = trust(.ask).decide(key, known: known) else {
      Issue.record("not asked")
      return
    }
    #expect(
      lines.contains {
        $0.hasSuffix("but keys of different type are already known for this host.")
      })
  }

  @Test("a revoked key is refused whatever the setting")
  func revokedKey() {
    let known = known("@revoked * \(key.text)\nweb \(key.text)")
    for checking in [HostTrust.Checking.yes, .ask, .acceptNew, .off] {
      guard case .refuse(_, let failure) = trust(checking).decide(key, known: known) else {
        Issue.record("not refused")
        return
      }
      #expect(failure.code == .hostKeyRevoked)
    }
  }

  @Test("an alias stands alone: neither host nor port is looked up")
  func alias() {
    let trust = trust(.ask, port: 2222, alias: "azure.1234")
    #expect(trust.names == ["azure.1234"])
    #expect(trust.fallbackNames.isEmpty)
    #expect(trust.decide(key, known: known("azure.1234 \(key.text)")) == .trusted)
    #expect(trust.decide(key, known: known("web \(key.text)")) != .trusted)
  }

  @Test("an authority in known_hosts is named where the key itself is unknown")
  func authority() {
    let known = known("@cert-authority * \(other.text)")
    guard case .ask(let lines, _) = trust(.ask).decide(key, known: known),
      case .refuse(_, let failure) = trust(.yes).decide(key, known: known)
    else {
      Issue.record("neither asked nor refused")
      return
    }
    #expect(lines.last?.contains("certificate authority") == true)
    #expect(failure.why?.contains("certificate authority") == true)
  }

  @Test("yes and the fingerprint are accepted and written; no is not; else it is asked again")
  func answers() throws {
    let folder = try TestFolder.make()
    defer { TestFolder.remove(folder) }
    var trust = trust(.ask)
    trust.file = "\(folder)/state/known_hosts"
    for (answers, accepted) in [
      (["yes"], true), (["maybe", "YES"], true), ([key.fingerprint], true), (["no"], false),
      (["SHA256:wrong", "no"], false), ([""], false), ([], false),
    ] {
      let waiting = Mutex(answers)
      let prompts = Prompts(
        line: { _ in waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() } },
        secret: { _ in nil })
      do {
        #expect(try trust.settle(key, known: KnownHosts(), prompts: prompts, log: SSHLog()))
        #expect(accepted)
      } catch {
        #expect(!accepted)
        #expect(error.code == .hostKeyUnknown)
      }
    }
    let known = KnownHosts(files: ["\(folder)/state/known_hosts"])
    #expect(known.lines.count == 3)
    #expect(trust.decide(key, known: known) == .trusted)
  }
}
