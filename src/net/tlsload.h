/*
 * tlsload.h - an SSL_CTX from bytes of PEM files.
 *
 * Any thread; nothing is read from disk here.  Called by tlsctx.c.
 */
#ifndef NET_TLSLOAD_H
#define NET_TLSLOAD_H

#include "net/tlsctx.h"

#include "base/buf.h"

struct tlsload {
	struct tlsctx_spec spec; /* strings owned by whoever holds it */
	struct buf cert, key, ca, crl;
};

/* NULL: error says which of the files, or which setting, and why. */
struct ssl_ctx_st *tlsload_make(const struct tlsload *from, char error[TLSCTX_ERROR_MAX]) FX_MUST_USE;

#endif
