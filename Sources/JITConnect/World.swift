import Azure
package import FoundationEssentials
package import HTTP
package import Platform
package import Terminal

/// Everything outside the flow, read once at the edge and passed on.
package struct World: Sendable {
  package var environment: Environment
  package var console: Console
  /// Questions; ``Prompt/forbidden`` with `BatchMode`.
  package var prompt: Prompt
  package var http: any HTTPTransport
  package var clock: WallClock
  /// Takes lines for `-v` (1), `-vv` (2) and `-vvv` (3), headed here.
  package var writeDebug: @Sendable (Int, String) -> Void
  /// The program's version.
  package var version: String
  /// Whoever waits for the session to stand (`-f`).
  package var background: Background?
  /// Ctrl-C while the flow waits.
  package let interrupts = Interrupts()
  /// How far this process is as a jump of another one of ours.
  package let hop = HopStatus()
  /// Several machines at once have one terminal to ask on.
  let turn = QuestionTurn()
  /// How far Azure's clock is from this machine's.
  let azureTime = ServerTime()

  package init(
    environment: Environment, console: Console, prompt: Prompt, http: any HTTPTransport,
    clock: WallClock, version: String, writeDebug: @escaping @Sendable (Int, String) -> Void
  ) {
    self.environment = environment
    self.console = console
    self.prompt = prompt
    self.http = http
    self.clock = clock
    self.version = version
    self.writeDebug = writeDebug
  }

  /// The time by Azure's clock, for whatever Azure dates: windows, requests, events. This machine's
  /// own until the first answer.
  package var azureNow: Date { azureTime.now(clock) }

  func debug(_ text: String) { writeDebug(1, "debug1: \(text)") }
}
