import Platform
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Programs that run `ssh`, with the built program in its place; each result is compared with the
/// one through OpenSSH's own client.
@Suite("Real clients through the built program", .limited)
struct ClientTests {
  private static func has(_ program: String) -> Bool {
    unsafe access("/usr/bin/\(program)", X_OK) == 0
  }

  private func passes(
    _ script: String, on server: SSHServer, environment: [String: String] = [:],
    _ location: SourceLocation = #_sourceLocation
  ) async throws {
    let run = try await server.shell(script, environment: environment)
    #expect(run.status == 0, "\(run.text)\(run.error)", sourceLocation: location)
  }

  private static let tree = """
    mkdir -p tree/sub
    head -c 3000000 /dev/urandom > tree/sub/noise
    printf 'a\\r\\n\\000\\377' > tree/bytes
    ln -s bytes tree/link
    chmod 640 tree/bytes

    """

  @Test(
    "git clones, fetches and pushes",
    .enabled(if: has("git"), "needs package git"),
    arguments: [
      ["GIT_SSH": "%FOLDER%/bin/jit"], ["GIT_SSH": "%FOLDER%/bin/jit", "GIT_SSH_VARIANT": "ssh"],
      ["GIT_SSH_COMMAND": "%BINARY% -F %FOLDER%/config"],
    ])
  func git(_ variables: [String: String]) async throws {
    let server = try SSHServer()
    var environment = [
      "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "t",
      "GIT_AUTHOR_EMAIL": "t@example.com", "GIT_COMMITTER_NAME": "t",
      "GIT_COMMITTER_EMAIL": "t@example.com",
    ]
    for (name, value) in variables {
      environment[name] = value.replacing("%FOLDER%", with: server.folder)
        .replacing("%BINARY%", with: Binary.path)
    }
    try await passes(
      """
      git init -q --bare far.git; git --git-dir far.git symbolic-ref HEAD refs/heads/main
      git init -q near; cd near; git symbolic-ref HEAD refs/heads/main
      \(Self.tree)git add .; git commit -qm one
      git push -q box:$PWD/../far.git main
      cd ..; git clone -q box:$PWD/far.git copy
      diff -r near/tree copy/tree
      cd copy; echo two > two; git add .; git commit -qm two; git push -q
      cd ../near; git fetch -q ssh://box$PWD/../far.git main; git reset -q --hard FETCH_HEAD
      test "$(cat two)" = two
      git ls-remote box:$PWD/../nothing.git 2>/dev/null && exit 1
      exit 0
      """, on: server, environment: environment)
  }

  @Test("rsync copies both ways", .enabled(if: has("rsync"), "needs package rsync"))
  func rsync() async throws {
    let server = try SSHServer()
    try await passes(
      """
      \(Self.tree)rsync -a -e "$JIT" tree/ box:$PWD/far/
      diff -r --no-dereference tree far
      rsync -a -e "$JIT" box:$PWD/far/ back/
      diff -r --no-dereference tree back
      test "$(stat -c %a back/bytes)" = 640
      echo more >> tree/sub/noise
      rsync -a --delete -z -e "$JIT" tree/ box:$PWD/far/
      cmp tree/sub/noise far/sub/noise
      rsync -a -e "$JIT" box:$PWD/none/ x 2>/dev/null || test $? = 23
      """, on: server)
  }

  @Test(
    "scp copies both ways, by either protocol",
    .enabled(if: has("scp"), "needs package openssh-client"),
    arguments: ["", "-O", "-C"])
  func scp(_ option: String) async throws {
    let server = try SSHServer()
    try await passes(
      """
      \(Self.tree)scp -q \(option) -S "$JIT" -r tree box:$PWD/far
      diff -r tree far
      scp -q \(option) -S "$JIT" -p -r box:$PWD/far back
      diff -r tree back
      ! scp -q \(option) -S "$JIT" box:$PWD/none . 2>/dev/null
      """, on: server)
  }

  @Test("sftp gets and puts", .enabled(if: has("sftp"), "needs package openssh-client"))
  func sftp() async throws {
    let server = try SSHServer()
    try await passes(
      """
      \(Self.tree)rm tree/link; mkdir far
      printf 'put -r tree far/tree\\nget far/tree/sub/noise back\\nls far\\n' > batch
      sed -i "s,far,$PWD/far,g" batch
      sftp -q -S "$JIT" -b batch box > said
      diff -r tree far/tree; cmp back tree/sub/noise
      sftp -q -S "$FOLDER/bin/open" -b batch box > heard
      cmp said heard
      """, on: server)
  }

  @Test("tar to tar, both ways")
  func tar() async throws {
    let server = try SSHServer()
    try await passes(
      """
      \(Self.tree)mkdir far back
      tar cf - tree | "$JIT" box "tar xf - -C $PWD/far"
      diff -r --no-dereference tree far/tree
      "$JIT" box "tar cf - -C $PWD/far tree" | tar xf - -C back
      diff -r --no-dereference tree back/tree
      """, on: server)
  }

  private static let mayMount =
    unsafe access("/dev/fuse", R_OK | W_OK) == 0
    && (geteuid() != 0 || SSHServer.canHavePasswords)

  @Test(
    "sshfs mounts, reads, writes and lets go", .enabled(if: has("sshfs"), "needs package sshfs"),
    .enabled(if: mayMount, "a mount needs /dev/fuse and leave to mount"))
  func sshfs() async throws {
    let server = try SSHServer()
    try await passes(
      """
      \(Self.tree)mkdir far mount
      trap 'fusermount3 -u -z mount 2>/dev/null || true' EXIT
      sshfs -o ssh_command="$JIT" box:$PWD/far mount </dev/null >/dev/null 2>&1
      # Without owners: SFTP changes that of a link's target, which may not be there yet.
      cp -dR tree mount/tree
      diff -r --no-dereference tree far/tree
      diff -r --no-dereference tree mount/tree
      mv mount/tree/bytes mount/tree/moved; rm mount/tree/link
      cmp tree/bytes far/tree/moved; ! test -e far/tree/link
      fusermount3 -u mount; test -z "$(ls -A mount)"
      """, on: server)
  }

  @Test("OpenSSH itself goes through -W, as a ProxyCommand")
  func proxyCommand() async throws {
    let server = try SSHServer()
    try await passes(
      """
      "$FOLDER/bin/open" -o "ProxyCommand=$JIT -W 127.0.0.1:\(server.port) box" box \
        'head -c 3000000 /dev/zero' | cmp -n 3000000 - /dev/zero
      """, on: server)
  }
}
