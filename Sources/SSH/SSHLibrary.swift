/// The libssh2 in use.
package enum SSHLibrary {
  package static var version: String { SessionHandle.libraryVersion }
}
