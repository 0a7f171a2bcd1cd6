/*
 * tlsload.c - an SSL_CTX from bytes of PEM files.
 */
#include "net/tlsload.h"

#include "base/str.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define TLSLOAD_CHAIN_MAX 100 /* certificates of our own chain */

static int tlsload_fail(char *error, const char *what, const char *which)
{
	char why[256];

	tlsctx_error(why, sizeof(why));
	snprintf(error, TLSCTX_ERROR_MAX, "%s %s: %s", what, which, why);
	return -1;
}

/* nobody is there to type the passphrase of a key */
static int tlsload_no_password(char *to FX_UNUSED, int size FX_UNUSED, int is_writing FX_UNUSED, void *arg FX_UNUSED)
{
	return -1;
}

/* Has reading stopped because no further PEM follows? */
static bool tlsload_is_end(void)
{
	unsigned long err = ERR_peek_last_error();

	return ERR_GET_LIB(err) == ERR_LIB_PEM && ERR_GET_REASON(err) == PEM_R_NO_START_LINE;
}

/* The next certificate of a file; NULL: none follows (*bad: because what follows is none). */
static X509 *tlsload_next(BIO *in, bool *bad)
{
	X509 *x = PEM_read_bio_X509(in, NULL, tlsload_no_password, NULL);

	*bad = x == NULL && !tlsload_is_end();
	if (x == NULL && !*bad)
		ERR_clear_error();
	return x;
}

static int tlsload_chain(SSL_CTX *ctx, BIO *in, char *error, const char *file)
{
	bool bad;
	X509 *x = tlsload_next(in, &bad);

	if (x == NULL) {
		if (bad)
			return tlsload_fail(error, "cannot use certificate file", file);
		snprintf(error, TLSCTX_ERROR_MAX, "cannot use certificate file %s: no certificate in it", file);
		return -1;
	}
	if (SSL_CTX_use_certificate(ctx, x) != 1)
		bad = true;
	X509_free(x);
	for (unsigned n = 1; !bad && (x = tlsload_next(in, &bad)) != NULL; n++) {
		if (n >= TLSLOAD_CHAIN_MAX) {
			X509_free(x);
			snprintf(error, TLSCTX_ERROR_MAX, "certificate file %s has more than %d certificates", file,
				 TLSLOAD_CHAIN_MAX);
			return -1;
		}
		if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			bad = true;
		}
	}
	return bad ? tlsload_fail(error, "cannot use certificate file", file) : 0;
}

static int tlsload_cert(SSL_CTX *ctx, const struct tlsload *from, char *error)
{
	BIO *in = BIO_new_mem_buf(from->cert.data, (int)from->cert.len);
	int rc = in == NULL ? -1 : tlsload_chain(ctx, in, error, from->spec.cert_file);
	EVP_PKEY *key;

	BIO_free(in);
	if (rc < 0)
		return -1;
	in = BIO_new_mem_buf(from->key.data, (int)from->key.len);
	key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, tlsload_no_password, NULL) : NULL;
	BIO_free(in);
	if (key == NULL)
		return tlsload_fail(error, "cannot use key file (keys with a passphrase are not supported)",
				    from->spec.key_file);
	rc = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1 ? 0 : -1;
	EVP_PKEY_free(key);
	return rc < 0 ? tlsload_fail(error, "the certificate does not belong to key file", from->spec.key_file) : 0;
}

static int tlsload_authorities(SSL_CTX *ctx, const struct tlsload *from, char *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool bad = false, wants_names = from->spec.is_server;
	unsigned n = 0;
	BIO *in;
	X509 *x;

	if (from->ca.len == 0)
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : tlsload_fail(error, "cannot use", "the system's certificates");
	in = BIO_new_mem_buf(from->ca.data, (int)from->ca.len);
	for (; in != NULL && (x = tlsload_next(in, &bad)) != NULL; n++) {
		if (X509_STORE_add_cert(store, x) != 1 || (wants_names && SSL_CTX_add_client_CA(ctx, x) != 1))
			bad = true;
		X509_free(x);
		if (bad)
			break;
	}
	BIO_free(in);
	if (bad)
		return tlsload_fail(error, "cannot use CA file", from->spec.ca_file);
	if (n == 0) {
		snprintf(error, TLSCTX_ERROR_MAX, "cannot use CA file %s: no certificate in it", from->spec.ca_file);
		return -1;
	}
	return 0;
}

