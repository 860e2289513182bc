import AzureSimulator
import Platform

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

do {
  let options = try DemoOptions(Array(CommandLine.arguments.dropFirst()))
  if let target = options.distant {
    exit(try DistantServer.serve(to: target, roundTrip: .milliseconds(options.delay)))
  }
  exit(try DemoStage.run(options))
} catch {
  say("jitconnect-demo: error: \(error)", to: STDERR_FILENO)
  exit(error is DemoOptions.Unknown ? 64 : 1)
}
