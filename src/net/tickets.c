/*
 * tickets.c - keys of TLS session tickets, which change every hour.
 *
 * RFC 5077, section 4: the recommended construction, AES-256-CBC and HMAC-SHA256.
 */
#include "net/tickets.h"

#include "base/rnd.h"
#include "base/secret.h"
#include "base/vault.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#define TICKETS_HOUR 3600
#define TICKETS_NAME_LEN 16
#define TICKETS_IV_LEN 16

/* the keys of one hour */
struct tickets_keys {
	uint64_t hour;
	bool is_derived;
	uint8_t name[32]; /* TICKETS_NAME_LEN bytes count */
	uint8_t cipher[32], mac[32];
};

struct tickets {
	const uint8_t *secret;
	EVP_CIPHER *cipher; /* looked up once */
	struct tickets_keys now;
	unsigned ignored; /* given since somebody came back with one */
	unsigned begun;	  /* handshakes, while few get one */
};

/* what: 'n' the name, 'e' for the cipher, 'm' for the MAC */
static bool tickets_derive(const struct tickets *t, uint64_t hour, char what, uint8_t out[32])
{
	uint8_t in[9] = {(uint8_t)what};

	memcpy(in + 1, &hour, sizeof(hour));
	return HMAC(EVP_sha256(), t->secret, TICKETS_SECRET_LEN, in, sizeof(in), out, NULL) != NULL;
}

static bool tickets_keys(const struct tickets *t, uint64_t hour, struct tickets_keys *keys)
{
	if (keys->is_derived && keys->hour == hour)
		return true;
	keys->hour = hour;
	keys->is_derived = tickets_derive(t, hour, 'n', keys->name) && tickets_derive(t, hour, 'e', keys->cipher) &&
			   tickets_derive(t, hour, 'm', keys->mac);
	return keys->is_derived;
}

static bool tickets_use(const struct tickets *t, struct tickets_keys *keys, uint8_t *iv, EVP_CIPHER_CTX *cipher,
			EVP_MAC_CTX *mac, int is_new)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys->mac, sizeof(keys->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, t->cipher, NULL, keys->cipher, iv, is_new) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* a ticket of the hour before */
static int tickets_late(const struct tickets *t, uint64_t hour, const uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
			EVP_MAC_CTX *mac)
{
	struct tickets_keys keys = {.is_derived = false};
	int rc = 0;

	if (!tickets_keys(t, hour, &keys))
		rc = -1;
	else if (secret_is_equal(keys.name, TICKETS_NAME_LEN, name, TICKETS_NAME_LEN))
		rc = tickets_use(t, &keys, iv, cipher, mac, 0) ? 2 : -1;
	secret_wipe(&keys, sizeof(keys));
	return rc;
}

static int tickets_take(struct tickets *t, uint64_t hour, const uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
			EVP_MAC_CTX *mac)
{
	if (secret_is_equal(t->now.name, TICKETS_NAME_LEN, name, TICKETS_NAME_LEN))
		return tickets_use(t, &t->now, iv, cipher, mac, 0) ? 1 : -1;
	return tickets_late(t, hour - 1, name, iv, cipher, mac);
}

static int tickets_give(struct tickets *t, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	rnd_secure(iv, TICKETS_IV_LEN);
	memcpy(name, t->now.name, TICKETS_NAME_LEN);
	t->ignored += t->ignored < TICKETS_IGNORED;
	return tickets_use(t, &t->now, iv, cipher, mac, 1) ? 1 : -1;
}

/* OpenSSL's: 1 good, 2 good and to be renewed, 0 no key for that name, -1 error */
static int tickets_on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
			  int is_new)
{
	struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint64_t hour = (uint64_t)time(NULL) / TICKETS_HOUR;
	int rc;

	if (!tickets_keys(t, hour, &t->now))
		return -1;
	if (is_new)
		return tickets_give(t, name, iv, cipher, mac);
	rc = tickets_take(t, hour, name, iv, cipher, mac);
	if (rc <= 0)
		return rc;
	t->ignored = 0;
	(void)SSL_set_num_tickets(ssl, 1);
	/* there a client uses one only once (RFC 8446, C.4) */
	return SSL_version(ssl) == TLS1_3_VERSION ? 2 : rc;
}

void tickets_begin(SSL *ssl)
{
	struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (t->ignored >= TICKETS_IGNORED && ++t->begun % TICKETS_RARELY != 0)
		(void)SSL_set_num_tickets(ssl, 0);
}

struct tickets *tickets_new(struct ssl_ctx_st *ctx, const uint8_t *secret)
{
	static const unsigned char context[] = "fynixpool";
	struct tickets *t = vault_alloc(sizeof(*t));

	t->secret = secret;
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (t->cipher == NULL) {
		tickets_free(t);
		return NULL;
	}
	SSL_CTX_set_app_data(ctx, t);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tickets_on_key);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1);
	return t;
}

void tickets_free(struct tickets *t)
{
	if (t != NULL)
		EVP_CIPHER_free(t->cipher);
	vault_free(t, sizeof(*t));
}
