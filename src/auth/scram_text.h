/*
 * scram_text.h - the four messages of a SCRAM exchange, taken apart.
 *
 * RFC 5802 section 7.  Strict: attributes in their order, each once, no NUL, nothing
 * after the end.  All parts are lent from the message.  On -1 *error is a constant
 * sentence for the log.  Any thread, no allocation.
 */
#ifndef AUTH_SCRAM_TEXT_H
#define AUTH_SCRAM_TEXT_H

#include "auth/credential.h"

#define SCRAM_MECHANISM "SCRAM-SHA-256"
#define SCRAM_MECHANISM_PLUS "SCRAM-SHA-256-PLUS"

/* RFC 5929 tls-server-end-point: the only channel binding that PostgreSQL knows. */
#define SCRAM_BINDING_NAME "tls-server-end-point"
#define SCRAM_BINDING_MAX 64

struct scram_binding {
	uint8_t data[SCRAM_BINDING_MAX];
	size_t len; /* 0: none to be had */
};

#define SCRAM_TEXT_MAX   4096 /* bytes of one message */
#define SCRAM_TEXT_NONCE 512  /* bytes of a nonce, both halves together */

struct scram_part {
	const char *p;
	size_t n;
};

struct scram_client_first {
	char flag;               /* gs2-cbind-flag: 'n', 'y' or 'p' */
	struct scram_part cbind; /* after "p=": the name of the binding */
	struct scram_part gs2;   /* the whole gs2-header, "n,," */
	struct scram_part bare;  /* what goes into AuthMessage */
	struct scram_part user;  /* as written; PostgreSQL ignores it, and so do we */
	struct scram_part nonce;
};

struct scram_server_first {
	struct scram_part nonce;
	uint8_t salt[CREDENTIAL_SALT_MAX];
	size_t salt_len;
	uint32_t iterations; /* 1..SCRAMKEY_ITERATIONS_MAX */
};

struct scram_client_final {
	struct scram_part channel; /* c=, still in base64 */
	struct scram_part nonce;
	struct scram_part without_proof; /* what goes into AuthMessage */
	uint8_t proof[CREDENTIAL_KEY_LEN];
};

struct scram_server_final {
	struct scram_part error; /* e=; p is NULL when there is none */
	uint8_t signature[CREDENTIAL_KEY_LEN];
};

int scram_text_client_first(
	const void *msg, size_t n, struct scram_client_first *out, const char **error) FX_MUST_USE;
int scram_text_server_first(
	const void *msg, size_t n, struct scram_server_first *out, const char **error) FX_MUST_USE;
int scram_text_client_final(
	const void *msg, size_t n, struct scram_client_final *out, const char **error) FX_MUST_USE;
int scram_text_server_final(
	const void *msg, size_t n, struct scram_server_final *out, const char **error) FX_MUST_USE;

#endif
