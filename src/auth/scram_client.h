/*
 * scram_client.h - the client's role in SCRAM-SHA-256, as texts in and out.
 *
 * RFC 5802 sections 5 and 6.  Called by serverauth in the order of the declarations
 * (out of order: CHECK).  On -1 c->error is a sentence for the log, and the exchange
 * is over.  Only scram_client_verify makes the server believable.
 */
#ifndef AUTH_SCRAM_CLIENT_H
#define AUTH_SCRAM_CLIENT_H

#include "auth/scram_text.h"
#include "base/buf.h"

struct scram_client {
	int step;
	size_t nonce_at, nonce_len;        /* our nonce, inside text */
	const char *flag;                  /* the gs2-cbind-flag, "n", "y" or "p=..." */
	struct scram_binding binding;
	struct buf text;                   /* grows into AuthMessage */
	uint8_t salt[CREDENTIAL_SALT_MAX]; /* after scram_client_read_first */
	size_t salt_len;
	uint32_t iterations;
	uint8_t server_key[CREDENTIAL_KEY_LEN];
	const char *error;
};

void scram_client_init(struct scram_client *c);
void scram_client_fini(struct scram_client *c); /* wipes */
/* Before the first message: binding is what the connection has (TLS), is_plus that SCRAM-SHA-256-PLUS is used with it.
 * Without is_plus it tells the server that we could have, so that nobody between us can have taken the offer away. */
void scram_client_bind(struct scram_client *c, const struct scram_binding *binding, bool is_plus);
/* Appends client-first-message.  user: "" towards PostgreSQL, which takes the name of the
 * StartupMessage.  nonce: NULL for chance (always, but in tests). */
int scram_client_first(
	struct scram_client *c, const char *user, const char *nonce, struct buf *out) FX_MUST_USE;
/* Reads server-first-message: then salt and iterations are known, and the caller derives the keys. */
int scram_client_read_first(struct scram_client *c, const void *msg, size_t n) FX_MUST_USE;
/* Appends client-final-message. */
int scram_client_final(
	struct scram_client *c, const struct credential_keys *keys, struct buf *out) FX_MUST_USE;
/* Reads server-final-message and checks that the server knows the secret too. */
int scram_client_verify(struct scram_client *c, const void *msg, size_t n) FX_MUST_USE;

#endif
