/// What proves to an agent which server a connection to it serves: the agent then keeps keys away
/// from servers that they are not for (`ssh-add -h`; PROTOCOL.agent, "session-bind@openssh.com").
struct SessionBinding: Equatable {
  var hostKey: [UInt8]
  /// The hash of the first key exchange.
  var sessionID: [UInt8]
  /// The server's, of that hash.
  var signature: [UInt8]

  /// Proves nothing: an agent that knows the question then gives out no key that is bound to
  /// servers, on that connection.
  static func unproven(hostKey: [UInt8]) -> SessionBinding {
    SessionBinding(hostKey: hostKey, sessionID: [], signature: [])
  }

  /// The request to the agent, without its length.
  ///
  /// - Parameter isForwarding: whether the connection is the server's, to use the agent by.
  func request(isForwarding: Bool) -> [UInt8] {
    let agentExtension: UInt8 = 27
    var writer = WireWriter()
    writer.byte(agentExtension)
    writer.string("session-bind@openssh.com")
    writer.string(hostKey)
    writer.string(sessionID)
    writer.string(signature)
    writer.byte(isForwarding ? 1 : 0)
    return writer.bytes
  }

  /// How long the hash of a key exchange is; nil for a method not known here.
  static func hashLength(ofKeyExchange name: String) -> Int? {
    // The curves' methods are named alike and differ in their hash (RFC 5656 §6.2.1).
    for (part, length) in [
      ("nistp256", 32), ("nistp384", 48), ("nistp521", 64), ("sha256", 32), ("sha384", 48),
      ("sha512", 64), ("sha1", 20),
    ] where name.contains(part) {
      return length
    }
    return nil
  }
}

extension SSHSession {
  /// What libssh2 tells nobody about the key exchange that has just ended, taken from its memory.
  ///
  /// Agents check the signature themselves, so that what is not understood here costs the use of
  /// bound keys and never the binding.
  func bindingOfExchange() -> SessionBinding? {
    let memory = handle.stopKeeping()
    guard let key = handle.hostKeyBlob else { return nil }
    guard let name = handle.agreed(.keyExchange),
      let length = SessionBinding.hashLength(ofKeyExchange: name),
      let hash = memory[length],
      let signature = context.exchangeSignatures.last(where: { $0.hostKey == key })?.signature
    else {
      log.debug1("the key exchange cannot be proved to agents")
      return .unproven(hostKey: key)
    }
    return SessionBinding(hostKey: key, sessionID: hash, signature: signature)
  }
}
