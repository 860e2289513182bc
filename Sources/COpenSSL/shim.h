// OpenSSL for Swift: hashes, HMAC, signatures, PKCS#7, PKCS#12, and the certificate that a TLS server
// shows.
#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

// EVP_RSA_gen is a macro that Swift does not import.
static inline EVP_PKEY *copenssl_rsa_generate(int bits) {
  return EVP_RSA_gen((size_t)bits);
}

// A list of certificates. The sk_X509_… calls are macros that Swift does not import.

static inline STACK_OF(X509) *copenssl_certificates_new(void) { return sk_X509_new_null(); }

// Takes over the certificate when it returns 1.
static inline int copenssl_certificates_add(STACK_OF(X509) *list, X509 *certificate) {
  return sk_X509_push(list, certificate) > 0 ? 1 : 0;
}

static inline int copenssl_certificates_count(const STACK_OF(X509) *list) {
  return sk_X509_num(list) < 0 ? 0 : sk_X509_num(list);
}

static inline X509 *copenssl_certificates_at(const STACK_OF(X509) *list, int index) {
  return sk_X509_value(list, index);
}

// Frees the list and every certificate in it.
static inline void copenssl_certificates_free(STACK_OF(X509) *list) {
  sk_X509_pop_free(list, X509_free);
}

// A new P-256 key; the call behind it is a macro with a variable number of arguments.
static inline EVP_PKEY *copenssl_p256_key(void) { return EVP_EC_gen("P-256"); }

#endif
