/// What the value of an option, or a word of its own, may be.
enum CompletionValue: Sendable, Equatable {
  /// Nothing that could be offered: a number, a text.
  case anything
  case words([String])
  case files
  /// `vm`, `group/vm`, and with a user before it where that is allowed.
  case machines(withUser: Bool)
  case subscriptions
  case resourceGroups
  /// Private keys in `~/.ssh`, else any file.
  case keyFiles
  /// `Keyword=value`, for `-o`.
  case settings
  case algorithms(String)
}

/// One thing that may stand at the cursor.
struct CompletionCandidate: Sendable, Equatable {
  /// The whole word, with what was typed of it already.
  var word: String
  var help: String?
  /// False where more is typed behind it without a blank.
  var isWhole: Bool

  init(_ word: String, help: String? = nil, isWhole: Bool = true) {
    self.word = word
    self.help = help
    self.isWhole = isWhole
  }
}

/// All that may stand at the cursor.
struct CompletionAnswer: Sendable, Equatable {
  var candidates: [CompletionCandidate] = []
  /// Names of files too, which the shell itself knows best.
  var takesFiles = false
}
