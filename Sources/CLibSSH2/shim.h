// libssh2 for Swift. Function-like macros and callback setters that take void * are wrapped here,
// and what an older libssh2 lacks answers "not supported" at run time instead of failing to build.
#ifndef CLIBSSH2_SHIM_H
#define CLIBSSH2_SHIM_H

#include <libssh2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CLIBSSH2_HAS_1_11 (LIBSSH2_VERSION_NUM >= 0x010b00)
#define CLIBSSH2_HAS_1_11_1 (LIBSSH2_VERSION_NUM >= 0x010b01)

// The version built against, since the version actually linked may only be as new or newer.
static const int clibssh2_version_number = LIBSSH2_VERSION_NUM;

// The callbacks, by their own types. callback_set takes void * (and is deprecated from 1.11.1);
// callback_set2 takes a function pointer of no particular type.
typedef ssize_t (*clibssh2_recv)(
  libssh2_socket_t socket, void *buffer, size_t length, int flags, void **abstract);
typedef ssize_t (*clibssh2_send)(
  libssh2_socket_t socket, const void *buffer, size_t length, int flags, void **abstract);
typedef void (*clibssh2_disconnect)(
  LIBSSH2_SESSION *session, int reason, const char *message, int message_length,
  const char *language, int language_length, void **abstract);
typedef void (*clibssh2_agent_open)(
  LIBSSH2_SESSION *session, LIBSSH2_CHANNEL *channel, void **abstract);

#if CLIBSSH2_HAS_1_11_1
#define CLIBSSH2_SET(session, type, callback) \
  libssh2_session_callback_set2(session, type, (libssh2_cb_generic *)(callback))
#else
#define CLIBSSH2_SET(session, type, callback) \
  libssh2_session_callback_set(session, type, (void *)(callback))
#endif

static inline void clibssh2_set_transport(
  LIBSSH2_SESSION *session, clibssh2_recv recv, clibssh2_send send
) {
  CLIBSSH2_SET(session, LIBSSH2_CALLBACK_RECV, recv);
  CLIBSSH2_SET(session, LIBSSH2_CALLBACK_SEND, send);
}

static inline void clibssh2_set_disconnect(
  LIBSSH2_SESSION *session, clibssh2_disconnect callback
) {
  CLIBSSH2_SET(session, LIBSSH2_CALLBACK_DISCONNECT, callback);
}

// Returns 0, or METHOD_NOT_SUPPORTED where the library cannot forward an agent.
static inline int clibssh2_set_agent_open(LIBSSH2_SESSION *session, clibssh2_agent_open callback) {
#if CLIBSSH2_HAS_1_11
  CLIBSSH2_SET(session, LIBSSH2_CALLBACK_AUTHAGENT, callback);
  return 0;
#else
  (void)session;
  (void)callback;
  return LIBSSH2_ERROR_METHOD_NOT_SUPPORTED;
#endif
}

// How long one packet is waited for, in seconds. Only a blocking session would wait.
static inline void clibssh2_set_read_timeout(LIBSSH2_SESSION *session, long seconds) {
#if CLIBSSH2_HAS_1_11
  libssh2_session_set_read_timeout(session, seconds);
#else
  (void)session;
  (void)seconds;
#endif
}

static inline int clibssh2_userauth_banner(LIBSSH2_SESSION *session, char **banner) {
#if CLIBSSH2_HAS_1_11
  return libssh2_userauth_banner(session, banner);
#else
  (void)session;
  (void)banner;
  return LIBSSH2_ERROR_METHOD_NOT_SUPPORTED;
#endif
}

// Whether RSA user keys work with servers that refuse SHA-1.
static const int clibssh2_has_rsa_sha2 = CLIBSSH2_HAS_1_11_1;

#endif
