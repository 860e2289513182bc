import Platform

/// An error as Azure tells it, read from each of the forms that its services use.
package struct ServiceError: Sendable, Equatable {
  package var code: String?
  package var message: String?
  /// The errors inside, each with its own code and message.
  package var details: [ServiceError]

  package init(code: String? = nil, message: String? = nil, details: [ServiceError] = []) {
    self.code = code
    self.message = message
    self.details = details
  }

  /// Reads `{"error":{…}}`, `{"Code":…,"Message":…}`, `{"code":…,"message":…}`; an empty body or a
  /// web page from a front door gives neither code nor message.
  package init(body: [UInt8]) {
    guard let tree = try? JSONTree(parsing: body) else {
      self.init()
      return
    }
    self.init(tree: tree, depth: 0)
  }

  /// Reads the error of an operation, where it lies in the same form.
  init(tree: JSONTree, depth: Int = 0) {
    // "error" may also be a plain word, as sign-in servers do it.
    if case .object = tree["error"] ?? .null, let inner = tree["error"], depth < 4 {
      self.init(tree: inner, depth: depth + 1)
      return
    }
    self.init(
      code: (tree["code"] ?? tree["Code"] ?? tree["error"])?.text,
      message: (tree["message"] ?? tree["Message"] ?? tree["error_description"])?.text,
      details: depth > 4
        ? []
        : ((tree["details"] ?? tree["Details"])?.elements ?? []).map {
          ServiceError(tree: $0, depth: depth + 1)
        })
  }

  /// Every message of it in one text, for the user: control characters are gone.
  package var text: String? {
    var parts: [String] = []
    func collect(_ error: ServiceError) {
      if let message = error.message ?? error.code {
        let text = printable(message)
        if !parts.contains(where: { $0.contains(text) }) { parts.append(text) }
      }
      for detail in error.details { collect(detail) }
    }
    collect(self)
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// Whether this error or one inside it has that code, without regard to case.
  package func hasCode(_ code: String) -> Bool {
    self.code?.lowercased() == code.lowercased() || details.contains { $0.hasCode(code) }
  }
}

/// What a refusal for lack of permission names.
package struct PermissionDenial: Sendable, Equatable {
  package var action: String
  package var scope: String?
  /// Who was refused: a UPN or an application id.
  package var client: String?

  /// Reads the text of `AuthorizationFailed`; nil where it has another form.
  ///
  /// It says: The client '…' … to perform action '…' over scope '…' …
  package init?(message: String) {
    // LinkedAuthorizationFailed says that the client *has* the permission, and lacks another.
    guard !mentions(message, "has permission to perform"),
      let action = Self.quoted(after: "perform action '", in: message)
    else { return nil }
    self.action = action
    scope = Self.quoted(after: "scope '", in: message)
    client = Self.quoted(after: "client '", in: message)
  }

  static func quoted(after marker: String, in text: String) -> String? {
    guard let range = text.firstRange(of: marker) else { return nil }
    let rest = text[range.upperBound...]
    guard let end = rest.firstIndex(of: "'"), end > rest.startIndex else { return nil }
    return printable(String(rest[..<end]), limit: 500)
  }
}

/// Whether `text` holds `part`, without regard to case.
func mentions(_ text: String?, _ part: String) -> Bool {
  text?.lowercased().contains(part.lowercased()) ?? false
}
