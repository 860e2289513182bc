import AzureSimulator
import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether a test may cover the machine's files and network with its own.
private enum Namespaces {
  static let arePossible: Bool = {
    guard geteuid() == 0 else { return false }
    let probe = ChildProcess(
      path: "/usr/bin/unshare",
      arguments: [
        "-m", "-n", "--propagation", "private", "/bin/sh", "-ec",
        "mount -t tmpfs none /sys/class; ip link set lo up; command -v perl",
      ], environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
    return (try? probe.run())?.ending == .exited(0)
  }()
}

/// A machine's own identity where files of the machine speak for it: in namespaces of the test's
/// own, in which those files are there.
@Suite(
  .limited,
  .enabled(
    if: Namespaces.arePossible,
    "another file system and network in front of the machine's need root and leave to make them"))
struct SignInMachineTests {
  /// Runs `whoami` after a script that prepares the namespaces; `$WORK` is the stage's folder.
  private func whoami(
    _ stage: Stage, _ namespaces: [String], _ script: String, _ changes: [String: String?]
  ) async throws -> Run {
    var variables = stage.environment
    for (name, value) in FlowSignInTests.noPrincipal.merging(changes, uniquingKeysWith: { $1 }) {
      variables[name] = value
    }
    variables["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    variables["WORK"] = stage.folder + "/work"
    let running = try Running(
      namespaces + [
        "--propagation", "private", "/bin/sh", "-ec", script, "sh", Binary.path, "whoami", "--json",
        "--identity", "prod",
      ], of: "/usr/bin/unshare", environment: variables, directory: stage.folder + "/work")
    return try await running.finish()
  }

  private func managed() -> SimulatedIdentity {
    var managed = SimulatedIdentity(application: "managed", secret: nil)
    managed.isManaged = true
    return managed
  }

  @Test("Azure Arc's key file proves who asks", arguments: [true, false])
  func arc(_ isRight: Bool) async throws {
    let managed = managed()
    let stage = try await Stage.greeting {
      $0.identities.append(managed)
      $0.behaviour.arcKeyFile = "/var/opt/azcmagent/tokens/proof.key"
    }
    try stage.write("work/proof.key", isRight ? Simulator.arcKey : "sim~another")
    let run = try await whoami(
      stage, ["-m"],
      """
      mount -t tmpfs none /var/opt
      mkdir -p /var/opt/azcmagent/tokens
      cp "$WORK/proof.key" /var/opt/azcmagent/tokens/
      exec "$@"
      """, stage.simulator.environment(of: .arc).mapValues(Optional.some))
    if isRight {
      #expect(run.status == 0, "\(run.error)")
      #expect(run.json["source"] == "ManagedIdentityCredential")
      #expect(run.json["account"]?.text == managed.name)
      // The challenge, and its answer.
      #expect(stage.simulator.report.count(.login) == 2)
    } else {
      #expect(run.status == 4)
      #expect(run.error.contains("Azure Arc gave no token"), "\(run.error)")
      #expect(!run.error.contains("sim~another"))
    }
    #expect(stage.read("state/jitconnect/tokens.json") == nil)
  }

  /// A machine whose firmware says what it is; its network is only itself.
  private static func firmware(_ tag: String) -> String {
    """
    mount -t tmpfs none /sys/class
    mkdir -p /sys/class/dmi/id
    echo '\(tag)' >/sys/class/dmi/id/chassis_asset_tag
    ip link set lo up

    """
  }

  private static let azure = "7783-7084-3265-9085-8269-3286-77"

  /// A metadata service that answers twice: that it wants its header, and a token.
  private static let service = #"""
    ip addr add 169.254.169.254/32 dev lo
    exec perl -MIO::Socket::INET -e '
      my $listener = IO::Socket::INET->new(
        LocalAddr => "169.254.169.254", LocalPort => 80, Listen => 5) or die "no socket: $!";
      exec @ARGV if fork;
      alarm 60;
      open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null";
      for my $status (400, 200) {
        my $client = $listener->accept;
        my $head = "";
        while (my $line = <$client>) { $head .= $line; last if $line eq "\r\n" }
        my $is_asked = $head =~ /^Metadata: true\r$/mi;
        $status = 500 if $is_asked != ($status == 200) || $head !~ m{^GET /metadata/identity/};
        my $body = $status == 200 ? $ENV{ANSWER} : "{\"error\":\"invalid_request\"}";
        print $client "HTTP/1.1 $status Status\r\nContent-Length: " . length($body)
          . "\r\nConnection: close\r\n\r\n$body";
        close $client;
      }' "$@"
    """#

  @Test("firmware that says Azure is enough for the metadata service to be asked")
  func firmwareTag() async throws {
    let stage = try await Stage.greeting()
    // Microsoft's own cloud, of which nothing can be reached in there.
    let cloud: [String: String?] = ["ARM_CLOUD_METADATA_URL": nil]
    let silent = try await whoami(
      stage, ["-m", "-n"], Self.firmware(Self.azure) + #"exec "$@""#, cloud)
    #expect(silent.status == 4)
    #expect(silent.error.contains("(IMDS) does not answer"), "\(silent.error)")
    let foreign = try await whoami(
      stage, ["-m", "-n"], Self.firmware("No Asset Tag") + #"exec "$@""#, cloud)
    #expect(foreign.status == 4)
    #expect(foreign.error.contains("this is no machine of Azure"), "\(foreign.error)")

    let managed = managed()
    let answer = """
      {"access_token":"from-the-machine","expires_on":"4102444800","client_id":"\(managed.name)",
      "resource":"https://management.core.windows.net/","token_type":"Bearer"}
      """
    let run = try await whoami(
      stage, ["-m", "-n"], Self.firmware(Self.azure) + Self.service,
      cloud.merging(["ANSWER": answer]) { $1 })
    #expect(run.status == 0, "\(run.error)")
    #expect(run.json["source"] == "ManagedIdentityCredential")
    #expect(run.json["account"]?.text == managed.name)
    #expect(stage.read("state/jitconnect/tokens.json") == nil)
  }
}
