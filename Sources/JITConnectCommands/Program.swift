package enum Program {
  package static func run() async {}
}
