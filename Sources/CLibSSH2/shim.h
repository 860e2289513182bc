// libssh2 for Swift. Function-like macros and callback setters that take void * are wrapped here,
// and what an older libssh2 lacks answers "not supported" at run time instead of failing to build.
#ifndef CLIBSSH2_SHIM_H
#define CLIBSSH2_SHIM_H

#include <libssh2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

// Sees memory that libssh2 gives back. The length is what the allocator made of it, so behind the
// message itself may stand anything.
typedef void (*clibssh2_released)(void *owner, const unsigned char *bytes, size_t length);

// What every callback gets: the owner's object, and whether freed memory is overwritten first.
// libssh2 leaves passwords, passphrases and answers to questions in the memory it frees, so this
// is on while a user logs in; not later, where it would cost time on every packet.
//
// Some of what a server says libssh2 tells nobody: which methods may continue a login, whether an
// exit status came at all. Its messages are still whole when they are freed, so `released` is shown
// memory that begins like one of them; with `shows_all`, all of it.
//
// While `keeps` is on, which is the first key exchange, `released` also sees the server's answers
// with its signature, and memory of the lengths that an exchange's hash can have is listed for as
// long as it is in use: the session's id is kept so, and told nobody either.
enum { CLIBSSH2_KEPT = 64 };
struct clibssh2_context {
  void *owner;
  int overwrites;
  int shows_all;
  clibssh2_released released;
  int keeps;
  // More than could be listed.
  int kept_too_many;
  unsigned kept_count;
  struct {
    const unsigned char *bytes;
    size_t length;
  } kept[CLIBSSH2_KEPT];
};

// Message numbers (RFC 8308, 5656, 4419, 4253, 4252 and 4254).
enum {
  CLIBSSH2_EXT_INFO = 7,
  // Of all methods in use: ECDH's and DH's answer, and group exchange's.
  CLIBSSH2_KEX_REPLY = 31,
  CLIBSSH2_KEX_GEX_REPLY = 33,
  CLIBSSH2_USERAUTH_FAILURE = 51,
  CLIBSSH2_CHANNEL_CLOSE = 97,
  CLIBSSH2_CHANNEL_REQUEST = 98
};

static inline size_t clibssh2_size(void *pointer) {
#ifdef __APPLE__
  return malloc_size(pointer);
#else
  return malloc_usable_size(pointer);
#endif
}

static inline void clibssh2_overwrite(void *pointer) {
#ifdef __APPLE__
  memset_s(pointer, malloc_size(pointer), 0, malloc_size(pointer));
#else
  explicit_bzero(pointer, malloc_usable_size(pointer));
#endif
}

static inline void clibssh2_show(void *pointer, void **abstract) {
  if (abstract == NULL || *abstract == NULL) return;
  const struct clibssh2_context *context = *abstract;
  if (context->released == NULL) return;
  const unsigned char *bytes = pointer;
  if (!context->shows_all) switch (bytes[0]) {
    case CLIBSSH2_EXT_INFO:
    case CLIBSSH2_USERAUTH_FAILURE:
    case CLIBSSH2_CHANNEL_CLOSE:
    case CLIBSSH2_CHANNEL_REQUEST: break;
    case CLIBSSH2_KEX_REPLY:
    case CLIBSSH2_KEX_GEX_REPLY:
      if (!context->keeps) return;
      break;
    default: return;
  }
  context->released(context->owner, bytes, clibssh2_size(pointer));
}

static inline int clibssh2_overwrites(void **abstract) {
  return abstract != NULL && *abstract != NULL && ((struct clibssh2_context *)*abstract)->overwrites;
}

static inline struct clibssh2_context *clibssh2_keeper(void **abstract) {
  struct clibssh2_context *context = abstract == NULL ? NULL : *abstract;
  return context != NULL && context->keeps ? context : NULL;
}

// The lengths of SHA-1, SHA-256, SHA-384 and SHA-512.
static inline void clibssh2_keep(const void *pointer, size_t length, void **abstract) {
  struct clibssh2_context *context = clibssh2_keeper(abstract);
  if (context == NULL || pointer == NULL) return;
  if (length != 20 && length != 32 && length != 48 && length != 64) return;
  if (context->kept_count == CLIBSSH2_KEPT) {
    context->kept_too_many = 1;
    return;
  }
  context->kept[context->kept_count].bytes = pointer;
  context->kept[context->kept_count].length = length;
  context->kept_count++;
}

static inline void clibssh2_forget(const void *pointer, void **abstract) {
  struct clibssh2_context *context = clibssh2_keeper(abstract);
  if (context == NULL) return;
  for (unsigned index = 0; index < context->kept_count; index++) {
    if (context->kept[index].bytes != pointer) continue;
    context->kept[index] = context->kept[--context->kept_count];
    return;
  }
}

// Banners and lists of names may have any length; a hash is no text.
static inline int clibssh2_is_text(const unsigned char *bytes, size_t length) {
  for (size_t index = 0; index + 1 < length; index++)
    if (bytes[index] < 0x20 || bytes[index] > 0x7e) return 0;
  return 1;
}

// The only memory of that length, but for text, that came into use since `keeps` was turned on and still is; NULL
// where there is none or more than one.
static inline const unsigned char *clibssh2_kept(
  const struct clibssh2_context *context, size_t length
) {
  const unsigned char *found = NULL;
  if (context->kept_too_many) return NULL;
  for (unsigned index = 0; index < context->kept_count; index++) {
    if (context->kept[index].length != length) continue;
    if (clibssh2_is_text(context->kept[index].bytes, length)) continue;
    if (found != NULL) return NULL;
    found = context->kept[index].bytes;
  }
  return found;
}

static void *clibssh2_alloc(size_t count, void **abstract) {
  void *pointer = malloc(count);
  clibssh2_keep(pointer, count, abstract);
  return pointer;
}

static void clibssh2_free(void *pointer, void **abstract) {
  if (pointer == NULL) return;
  clibssh2_show(pointer, abstract);
  clibssh2_forget(pointer, abstract);
  if (clibssh2_overwrites(abstract)) clibssh2_overwrite(pointer);
  free(pointer);
}

static void *clibssh2_realloc(void *pointer, size_t count, void **abstract) {
  if (pointer == NULL || !clibssh2_overwrites(abstract)) {
    clibssh2_forget(pointer, abstract);
    return realloc(pointer, count);
  }
  size_t old = clibssh2_size(pointer);
  void *moved = malloc(count);
  if (moved == NULL) return NULL;
  memcpy(moved, pointer, old < count ? old : count);
  clibssh2_free(pointer, abstract);
  return moved;
}

static inline LIBSSH2_SESSION *clibssh2_session(struct clibssh2_context *context) {
  return libssh2_session_init_ex(clibssh2_alloc, clibssh2_free, clibssh2_realloc, context);
}

#define CLIBSSH2_HAS_1_11 (LIBSSH2_VERSION_NUM >= 0x010b00)
#define CLIBSSH2_HAS_1_11_1 (LIBSSH2_VERSION_NUM >= 0x010b01)

// Unknown before 1.11; no older version says it.
#ifndef LIBSSH2_ERROR_ALGO_UNSUPPORTED
#define LIBSSH2_ERROR_ALGO_UNSUPPORTED -51
#endif

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
