import SSHConfig

/// One of ssh's letters, for completion: what it means in a few words and what it takes.
struct SSHLetterOption: Sendable {
  var letter: Character
  var help: String
  /// Nil for a letter without a value.
  var value: CompletionValue?

  private init(_ letter: Character, _ help: String, _ value: CompletionValue? = nil) {
    self.letter = letter
    self.help = help
    self.value = value
  }

  static func named(_ letter: Character) -> SSHLetterOption? {
    table.first { $0.letter == letter }
  }

  /// Every letter of ssh(1); a test holds it against ``SSHCommandLine/plainLetters``.
  static let table: [SSHLetterOption] = [
    Self("4", "IPv4 only"),
    Self("6", "IPv6 only"),
    Self("A", "forward the agent"),
    Self("a", "do not forward the agent"),
    Self("B", "interface to connect from", .anything),
    Self("b", "address to connect from", .anything),
    Self("C", "compress"),
    Self("c", "ciphers, in order", .algorithms("cipher")),
    Self("D", "SOCKS proxy: [address:]port", .anything),
    Self("E", "file for the log", .files),
    Self("e", "escape character, or none", .words(["none", "~"])),
    Self("F", "configuration file, or none", .files),
    Self("f", "go to the background when logged in"),
    Self("G", "print the resolved configuration"),
    Self("g", "let others use the forwarded ports"),
    Self("I", "PKCS#11 library", .files),
    Self("i", "private key", .keyFiles),
    Self("J", "jump hosts: [user@]vm[:port], with commas", .machines(withUser: true)),
    Self("K", "GSSAPI with delegation"),
    Self("k", "GSSAPI without delegation"),
    Self("L", "forward: [address:]port:host:hostport", .anything),
    Self("l", "user to log in as", .anything),
    Self("M", "master of shared connections"),
    Self("m", "MACs, in order", .algorithms("mac")),
    Self("N", "no command, for forwards"),
    Self("n", "no standard input"),
    Self("O", "command to a master", .words(["check", "forward", "cancel", "exit", "stop"])),
    Self("o", "setting: Keyword=value", .settings),
    Self("P", "tag", .anything),
    Self("p", "port", .anything),
    Self("Q", "list what is offered", .algorithms("help")),
    Self("q", "not a word of our own"),
    Self("R", "forward from there: [address:]port:host:hostport", .anything),
    Self("S", "socket of shared connections", .files),
    Self("s", "the command is a subsystem"),
    Self("T", "no terminal"),
    Self("t", "a terminal; -tt in any case"),
    Self("V", "version"),
    Self("v", "tell what is done; -vv and -vvv tell more"),
    Self("W", "standard streams to host:port", .anything),
    Self("w", "tunnel devices", .anything),
    Self("X", "forward X11"),
    Self("x", "do not forward X11"),
    Self("Y", "forward X11, trusted"),
    Self("y", "log to the system"),
  ]
}
