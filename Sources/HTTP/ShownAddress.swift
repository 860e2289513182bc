/// An address as a message may show it: scheme, host and path, without what may be secret in a user
/// name, a query or a fragment.
package func shownAddress(_ url: String) -> String {
  let bare = url.prefix { $0 != "?" && $0 != "#" }
  guard let slashes = bare.firstRange(of: "://") else { return String(bare) }
  let rest = bare[slashes.upperBound...]
  let authority = rest.prefix { $0 != "/" && $0 != "\\" }
  guard let at = authority.lastIndex(of: "@") else { return String(bare) }
  return String(bare[..<slashes.upperBound] + rest[rest.index(after: at)...])
}
