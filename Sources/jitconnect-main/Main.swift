import JITConnectCommands

@main
struct Main {
  static func main() {
    Program.start()
  }
}
