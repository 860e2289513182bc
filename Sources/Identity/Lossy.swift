/// An element of somebody else's file: one that does not decode is nil and spoils no other.
struct Lossy<Value: Decodable & Sendable>: Decodable, Sendable {
  var value: Value?

  init(from decoder: any Decoder) throws { value = try? Value(from: decoder) }
}

/// A number that some writers put into quotation marks; not a number where it is neither.
struct LooseNumber: Decodable, Sendable {
  var value: Double

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Double.self) {
      value = number
    } else {
      value = (try? container.decode(String.self)).flatMap(Double.init) ?? .nan
    }
  }
}
