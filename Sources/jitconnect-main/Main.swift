import JITConnectCommands

@main
struct Main {
  static func main() async {
    await Program.run()
  }
}
