/*
 * tls_impl.h - the state of a TLS stream; shared by tls*.c.
 */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include "base/buf.h"
#include "net/tls.h"

#define TLS_RECORD ((size_t)16 * 1024)	     /* plain text of the largest record */
#define TLS_BATCH ((size_t)48 * 1024)	     /* encrypted at a time */
#define TLS_PENDING_MAX ((size_t)512 * 1024) /* ciphertext: a peer that makes us answer and does not read */
#define TLS_IDLE_MAX ((size_t)256 * 1024)    /* ciphertext without a byte of plain text: new keys, empty records */

struct tls {
	struct ssl_st *ssl;
	struct tlsctx *ctx;
	struct conn *conn;
	struct outq cipher;
	size_t cipher_bytes;
	size_t sealed; /* bytes in front of the conn's queue whose ciphertext is in cipher, untouched */
	const uint8_t *in; /* ciphertext that has arrived */
	size_t in_len;
	size_t idle_bytes; /* ciphertext since there was plain text in it */
	char *error;
	size_t memory; /* OpenSSL's for this one */
	bool is_secured, wants_alpn, said_bye, is_broken;
	bool is_client; /* we are: it is one server, not a storm of clients */
	bool is_kernels; /* tlskernel.h: what goes out is encrypted there, and cipher is empty for good */
	uint8_t record_type; /* of what OpenSSL will write next, then */
	struct dlist late_link; /* tlslate.c */
	struct buf late;
};

/* Bytes have arrived, as in tls_input; the handshake is not put off any more. */
void tls_step(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n);
/* Ends the conn with what OpenSSL has said last. */
void tls_fail(struct conn *c);

#endif
