/// What the command line asks for.
struct DemoOptions {
  struct Unknown: Error, CustomStringConvertible {
    var description: String
  }

  static let usage = """
    usage: jitconnect-demo [--jitconnect PATH]
           jitconnect-demo --simulate-only [--delay MS] [--opening MS] [--machines N]
           jitconnect-demo --bench [--jitconnect PATH]

    The first form tells the story with the built jitconnect. The second starts the
    simulated Azure and an SSH server, prints the variables that lead jitconnect to
    them as `export` lines, then an empty line, and stays until it is ended. The
    third measures.
    """

  /// The program that the story is about.
  var program: String?
  var simulateOnly = false
  var measures = false
  /// A port of this machine that a delay proxy stands before, for the bench's own use.
  var distant: UInt16?
  /// Milliseconds added to each call.
  var delay = 0
  /// Milliseconds from a request to the opening of the port.
  var opening = 3000
  /// Further machines, without anything behind their addresses.
  var machines = 0

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    func value(of name: String) throws -> String {
      guard let value = rest.popFirst() else { throw Unknown(description: "\(name) needs a value") }
      return value
    }
    func number(of name: String) throws -> Int {
      guard let number = Int(try value(of: name)), (0...1_000_000).contains(number) else {
        throw Unknown(description: "\(name) needs a number")
      }
      return number
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "--jitconnect": program = try value(of: argument)
      case "--simulate-only": simulateOnly = true
      case "--bench": measures = true
      case "--distant": distant = UInt16(exactly: try number(of: argument))
      case "--delay": delay = try number(of: argument)
      case "--opening": opening = try number(of: argument)
      case "--machines": machines = try number(of: argument)
      default: throw Unknown(description: "\(argument) is unknown\n\(Self.usage)")
      }
    }
  }
}
