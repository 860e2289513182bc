import Azure
import Platform
import SSHConfig
import Terminal

extension World {
  /// Who is let in: what the user named, else the address that this machine comes from.
  ///
  /// - Parameters:
  ///   - isConfirmed: `--yes`, which stands for the answer to what the command line spelled out.
  ///   - address: the address connected to, where it is a private one: then the source is this
  ///     machine's own address on that network.
  func sources(
    _ settings: JitSettings, isConfirmed: Bool, towardsPrivate address: String? = nil
  ) async throws(Failure) -> [SourcePrefix] {
    switch settings.source {
    case .auto:
      if let address { return [try ownAddress(towards: address)] }
      return [try await ownPublicAddress(settings)]
    case .any:
      return [try await wide(.any, settings, isConfirmed: isConfirmed)]
    case .prefixes(let texts):
      var sources: [SourcePrefix] = []
      for text in texts {
        if let named = settings.sourceSet(text) {
          for prefix in named.set.prefixes {
            let source = try prefixOf(prefix)
            // A set of a file spells nothing out, whoever names it.
            guard source.isNarrow || named.origin == .commandLine else {
              throw tooWide(source.text)
            }
            sources.append(try await wide(source, settings, isConfirmed: isConfirmed))
          }
          continue
        }
        guard !JitSourceSet.isName(text) else { throw unknownSet(text, settings) }
        sources.append(
          try await wide(try prefixOf(text), settings, isConfirmed: isConfirmed))
      }
      return sources
    }
  }

  private func prefixOf(_ text: String) throws(Failure) -> SourcePrefix {
    guard let source = SourcePrefix(parsing: text) else {
      throw Failure(
        .addressNotIPv4, what: "\(printable(text, limit: 100)) is no IPv4 address",
        next: "name an address, or a prefix such as 203.0.113.0/28, with --source")
    }
    return source
  }

  private func unknownSet(_ name: String, _ settings: JitSettings) -> Failure {
    let known = settings.sourceSets.map(\.set.name)
    return Failure(
      .settingInvalid, what: "no set of sources is named \(printable(name, limit: 100))",
      why: known.isEmpty ? nil : "there are: \(known.joined(separator: ", "))",
      next: "write it down: JitSourceSet \(printable(name, limit: 100))=ADDRESS,… in "
        + "~/.config/jitconnect/config; or name an IPv4 address with --source")
  }

  private func tooWide(_ name: String) -> Failure {
    Failure(
      .sourceTooWide, what: "the source \(name) lets in too many",
      why: "a prefix shorter than /24 counts only when the command line spells it out",
      next: "add --source \(name) to the command line, if you mean it")
  }

  func addressServices(_ settings: JitSettings) -> AddressServices {
    let services = settings.ipServices
    return AddressServices(
      services: services.isEmpty ? AddressServices.builtIn : services, http: http)
  }

  private func ownPublicAddress(_ settings: JitSettings) async throws(Failure) -> SourcePrefix {
    let console = console
    let text = try await addressServices(settings).detect {
      console.warn("the public address may differ: \($0)")
    }
    debug("public address \(text)")
    guard let source = SourcePrefix(parsing: text) else {
      throw Failure(.addressUnclear, what: "\(text) is no IPv4 address", next: "use --source")
    }
    return source
  }

  private func ownAddress(towards address: String) throws(Failure) -> SourcePrefix {
    guard let own = InternetAddress.localAddress(towards: address),
      let source = SourcePrefix(parsing: own)
    else {
      throw Failure(
        .addressUnclear, what: "this machine has no IPv4 address towards \(address)",
        next: "name the address that the VM will see: --source ADDRESS")
    }
    return source
  }

  /// Refuses what is wide unless the command line itself spelled it out and it is confirmed.
  private func wide(
    _ source: SourcePrefix, _ settings: JitSettings, isConfirmed: Bool
  ) async throws(Failure) -> SourcePrefix {
    if source.isNarrow { return source }
    let name = source.isAny ? "any" : source.text
    guard settings.isSpelledOut(.source) else { throw tooWide(name) }
    if isConfirmed { return source }
    let question = "Let in \(source.isAny ? "every address there is" : source.text)?"
    switch await ask({ $0.confirm(question) }) {
    case .given(true): return source
    case .interrupted: throw Failure(.interrupted, what: "interrupted")
    case .notPossible:
      throw Failure(
        .sourceTooWide, what: "the source \(name) lets in too many",
        why: "nobody can be asked whether you mean it", next: "confirm it with --yes")
    default:
      throw Failure(.declined, what: "nothing was opened", next: "leave --source out")
    }
  }

  /// Asks on a thread that may wait, with the progress line out of the way.
  func ask<Answer: Sendable>(
    _ question: @escaping @Sendable (Prompt) -> Prompt.Answer<Answer>
  ) async -> Prompt.Answer<Answer> {
    let prompt = prompt
    let flag = CancellationFlag()
    let answer = try? await withTaskCancellationHandler {
      try await interrupts.paused {
        try await Blocking.run {
          turn.take(unless: flag) { question(prompt) }
        }
      }
    } onCancel: {
      flag.cancel()
    }
    return answer ?? .notPossible
  }
}

extension SourcePrefix {
  /// Whether it lets in no more than 256 addresses.
  var isNarrow: Bool { prefixLength.map { $0 >= 24 } ?? true }
}
