/*
 * tlspeer.c - who is at the other end of a TLS connection, by its certificate.
 */
#include "net/tlspeer.h"

#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

/* lent; NULL: none that was checked */
static X509 *tlspeer_cert(const struct conn *c)
{
	SSL *ssl;

	if (c->tls == NULL || c->is_securing)
		return NULL;
	ssl = tls_handle(c);
	if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0 || SSL_get_verify_result(ssl) != X509_V_OK)
		return NULL;
	return SSL_get0_peer_certificate(ssl);
}

bool tlspeer_is_known(const struct conn *c)
{
	return tlspeer_cert(c) != NULL;
}

bool tlspeer_common_name(const struct conn *c, char *out, size_t size)
{
	X509 *x = tlspeer_cert(c);
	X509_NAME *subject = x != NULL ? X509_get_subject_name(x) : NULL;
	int at = subject != NULL ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
	unsigned char *text = NULL;
	bool ok;
	int n;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return false;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	ok = n > 0 && (size_t)n < size && memchr(text, 0, (size_t)n) == NULL;
	if (ok) {
		memcpy(out, text, (size_t)n);
		out[n] = '\0';
	}
	OPENSSL_free(text);
	ERR_clear_error();
	return ok;
}

bool tlspeer_subject(const struct conn *c, char *out, size_t size)
{
	X509 *x = tlspeer_cert(c);
	BIO *to = x != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *text;
	bool ok;
	long n;

	if (to == NULL)
		return false;
	ok = X509_NAME_print_ex(to, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) > 0;
	n = BIO_get_mem_data(to, &text);
	ok = ok && n > 0 && (size_t)n < size && memchr(text, 0, (size_t)n) == NULL;
	if (ok) {
		memcpy(out, text, (size_t)n);
		out[n] = '\0';
	}
	BIO_free(to);
	ERR_clear_error();
	return ok;
}

size_t tlspeer_binding(const struct conn *c, uint8_t out[TLSPEER_BINDING_MAX])
{
	SSL *ssl = c->tls != NULL && !c->is_securing ? tls_handle(c) : NULL;
	X509 *x = ssl == NULL ? NULL : SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	int digest;
	const EVP_MD *md;
	unsigned n = 0;

	_Static_assert(TLSPEER_BINDING_MAX >= EVP_MAX_MD_SIZE, "TLSPEER_BINDING_MAX");
	if (x == NULL || X509_get_signature_info(x, &digest, NULL, NULL, NULL) != 1 || digest == NID_undef)
		return 0;
	/* section 4.1: the hash of its signature, but never a weak one */
	md = EVP_get_digestbynid(digest == NID_md5 || digest == NID_sha1 ? NID_sha256 : digest);
	if (md == NULL || X509_digest(x, md, out, &n) != 1)
		return 0;
	return n;
}
