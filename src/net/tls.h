/*
 * tls.h - TLS as a stream on top of a conn: engines move ciphertext, owners see plain text.
 *
 * The conn's thread.  RFC 8446, RFC 5246; ALPN "postgresql" and direct TLS as in
 * PostgreSQL 17's protocol chapter, "SSL Session Encryption".  conn.c calls the second
 * half.  See tlsout.h for the way out.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "net/conn.h"
#include "net/tlsctx.h"

struct ssl_ctx_st;
struct bio_method_st;

struct tls_ask {
	struct tlsctx *ctx; /* a reference is taken */
	/* of one that dials: */
	const char *host;	/* NULL: the address; sent as SNI when it is a name */
	bool verifies_host;	/* the certificate must be for host (a name or an address) */
	bool wants_alpn;	/* direct TLS: the other side must choose "postgresql" */
};

#define TLS_ERROR_MAX 256

/* What was queued before goes out in the clear, all else is TLS.  on_secured follows, or on_closed(CONN_END_TLS).  Until
 * then conn_send is ignored.  -1: no memory (nothing has changed), or host is not one. */
int tls_start(struct conn *c, const struct tls_ask *ask) FX_MUST_USE;
/* Bytes that were read before tls_start and belong to it; inside on_bytes only. */
void tls_feed(struct conn *c, const uint8_t *data, size_t n);
/* Whether plain text that was read is overwritten inside the library as well: while passwords come. */
void tls_forget(struct conn *c, bool on);
/* After on_secured: "postgresql" was agreed upon. */
bool tls_has_alpn(const struct conn *c);
#define TLS_TEXT_MAX 128
/* "TLSv1.3/TLS_AES_256_GCM_SHA384/ECDH=X25519"; "" for a conn in the clear */
void tls_describe(const struct conn *c, char *out, size_t size);
/* After CONN_END_TLS, inside on_closed: why, without a full stop. */
const char *tls_error(const struct conn *c);

/* For tlspeer.c. */
struct ssl_st *tls_handle(const struct conn *c);

/* For conn.c and tlsctx.c. */
/* n bytes of ciphertext have arrived, which lie in chunk; loop->active is c. */
void tls_input(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n);
void tls_free(struct conn *c);
struct bio_method_st *tls_method(void); /* NULL: no memory */
void tls_install_alpn(struct ssl_ctx_st *ctx);

#endif
