// swift-tools-version: 6.3
import PackageDescription

// The layers of the program, lowest first. SwiftPM does not enforce the graph, so a test
// (Tests/LayeringTests) reads every import and holds it against the table in CONTRIBUTING.md.

let package = Package(
  name: "jitconnect",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "jitconnect", targets: ["jitconnect-main"]),
    .executable(name: "jitconnect-demo", targets: ["jitconnect-demo"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
  ],
  targets: [
    // C libraries
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl",
      providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
    .systemLibrary(
      name: "CLibSSH2", pkgConfig: "libssh2",
      providers: [.apt(["libssh2-1-dev"]), .brew(["libssh2"])]),
    .systemLibrary(
      name: "COpenSSL", pkgConfig: "openssl",
      providers: [.apt(["libssl-dev"]), .brew(["openssl"])]),
    .target(name: "CPlatform"),
    // Takes libssh2's calls for AES in counter mode, where libssh2 is linked statically.
    .target(
      name: "CCounterMode", dependencies: ["COpenSSL"],
      linkerSettings: [
        .unsafeFlags(
          ["EVP_CipherInit", "EVP_Cipher", "EVP_CIPHER_CTX_free"].flatMap {
            ["-Xlinker", "--wrap=\($0)"]
          }, .when(platforms: [.linux]))
      ]),

    // Foundations
    .target(name: "Platform", dependencies: ["CPlatform"]),
    .target(name: "HTTP", dependencies: ["CCurl", "Platform"]),
    .target(name: "SSHConfig"),
    .target(name: "Terminal", dependencies: ["Platform"]),

    // Azure, SSH, RDP
    .target(name: "Identity", dependencies: ["HTTP", "COpenSSL", "Platform"]),
    .target(name: "Azure", dependencies: ["HTTP", "Identity", "Platform"]),
    .target(
      name: "SSH", dependencies: ["CCounterMode", "CLibSSH2", "COpenSSL", "SSHConfig", "Platform"]),
    .target(name: "RDP", dependencies: ["COpenSSL", "Platform"]),

    // The flow, the commands, the program
    .target(
      name: "JITConnect",
      dependencies: [
        "Azure", "Identity", "HTTP", "SSH", "SSHConfig", "RDP", "Terminal", "Platform",
      ]),
    .target(
      name: "JITConnectCommands",
      dependencies: [
        "JITConnect", "Azure", "Identity", "HTTP", "SSH", "SSHConfig", "RDP", "Terminal",
        "Platform", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    // Not named "jitconnect": on a file system without letter case it would collide with
    // JITConnect. The product carries the program's name.
    .executableTarget(name: "jitconnect-main", dependencies: ["JITConnectCommands"]),

    // Azure on loopback, for the demo, the tests and the bench
    .target(name: "AzureSimulator", dependencies: ["COpenSSL", "Platform"]),
    .executableTarget(name: "jitconnect-demo", dependencies: ["AzureSimulator", "Platform"]),

    // Tests
    .testTarget(name: "PlatformTests", dependencies: ["Platform"]),
    .testTarget(name: "HTTPTests", dependencies: ["HTTP", "Platform"]),
    .testTarget(name: "IdentityTests", dependencies: ["Identity", "HTTP", "Platform"]),
    .testTarget(name: "AzureTests", dependencies: ["Azure", "HTTP", "Identity", "Platform"]),
    .testTarget(name: "SSHConfigTests", dependencies: ["SSHConfig"]),
    .testTarget(name: "SSHTests", dependencies: ["SSH", "SSHConfig", "COpenSSL", "Platform"]),
    .testTarget(name: "RDPTests", dependencies: ["RDP", "Platform"]),
    .testTarget(name: "TerminalTests", dependencies: ["Terminal", "Platform"]),
    .testTarget(
      name: "JITConnectTests",
      dependencies: ["JITConnect", "Azure", "HTTP", "SSHConfig", "Platform"]),
    .testTarget(name: "AzureSimulatorTests", dependencies: ["AzureSimulator", "Platform"]),
    .testTarget(name: "LayeringTests"),
    .testTarget(
      name: "IntegrationTests",
      // The program must be built before it is run.
      dependencies: ["AzureSimulator", "Platform", "jitconnect-main"], exclude: ["Golden"]),
  ]
)

for target in package.targets where target.type != .system {
  var settings = target.swiftSettings ?? []
  settings += [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
  target.swiftSettings = settings
}
