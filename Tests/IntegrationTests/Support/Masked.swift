/// A text for a golden file: what differs from run to run has a word in its place.
func masked(_ text: String, _ replacements: [(String, String)] = []) -> String {
  var text = text
  for (old, new) in replacements where !old.isEmpty { text = text.replacing(old, with: new) }
  var result = ""
  var rest = Substring(text)
  while let character = rest.first {
    if isTime(rest) {
      result += "TIME"
      rest = rest.dropFirst(20)
    } else {
      result.append(character)
      rest = rest.dropFirst()
    }
  }
  return result
}

/// `2026-11-24T12:00:00Z`
private func isTime(_ text: Substring) -> Bool {
  let shape = Array("0000-00-00T00:00:00Z")
  let start = Array(text.prefix(shape.count))
  return start.count == shape.count
    && zip(start, shape).allSatisfy { $1 == "0" ? $0.isASCII && $0.isNumber : $0 == $1 }
}
