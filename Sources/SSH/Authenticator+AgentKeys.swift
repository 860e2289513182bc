import Platform

extension Authenticator {
  /// `AddKeysToAgent`: a key file that has proved right goes into the running agent.
  ///
  /// As with ssh, whatever stands in the way is worth a debug line and no more.
  func addToAgent(
    _ file: KeyFile, _ privateKey: SecretBytes, _ passphrase: SecretBytes?
  ) throws(Failure) {
    guard let addition = plan.agentAddition else { return }
    guard let path = plan.agentSocket else {
      return log.debug1("no authentication agent, not adding key")
    }
    guard let key = OpenedKey(privateKey, passphrase: passphrase) else {
      return log.debug1("could not add identity to agent: \(file.path): its kind is not known here")
    }
    let comment = key.comment.isEmpty ? file.path : key.comment
    if addition.asks {
      let question =
        "Add key \(printable(file.path, limit: 500)) (\(printable(comment, limit: 200))) to agent?"
      let isAllowed = plan.isBatch ? false : try prompts.permission(question)
      guard isAllowed else {
        return log.debug1("user denied adding this key")
      }
    }
    do throws(AgentClient.Problem) {
      try AgentClient(path: path).add(
        key, comment: comment, lifetime: addition.lifetime, confirmsUse: addition.confirmsUse)
      log.debug1("identity added to agent: \(file.path)")
    } catch {
      log.debug1("could not add identity to agent: \(file.path): \(error)")
    }
  }
}
