/*
 * scram_server.h - the server's role in SCRAM-SHA-256, as texts in and out.
 *
 * RFC 5802 sections 5 and 6.  Called by clientauth in the order of the declarations;
 * whoever calls out of order is a bug of ours (CHECK).  On -1 s->error is a constant
 * sentence for the log, and the exchange is over.
 */
#ifndef AUTH_SCRAM_SERVER_H
#define AUTH_SCRAM_SERVER_H

#include "auth/scram_text.h"
#include "base/buf.h"

struct scram_server {
	int step;
	bool offers_plus;
	bool is_plus;               /* the client has chosen SCRAM-SHA-256-PLUS */
	char flag;                  /* the client's gs2-cbind-flag */
	struct scram_binding binding;
	size_t nonce_at, nonce_len; /* the common nonce, inside text */
	struct buf text;            /* grows into AuthMessage */
	uint8_t proof[CREDENTIAL_KEY_LEN];
	const char *error;
};

/* offers_plus: SCRAM-SHA-256-PLUS is offered too; then "y" from a client is a downgrade. */
void scram_server_init(struct scram_server *s, bool offers_plus);
/* The client has chosen SCRAM-SHA-256-PLUS, and this must be its channel.  Before scram_server_first. */
void scram_server_bind(struct scram_server *s, const struct scram_binding *binding);
void scram_server_fini(struct scram_server *s); /* wipes */
/* Reads client-first-message, appends server-first-message to out.  nonce: our half, NULL for chance
 * (always, but in tests). */
int scram_server_first(struct scram_server *s, const void *msg, size_t n, const uint8_t *salt,
	size_t salt_len, uint32_t iterations, const char *nonce, struct buf *out) FX_MUST_USE;
/* Reads client-final-message: layout, channel binding and nonce, not yet the proof. */
int scram_server_read_final(struct scram_server *s, const void *msg, size_t n) FX_MUST_USE;
/* Was the proof made with the key behind this StoredKey?  After scram_server_read_final; changes nothing. */
bool scram_server_fits(const struct scram_server *s, const uint8_t stored_key[CREDENTIAL_KEY_LEN]) FX_MUST_USE;
/* Checks the proof and appends server-final-message to out.  Gives the ClientKey behind the proof. */
int scram_server_verify(struct scram_server *s, const uint8_t stored_key[CREDENTIAL_KEY_LEN],
	const uint8_t server_key[CREDENTIAL_KEY_LEN], uint8_t client_key[CREDENTIAL_KEY_LEN],
	struct buf *out) FX_MUST_USE;

#endif
