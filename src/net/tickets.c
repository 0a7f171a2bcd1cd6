/*
 * tickets.c - keys of TLS session tickets, which change every hour.
 *
 * RFC 5077, section 4: the recommended construction, AES-256-CBC and HMAC-SHA256.
 */
#include "net/tickets.h"

#include "base/rnd.h"
#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#define TICKETS_HOUR 3600
#define TICKETS_NAME_LEN 16
#define TICKETS_IV_LEN 16

void tickets_init(struct tickets *t)
{
	rnd_secure(t->secret, sizeof(t->secret));
}

void tickets_wipe(struct tickets *t)
{
	secret_wipe(t, sizeof(*t));
}

/* what: 'n' the name (16 of its bytes count), 'e' for the cipher, 'm' for the MAC */
static bool tickets_derive(const struct tickets *t, uint64_t hour, char what, uint8_t out[32])
{
	uint8_t in[9] = {(uint8_t)what};

	memcpy(in + 1, &hour, sizeof(hour));
	return HMAC(EVP_sha256(), t->secret, (int)sizeof(t->secret), in, sizeof(in), out, NULL) != NULL;
}

static bool tickets_is_of(const struct tickets *t, uint64_t hour, const uint8_t *name)
{
	uint8_t its[32];

	return tickets_derive(t, hour, 'n', its) && secret_is_equal(its, TICKETS_NAME_LEN, name, TICKETS_NAME_LEN);
}

static bool tickets_keys(const struct tickets *t, uint64_t hour, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
			 int is_new)
{
	uint8_t e[32], m[32];
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, m, sizeof(m)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok = tickets_derive(t, hour, 'e', e) && tickets_derive(t, hour, 'm', m) &&
		  EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, e, iv, is_new) == 1 &&
		  EVP_MAC_CTX_set_params(mac, params) == 1;

	secret_wipe(e, sizeof(e));
	secret_wipe(m, sizeof(m));
	return ok;
}

/* OpenSSL's: 1 good, 2 good and to be renewed, 0 no key for that name, -1 error */
static int tickets_on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
			  int is_new)
{
	struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint64_t now = (uint64_t)time(NULL) / TICKETS_HOUR;
	uint8_t its[32];

	if (is_new) {
		rnd_secure(iv, TICKETS_IV_LEN);
		if (!tickets_derive(t, now, 'n', its))
			return -1;
		memcpy(name, its, TICKETS_NAME_LEN);
		return tickets_keys(t, now, iv, cipher, mac, 1) ? 1 : -1;
	}
	for (uint64_t age = 0; age < 2; age++)
		if (tickets_is_of(t, now - age, name))
			return !tickets_keys(t, now - age, iv, cipher, mac, 0) ? -1 : age == 0 ? 1 : 2;
	return 0;
}

void tickets_install(struct ssl_ctx_st *ctx, struct tickets *t)
{
	static const unsigned char context[] = "fynixpool";

	SSL_CTX_set_app_data(ctx, t);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tickets_on_key);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1);
}