static int tlsload_revoked(SSL_CTX *ctx, const struct tlsload *from, char *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *in = BIO_new_mem_buf(from->crl.data, (int)from->crl.len);
	bool bad = in == NULL;
	unsigned n = 0;
	X509_CRL *crl;

	while (!bad && (crl = PEM_read_bio_X509_CRL(in, NULL, tlsload_no_password, NULL)) != NULL) {
		bad = X509_STORE_add_crl(store, crl) != 1;
		X509_CRL_free(crl);
		n++;
	}
	BIO_free(in);
	/* half a list would let in who was revoked in the other half */
	if (bad || n == 0 || !tlsload_is_end())
		return tlsload_fail(error, "cannot use CRL file", from->spec.crl_file);
	ERR_clear_error();
	(void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

/* the versions a list allows: bit 0 is TLS 1.2, bit 1 is TLS 1.3 */
static int tlsload_versions(const char *list, char *error)
{
	static const struct {
		const char *word;
		int bits;
	} known[] = {
		{"secure", 3}, {"all", 3}, {"legacy", 3}, {"default", 3}, {"tlsv1", 3},
		{"tlsv1.0", 0}, {"tlsv1.1", 0}, {"tlsv1.2", 1}, {"tlsv1.3", 2},
	};
	const char *at = list != NULL ? list : "";
	int bits = 0;

	if (at[0] == '\0')
		return 3;
	for (;;) {
		size_t n = strcspn(at, ",:"), b, e, k;

		for (b = 0; b < n && at[b] == ' '; b++)
			;
		for (e = n; e > b && at[e - 1] == ' '; e--)
			;
		for (k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (strlen(known[k].word) == e - b && strncasecmp(known[k].word, at + b, e - b) == 0)
				break;
		if (k == sizeof(known) / sizeof(known[0])) {
			snprintf(error, TLSCTX_ERROR_MAX,
				 "invalid TLS version \"%.*s\": use secure, all, or a list of tlsv1.2 and tlsv1.3", (int)(e - b),
				 at + b);
			return -1;
		}
		bits |= known[k].bits;
		at += n;
		if (*at == '\0')
			break;
		at++;
	}
	if (bits == 0)
		snprintf(error, TLSCTX_ERROR_MAX, "TLS versions \"%s\" are not secure: fynixpool speaks tlsv1.2 and tlsv1.3", list);
	return bits != 0 ? bits : -1;
}

static int tlsload_rules(SSL_CTX *ctx, const struct tlsctx_spec *spec, char *error)
{
	const char *ciphers = spec->ciphers != NULL ? spec->ciphers : "", *curve = spec->curve != NULL ? spec->curve : "";
	const char *dh = spec->dh != NULL ? spec->dh : "";
	int versions = tlsload_versions(spec->protocols, error);

	if (versions < 0)
		return -1;
	(void)SSL_CTX_set_min_proto_version(ctx, versions & 1 ? TLS1_2_VERSION : TLS1_3_VERSION);
	(void)SSL_CTX_set_max_proto_version(ctx, versions & 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
	if (ciphers[0] == '\0' || strcmp(ciphers, "default") == 0 || strcmp(ciphers, "secure") == 0 ||
	    strcmp(ciphers, "normal") == 0 || strcmp(ciphers, "fast") == 0)
		ciphers = "HIGH:!aNULL:!eNULL:!MD5:!3DES";
	else if (strcmp(ciphers, "all") == 0)
		ciphers = "ALL:!aNULL:!eNULL";
	if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return tlsload_fail(error, "failed to set the ciphers", ciphers);
	if (spec->suites != NULL && spec->suites[0] != '\0' && SSL_CTX_set_ciphersuites(ctx, spec->suites) != 1)
		return tlsload_fail(error, "failed to set the TLSv1.3 cipher suites", spec->suites);
	if (curve[0] != '\0' && strcmp(curve, "auto") != 0 && strcmp(curve, "none") != 0 &&
	    SSL_CTX_set1_groups_list(ctx, curve) != 1)
		return tlsload_fail(error, "failed to set the curve", curve);
	if (dh[0] == '\0' || strcmp(dh, "auto") == 0 || strcmp(dh, "legacy") == 0)
		(void)SSL_CTX_set_dh_auto(ctx, 1);
	else if (strcmp(dh, "none") != 0) {
		snprintf(error, TLSCTX_ERROR_MAX, "invalid DH parameters \"%s\": use auto, none or legacy", dh);
		return -1;
	}
	return 0;
}

static int tlsload_fill(SSL_CTX *ctx, const struct tlsload *from, char *error)
{
	const struct tlsctx_spec *spec = &from->spec;
	int verify = SSL_VERIFY_NONE;

	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					       SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
	if (spec->uses_kernel)
		(void)SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (tlsload_rules(ctx, spec, error) < 0)
		return -1;
	if (from->cert.len > 0 && tlsload_cert(ctx, from, error) < 0)
		return -1;
	/* files that are given must be good, though nobody may be asked yet */
	if ((spec->peer != TLSCTX_PEER_FREE || (spec->is_server && from->ca.len > 0)) &&
	    (tlsload_authorities(ctx, from, error) < 0 || (from->crl.len > 0 && tlsload_revoked(ctx, from, error) < 0)))
		return -1;
	if (spec->peer != TLSCTX_PEER_FREE) {
		verify = SSL_VERIFY_PEER;
		if (spec->is_server && spec->peer == TLSCTX_PEER_REQUIRED)
			verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	}
	SSL_CTX_set_verify(ctx, verify, NULL);
	return 0;
}

struct ssl_ctx_st *tlsload_make(const struct tlsload *from, char error[TLSCTX_ERROR_MAX])
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(from->spec.is_server ? TLS_server_method() : TLS_client_method());
	if (ctx == NULL) {
		(void)tlsload_fail(error, "cannot begin", "TLS");
		return NULL;
	}
	if (tlsload_fill(ctx, from, error) < 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}
