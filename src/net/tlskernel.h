/*
 * tlskernel.h - the way out of a TLS stream, encrypted by the kernel (kTLS).
 *
 * OpenSSL makes the handshake and reads.  When it has the keys of what goes out, it
 * offers them to its BIO (SSL_OP_ENABLE_KTLS); the socket gets them, and from then on
 * the conn's queue goes to the kernel as plain text.  Linux, Documentation/networking/tls.rst;
 * the controls of a BIO are those that openssl/bio.h reserves.  The conn's thread, but
 * for tlskernel_is_offered.
 */
#ifndef NET_TLSKERNEL_H
#define NET_TLSKERNEL_H

#include "base/check.h"

#include <stddef.h>

struct tls;

/* Any thread; reads /proc/crypto.  The kernel has its "tls" module at hand for us and is quick at AES, and OpenSSL can
 * make use of it. */
bool tlskernel_is_offered(void);
/* A BIO's control that is about the kernel; 0 for any other, and for what is not taken. */
long tlskernel_control(struct tls *t, int what, long n, const void *p);
/* Once the kernel has the keys: a record of OpenSSL's own, of the type it has named before.  false: it could not be
 * sent, and the connection cannot go on. */
bool tlskernel_write(struct tls *t, const void *data, size_t n) FX_MUST_USE;

#endif
