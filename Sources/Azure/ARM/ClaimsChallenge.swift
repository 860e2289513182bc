import FoundationEssentials

/// A demand of the Resource Manager for a token with certain claims: continuous access evaluation
/// sends it when a session was revoked or a condition of access is no longer met.
struct ClaimsChallenge: Sendable, Equatable {
  /// The JSON to pass to the token endpoint.
  var claims: String

  /// Reads `claims="…"` from the answer's `WWW-Authenticate` fields, whatever else they say:
  /// Resource Manager calls it `invalid_token`, other services `insufficient_claims`.
  init?(authenticate fields: [String]) {
    for field in fields {
      guard let value = Self.parameter("claims", in: field) else { continue }
      if let claims = Self.decode(value) {
        self.claims = claims
        return
      }
    }
    return nil
  }

  /// Base64 in either alphabet, with or without padding; or JSON as it is.
  private static func decode(_ value: String) -> String? {
    if value.hasPrefix("{") { return value }
    var text = value.replacing("-", with: "+").replacing("_", with: "/")
    text = String(text.prefix { $0 != "=" })
    text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: text),
      let claims = String(validating: data, as: UTF8.self),
      (try? JSONTree(parsing: Array(data))) != nil
    else { return nil }
    return claims
  }

  /// The value of one parameter of a challenge; quoted values may hold `\"`.
  private static func parameter(_ name: String, in field: String) -> String? {
    let lowered = field.lowercased()
    var search = lowered.startIndex
    while let found = lowered[search...].firstRange(of: name + "=") {
      search = found.upperBound
      // "xclaims=" is another parameter.
      if found.lowerBound > lowered.startIndex {
        let before = lowered[lowered.index(before: found.lowerBound)]
        guard before == " " || before == "," || before == "\t" else { continue }
      }
      // Lower-casing may change lengths only outside ASCII, which a header does not hold.
      let offset = lowered.utf8.distance(from: lowered.startIndex, to: found.upperBound)
      let rest = String(decoding: field.utf8.dropFirst(offset), as: UTF8.self)
      guard rest.first == "\"" else {
        return String(rest.prefix { $0 != "," && $0 != " " })
      }
      var value = ""
      var isEscaped = false
      for character in rest.dropFirst() {
        if isEscaped {
          value.append(character)
          isEscaped = false
        } else if character == "\\" {
          isEscaped = true
        } else if character == "\"" {
          return value
        } else {
          value.append(character)
        }
      }
      return value
    }
    return nil
  }
}
