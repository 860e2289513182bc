extension JitSettings {
  package enum Audio: String, Sendable { case here, there, none }

  /// In pixels; nil is the whole screen.
  package var rdpSize: (width: Int, height: Int)? {
    let numbers = (text(.rdpSize) ?? "").split(separator: "x").compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0], numbers[1]) : nil
  }

  package var rdpAudio: Audio { state(.rdpAudio) ?? .here }

  /// `name:type:value`, in the order in which they count.
  package var rdpSettings: [String] {
    (text(.rdpSetting) ?? "").split(separator: "\n").map(String.init)
  }

  /// The machine's own RDP port where the desktop is reached through its SSH server; else nil.
  package var rdpPortBehindSSH: Int? {
    let text = text(.rdpViaSSH)
    return text == "yes" ? 3389 : text.flatMap { Int($0) }
  }

  /// What was set, unless it is `none`.
  package func unlessNone(_ keyword: JitKeyword) -> String? {
    text(keyword).flatMap { $0 == "none" ? nil : $0 }
  }

  /// Whether a keyword with the values yes and no says yes.
  package func isYes(_ keyword: JitKeyword) -> Bool { text(keyword) == "yes" }
}
