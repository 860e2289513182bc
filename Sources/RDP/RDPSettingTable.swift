/// Every setting that may be written, with what it takes.
///
/// Names and ranges are those of "Supported RDP properties" and of the clients' own files.
let rdpSettings: [String: RDPSetting.Value] = [
  // Where to, as whom
  "full address": .address,
  "alternate full address": .address,
  "server port": .integer(1...65535),
  "username": .user,
  "domain": .text,
  "prompt for credentials": flag,
  "promptcredentialonce": flag,
  "administrative session": flag,
  "loadbalanceinfo": .text,
  "pcb": .text,
  "use redirection server name": flag,
  "disableconnectionsharing": flag,

  // How it is secured
  "authentication level": .integer(0...3),
  "enablecredsspsupport": flag,
  "negotiate security layer": flag,
  "enablerdsaadauth": flag,
  "targetisaadjoined": flag,
  "require pre-authentication": flag,
  "pre-authentication server address": .text,
  "kdcproxyname": .text,
  "rdgiskdcproxy": flag,

  // What is shared with the VM
  "redirectclipboard": flag,
  "redirectprinters": flag,
  "redirectcomports": flag,
  "redirectsmartcards": flag,
  "redirectwebauthn": flag,
  "redirectposdevices": flag,
  "redirectlocation": flag,
  "redirectdrives": flag,
  "redirectdirectx": flag,
  "drivestoredirect": .text,
  "devicestoredirect": .text,
  "usbdevicestoredirect": .text,
  "camerastoredirect": .text,
  "encode redirected video capture": flag,
  "redirected video capture encoding quality": .integer(0...2),
  "audiomode": .integer(0...2),
  "audiocapturemode": flag,
  "audioqualitymode": .integer(0...2),
  "keyboardhook": .integer(0...2),

  // How it looks
  "screen mode id": .integer(1...2),
  "desktopwidth": .integer(200...8192),
  "desktopheight": .integer(200...8192),
  "desktopscalefactor": .integer(100...500),
  "desktop size id": .integer(0...4),
  "use multimon": flag,
  "selectedmonitors": .numbers,
  "maximizetocurrentdisplays": flag,
  "singlemoninwindowedmode": flag,
  "dynamic resolution": flag,
  "smart sizing": flag,
  "session bpp": .integer(8...32),
  "winposstr": .text,
  "displayconnectionbar": flag,
  "pinconnectionbar": flag,
  "disable wallpaper": flag,
  "disable full window drag": flag,
  "disable menu anims": flag,
  "disable themes": flag,
  "disable cursor setting": flag,
  "allow font smoothing": flag,
  "allow desktop composition": flag,
  "bitmapcachepersistenable": flag,
  "videoplaybackmode": flag,

  // The network
  "connection type": .integer(1...7),
  "networkautodetect": flag,
  "bandwidthautodetect": flag,
  "compression": flag,
  "autoreconnection enabled": flag,
  "gatewayhostname": .address,
  "gatewayusagemethod": .integer(0...4),
  "gatewayprofileusagemethod": .integer(0...1),
  "gatewaycredentialssource": .integer(0...5),
  "gatewaybrokeringtype": flag,

  // What is started
  "alternate shell": .text,
  "shell working directory": .text,
  "remoteapplicationmode": flag,
  "remoteapplicationprogram": .text,
  "remoteapplicationexpandworkingdir": flag,
  "remoteapplicationguid": .text,
  "remoteapplicationname": .text,
  "remoteapplicationicon": .text,
  "remoteapplicationfile": .text,
  "remoteapplicationfileextensions": .text,
  "remoteapplicationcmdline": .text,
  "remoteapplicationexpandcmdline": flag,

  // Who made the file
  "support url": .text,
  "eventloguploadaddress": .text,
  "signscope": .text,
  "signature": .base64,
]

private let flag = RDPSetting.Value.integer(0...1)

/// A DPAPI blob, FreeRDP's clear text, and tokens: never written, never passed through.
///
/// Everything that begins with `password` counts too.
let secretSettings: Set<String> = [
  "password 51", "password", "gatewaypassword", "gatewayaccesstoken", "clearpassword",
]

/// What only this tool itself decides: a second address would win over the one that is shown.
let ownSettings: Set<String> = [
  "full address", "alternate full address", "server port", "username", "signscope", "signature",
]
