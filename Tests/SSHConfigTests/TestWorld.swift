import SSHConfig

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A world made of dictionaries; what is not in it does not exist.
func testWorld(
  files: [String: String] = [:], environment: [String: String] = [:],
  globs: [String: [String]] = [:], refused: Set<String> = [], present: Set<String> = [],
  succeeding: Set<String> = []
) -> SSHConfigWorld {
  var world = SSHConfigWorld(
    home: "/home/ann", userName: "ann", userID: 1000, hostName: "desk.example.org")
  world.readFile = { path, checking in
    if checking, refused.contains(path) { return .refused }
    return files[path].map { .contents(Array($0.utf8)) } ?? .missing
  }
  world.glob = { pattern in globs[pattern] ?? (files[pattern] == nil ? [] : [pattern]) }
  world.environment = { environment[$0] }
  world.fileExists = { present.contains($0) }
  world.run = { succeeding.contains($0) }
  world.homeOfUser = { $0 == "bob" ? "/home/bob" : nil }
  world.servicePort = { $0 == "ssh" ? 22 : nil }
  return world
}

/// Settings of a command line in a made-up world.
func options(
  _ words: [String], world: SSHConfigWorld = testWorld(),
  sources: SSHConfigSources = SSHConfigSources(
    own: "/home/ann/.config/jitconnect/config", user: "/home/ann/.ssh/config")
) throws(SSHConfigError) -> SSHOptions {
  try SSHConfigResolver.resolve(
    SSHCommandLine.parse(words), in: world, sources: sources)
}

/// Settings of `host` under a user's configuration file.
func options(config: String, _ words: [String] = ["host"]) throws(SSHConfigError) -> SSHOptions {
  try options(words, world: testWorld(files: ["/home/ann/.ssh/config": config]))
}

/// This machine as ssh sees it.
func realWorld() -> SSHConfigWorld {
  let userID = getuid()
  var home = "/"
  var name = "user"
  if let record = unsafe getpwuid(userID) {
    unsafe home = String(cString: record.pointee.pw_dir)
    unsafe name = String(cString: record.pointee.pw_name)
  }
  var buffer = [CChar](repeating: 0, count: 256)
  unsafe _ = gethostname(&buffer, 255)
  let hostName = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
  var world = SSHConfigWorld(
    home: home, userName: name, userID: userID,
    hostName: String(decoding: hostName, as: UTF8.self))
  world.readFile = { path, _ in readBytes(path).map { .contents($0) } ?? .missing }
  world.glob = { pattern in expandGlob(pattern) }
  world.fileExists = { path in unsafe access(path, F_OK) == 0 }
  world.environment = { name in
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
  }
  world.run = { command in runProcess("/bin/sh", ["-c", command]).status == 0 }
  world.homeOfUser = { name in
    guard let record = unsafe getpwnam(name) else { return nil }
    return unsafe String(cString: record.pointee.pw_dir)
  }
  world.servicePort = { name in
    guard let entry = unsafe getservbyname(name, "tcp") else { return nil }
    return unsafe Int(UInt16(truncatingIfNeeded: entry.pointee.s_port).byteSwapped)
  }
  world.numericAddress = { numericAddress($0) }
  return world
}

private func expandGlob(_ pattern: String) -> [String] {
  var result = unsafe glob_t()
  defer { unsafe globfree(&result) }
  guard unsafe glob(pattern, 0, nil, &result) == 0 else { return [] }
  var paths: [String] = []
  let count = unsafe Int(result.gl_pathc)
  for index in 0..<count {
    if let path = unsafe result.gl_pathv[index] { unsafe paths.append(String(cString: path)) }
  }
  return paths
}

private func numericAddress(_ text: String) -> String? {
  var hints = unsafe addrinfo()
  unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
  #if canImport(Glibc)
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  #else
    unsafe hints.ai_socktype = SOCK_STREAM
  #endif
  var found: UnsafeMutablePointer<addrinfo>?
  guard unsafe getaddrinfo(text, "22", &hints, &found) == 0, let first = unsafe found else {
    return nil
  }
  defer { unsafe freeaddrinfo(first) }
  var buffer = [CChar](repeating: 0, count: 1025)
  guard
    unsafe getnameinfo(
      first.pointee.ai_addr, first.pointee.ai_addrlen, &buffer, 1025, nil, 0, NI_NUMERICHOST) == 0
  else { return nil }
  return String(
    decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func readBytes(_ path: String) -> [UInt8]? {
  let descriptor = unsafe open(path, O_RDONLY)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  return readAll(descriptor)
}

/// Writes a new file of the user's own.
func writeBytes(_ text: String, to path: String) -> Bool {
  let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
  guard descriptor >= 0 else { return false }
  defer { close(descriptor) }
  let bytes = Array(text.utf8)
  return unsafe write(descriptor, bytes, bytes.count) == bytes.count
}

private func readAll(_ descriptor: Int32) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = unsafe read(descriptor, &buffer, buffer.count)
    if count <= 0 { return bytes }
    bytes += buffer[..<count]
  }
}

/// Runs a program with no input: its exit status, and what it wrote to both outputs.
func runProcess(
  _ path: String, _ arguments: [String]
) -> (status: Int32, output: String, errors: String) {
  let base = "/tmp/sshconfig-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
  defer {
    unsafe unlink(base + ".out")
    unsafe unlink(base + ".err")
  }
  var actions = unsafe posix_spawn_file_actions_t()
  unsafe posix_spawn_file_actions_init(&actions)
  defer { unsafe posix_spawn_file_actions_destroy(&actions) }
  unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  let flags = O_WRONLY | O_CREAT | O_TRUNC
  unsafe posix_spawn_file_actions_addopen(&actions, 1, base + ".out", flags, 0o600)
  unsafe posix_spawn_file_actions_addopen(&actions, 2, base + ".err", flags, 0o600)
  var argv: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) }
  unsafe argv.append(nil)
  defer { for index in unsafe argv.indices { unsafe free(argv[index]) } }
  var child: pid_t = 0
  guard unsafe posix_spawn(&child, path, &actions, nil, argv, environ) == 0 else {
    return (-1, "", "")
  }
  var status: Int32 = 0
  while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
  func text(_ suffix: String) -> String {
    String(decoding: readBytes(base + suffix) ?? [], as: UTF8.self)
  }
  return ((status >> 8) & 0xFF, text(".out"), text(".err"))
}
