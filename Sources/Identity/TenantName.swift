import Platform

/// A tenant's id or domain: it becomes part of a URL and of commands.
enum TenantName {
  static func isValid(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count) && text.first != "." && text.first != "-"
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
          UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  static func checked(_ text: String) throws(Failure) -> String {
    guard isValid(text) else {
      throw Failure(
        .settingInvalid, what: "\"\(printable(text, limit: 80))\" is not a tenant",
        why: "a tenant is an id or a domain such as contoso.onmicrosoft.com",
        next: "check AZURE_TENANT_ID and --tenant")
    }
    return text
  }
}
