import Platform
import Testing

@testable import Terminal

@Suite struct ProgressTests {
  @Test("the line holds text and time, and fits one column short of the width")
  func drawn() {
    let line = ProgressLine("waiting for port 22 of web1", elapsed: .seconds(12))
    #expect(
      line.drawn(width: 80, programName: "jitconnect")
        == "jitconnect: waiting for port 22 of web1 … 12 s")
    #expect(
      line.drawn(width: 40, programName: "jitconnect") == "jitconnect: waiting for port 22 o… 12 s")
    #expect(
      ProgressLine("x").drawn(width: 80, programName: "ssh") == "ssh: x …")
    #expect(
      ProgressLine("x\u{1B}[2J").drawn(width: 80, programName: "ssh") == "ssh: x?[2J …")
    for width in 0...60 {
      #expect(
        displayWidth(line.drawn(width: width, programName: "jitconnect")) <= max(width - 1, 0))
    }
  }

  @Test(
    "time is whole seconds, then minutes",
    arguments: [
      (0.4, "0 s"), (119, "119 s"), (120, "2 min 00 s"), (185.9, "3 min 05 s"), (-3, "0 s"),
    ])
  func elapsed(seconds: Double, expected: String) {
    #expect(elapsedText(.seconds(seconds)) == expected)
  }

  @Test("the drawer redraws in place, gives way to a note, and leaves nothing behind")
  func drawer() {
    let recorder = Recorder()
    let console = recorder.console(terminal: true)
    let progress = Progress(console)
    let start = ContinuousClock.now
    progress.show("waiting", now: start)
    progress.tick(now: start + .seconds(1))
    progress.tick(now: start + .seconds(1))
    console.note("window open")
    progress.tick(now: start + .seconds(2))
    progress.finish()
    progress.tick(now: start + .seconds(3))
    let clear = "\u{1B}[K"
    #expect(
      recorder.text
        == "\rjitconnect: waiting …\(clear)\rjitconnect: waiting … 1 s\(clear)"
        + "\r\(clear)jitconnect: window open\r\n"
        + "\rjitconnect: waiting … 2 s\(clear)\r\(clear)")
  }

  @Test("nothing is drawn into a pipe or with -q", arguments: [(false, false), (true, true)])
  func silent(terminal: Bool, quiet: Bool) {
    let recorder = Recorder()
    let progress = Progress(recorder.console(terminal: terminal, quiet: quiet))
    progress.show("waiting")
    progress.tick()
    progress.finish()
    #expect(recorder.text.isEmpty)
  }
}
