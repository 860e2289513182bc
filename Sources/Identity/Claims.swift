import FoundationEssentials
import Platform

/// The `claims` parameter: what we can handle, and what a challenge demands.
enum Claims {
  /// "I can handle claims challenges" (continuous access evaluation).
  private static let capability = JSONValue.object([
    "access_token": .object(["xms_cc": .object(["values": .list([.text("CP1")])])])
  ])

  /// The parameter's JSON, or nil when there is nothing to send.
  ///
  /// - Parameters:
  ///   - challenge: the JSON of a claims challenge.
  ///   - declaresCapability: false where `AZURE_IDENTITY_DISABLE_CP1` is set.
  static func parameter(
    challenge: String?, declaresCapability: Bool
  ) throws(Failure) -> String? {
    var claims: JSONValue? = declaresCapability ? capability : nil
    if let challenge {
      let decoded = try? JSONDecoder().decode(JSONValue.self, from: Data(challenge.utf8))
      guard let decoded, case .object = decoded else {
        throw Failure(
          .azureAnswerInvalid, what: "a claims challenge of Azure is not readable",
          why: "it is not a JSON object")
      }
      claims = claims?.merged(with: decoded) ?? decoded
    }
    guard let claims else { return nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(claims) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }
}
