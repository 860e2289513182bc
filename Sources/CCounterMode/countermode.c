// AES in counter mode for libssh2, many blocks at a time.
//
// libssh2 1.11.1 calls EVP_Cipher once for every 16 bytes, and each call goes through libcrypto's
// provider: most of the time of a fast transfer is that way, not AES. The key stream of counter mode
// depends on the key and the counter alone, so it is made here ahead of the data, by the same
// EVP_Cipher on a few KiB of zeros, and what libssh2 asks for is the XOR of data and key stream:
// the same bytes, and no cryptography of our own.
//
// Package.swift asks the linker (`--wrap`) to send here the calls of what is linked statically: that
// is libssh2 from .deps. Calls inside shared libraries (libcurl's TLS, a system's libssh2.so) never
// come here, and calls for other ciphers are passed on.

#if defined(__linux__)

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

int __real_EVP_CipherInit(
    EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, const unsigned char *key,
    const unsigned char *counter, int encrypts);
int __real_EVP_Cipher(
    EVP_CIPHER_CTX *context, unsigned char *out, const unsigned char *in, unsigned int count);
void __real_EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *context);

// What is made at once: enough that the way through the provider does not count, and little beside
// the processor's first cache.
enum { STREAM_SIZE = 4096 };

// A context's key stream; it hangs at the context as its application data.
struct key_stream {
  unsigned int used;
  unsigned char bytes[STREAM_SIZE];
};

static const unsigned char zeros[STREAM_SIZE];

static void drop_stream(EVP_CIPHER_CTX *context) {
  struct key_stream *stream = EVP_CIPHER_CTX_get_app_data(context);
  if (!stream) return;
  EVP_CIPHER_CTX_set_app_data(context, NULL);
  OPENSSL_clear_free(stream, sizeof *stream);
}

void __wrap_EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *context) {
  if (context) drop_stream(context);
  __real_EVP_CIPHER_CTX_free(context);
}

int __wrap_EVP_CipherInit(
    EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, const unsigned char *key,
    const unsigned char *counter, int encrypts) {
  // Another key or counter makes another stream.
  drop_stream(context);
  int result = __real_EVP_CipherInit(context, cipher, key, counter, encrypts);
  if (result != 1 || EVP_CIPHER_CTX_get_mode(context) != EVP_CIPH_CTR_MODE) return result;
  // Without memory for it the calls are passed on, as for any other cipher.
  struct key_stream *stream = OPENSSL_malloc(sizeof *stream);
  if (stream) {
    stream->used = STREAM_SIZE;
    EVP_CIPHER_CTX_set_app_data(context, stream);
  }
  return result;
}

int __wrap_EVP_Cipher(
    EVP_CIPHER_CTX *context, unsigned char *out, const unsigned char *in, unsigned int count) {
  struct key_stream *stream = EVP_CIPHER_CTX_get_app_data(context);
  if (!stream || !in || !out) return __real_EVP_Cipher(context, out, in, count);
  unsigned int done = 0;
  while (done < count) {
    if (stream->used == STREAM_SIZE) {
      int made = __real_EVP_Cipher(context, stream->bytes, zeros, STREAM_SIZE);
      // Never 0: libssh2 takes that for success, and would send the block as it is.
      if (made != STREAM_SIZE) return -1;
      stream->used = 0;
    }
    unsigned int part = count - done;
    if (part > STREAM_SIZE - stream->used) part = STREAM_SIZE - stream->used;
    const unsigned char *key = stream->bytes + stream->used;
    unsigned int i = 0;
    for (; i + 8 <= part; i += 8) {
      uint64_t data, mask;
      memcpy(&data, in + done + i, 8);
      memcpy(&mask, key + i, 8);
      data ^= mask;
      memcpy(out + done + i, &data, 8);
    }
    for (; i < part; i++) out[done + i] = in[done + i] ^ key[i];
    stream->used += part;
    done += part;
  }
  return (int)count;
}

#endif
