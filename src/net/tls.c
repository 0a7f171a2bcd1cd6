/*
 * tls.c - TLS as a stream on top of a conn.
 *
 * OpenSSL reads from a slice that has just arrived and writes to a queue; it
 * never sees an fd.  The error queue of the thread is cleared before each call,
 * or one connection's failure would be taken for another's.
 */
#include "net/tls.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/tickets.h"
#include "net/tls_impl.h"
#include "net/tlskernel.h"
#include "net/tlslate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static int tls_bio_write(BIO *b, const char *data, size_t n, size_t *done)
{
	struct tls *t = BIO_get_data(b);

	if (t->is_kernels) {
		*done = n;
		return tlskernel_write(t, data, n);
	}
	if (t->cipher_bytes > TLS_PENDING_MAX)
		return 0;
	outq_add_copy(&t->cipher, t->conn->loop, (const uint8_t *)data, n);
	t->cipher_bytes += n;
	t->conn->out_bytes += n;
	*done = n;
	return 1;
}

static int tls_bio_read(BIO *b, char *to, size_t n, size_t *done)
{
	struct tls *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (n > t->in_len)
		n = t->in_len;
	if (n == 0) {
		BIO_set_retry_read(b);
		return 0;
	}
	memcpy(to, t->in, n);
	t->in += n;
	t->in_len -= n;
	*done = n;
	return 1;
}

static long tls_bio_ctrl(BIO *b, int what, long n, void *p)
{
	return what == BIO_CTRL_FLUSH ? 1 : tlskernel_control(BIO_get_data(b), what, n, p);
}

struct bio_method_st *tls_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");

	if (m == NULL)
		return NULL;
	(void)BIO_meth_set_write_ex(m, tls_bio_write);
	(void)BIO_meth_set_read_ex(m, tls_bio_read);
	(void)BIO_meth_set_ctrl(m, tls_bio_ctrl);
	return m;
}

static const unsigned char tls_alpn[] = {10, 'p', 'o', 's', 't', 'g', 'r', 'e', 's', 'q', 'l'};

/* whoever offers protocols must offer ours: else a browser could be made to talk to us */
static int tls_on_alpn(SSL *ssl FX_UNUSED, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		       unsigned in_len, void *arg FX_UNUSED)
{
	unsigned char *found;

	if (SSL_select_next_proto(&found, out_len, tls_alpn, sizeof(tls_alpn), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

void tls_install_alpn(struct ssl_ctx_st *ctx)
{
	SSL_CTX_set_alpn_select_cb(ctx, tls_on_alpn, NULL);
}

static bool tls_is_address(const char *host)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

/* whom we expect to answer */
static int tls_name(SSL *ssl, const struct tls_ask *ask)
{
	bool is_address;

	if (ask->wants_alpn && SSL_set_alpn_protos(ssl, tls_alpn, sizeof(tls_alpn)) != 0)
		return -1;
	if (ask->host == NULL)
		return ask->verifies_host ? -1 : 0;
	is_address = tls_is_address(ask->host);
	if (!is_address && SSL_set_tlsext_host_name(ssl, ask->host) != 1)
		return -1;
	if (!ask->verifies_host)
		return 0;
	if (is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), ask->host) == 1 ? 0 : -1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, ask->host) == 1 ? 0 : -1;
}

static SSL *tls_ssl(struct tls *t, const struct tls_ask *ask, unsigned loop)
{
	SSL_CTX *ctx = tlsctx_of(ask->ctx, loop);
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	BIO *bio = ssl != NULL ? BIO_new(tlsctx_method(ask->ctx)) : NULL;

	if (bio == NULL) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	if (tlsctx_is_server(ask->ctx)) {
		SSL_set_accept_state(ssl);
		tickets_begin(ssl);
		return ssl;
	}
	SSL_set_connect_state(ssl);
	if (tls_name(ssl, ask) == 0)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

void tls_forget(struct conn *c, bool on)
{
	if (c->tls == NULL)
		return;
	if (on)
		(void)SSL_set_options(c->tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
	else
		(void)SSL_clear_options(c->tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

static void tls_end(struct conn *c, const char *why)
{
	struct tls *t = c->tls;

	t->is_broken = true;
	if (t->error == NULL)
		t->error = mem_try_strdup(why);
	/* an alert that says why */
	if (t->cipher_bytes > 0 && t->cipher_bytes <= TLS_PENDING_MAX)
		conn_flush(c);
	conn_end_later(c, CONN_END_TLS);
}

void tls_fail(struct conn *c)
{
	struct tls *t = c->tls;
	char why[TLS_ERROR_MAX], text[TLS_ERROR_MAX + 100];
	long verdict = SSL_get_verify_result(t->ssl);

	tlsctx_error(why, sizeof(why));
	if (verdict != X509_V_OK && !t->is_secured) {
		snprintf(text, sizeof(text), "%s: %s", why, X509_verify_cert_error_string(verdict));
		tls_end(c, text);
	} else {
		tls_end(c, why);
	}
}

/* One step of the handshake.  true: it is done. */
static bool tls_handshake(struct conn *c)
{
	struct tls *t = c->tls;
	size_t *former;
	int rc;

	ERR_clear_error();
	former = mem_charge(&t->memory);
	rc = SSL_do_handshake(t->ssl);
	(void)mem_charge(former);
	if (t->cipher_bytes > 0)
		loop_mark_dirty(c->loop, c);
	if (rc != 1) {
		if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ)
			tls_fail(c);
		return false;
	}
	if (t->wants_alpn && !tls_has_alpn(c)) {
		tls_end(c, "the server did not agree to ALPN \"postgresql\"");
		return false;
	}
	t->is_secured = true;
	c->is_securing = false;
	return true;
}

int tls_start(struct conn *c, const struct tls_ask *ask)
{
	struct tls *t = mem_try_zalloc(sizeof(*t));
	size_t *former;

	CHECK(c->is_open && !c->is_connecting && c->tls == NULL);
	if (t == NULL)
		return -1;
	ERR_clear_error();
	t->conn = c;
	former = mem_charge(&t->memory);
	t->ssl = tls_ssl(t, ask, c->loop->index);
	(void)mem_charge(former);
	if (t->ssl == NULL) {
		ERR_clear_error();
		mem_free(t);
		return -1;
	}
	t->ctx = tlsctx_ref(ask->ctx);
	t->is_client = !tlsctx_is_server(ask->ctx);
	dlist_init(&t->late_link);
	buf_init(&t->late, 0);
	t->wants_alpn = ask->wants_alpn;
	t->cipher = c->out;
	t->cipher_bytes = c->out_bytes;
	c->out = (struct outq){.head = NULL};
	c->tls = t;
	c->is_securing = true;
	if (t->is_client)
		(void)tls_handshake(c);
	return 0;
}

#define TLS_IS_DRY (-2) /* nothing is left of what has arrived; OpenSSL says nothing like it */

/* As much of the plain text as there is room for, at the loop's reading place; the bytes got, and in *rc what
 * OpenSSL said last, or TLS_IS_DRY. */
static size_t tls_read(struct tls *t, uint8_t *to, size_t room, int *rc)
{
	size_t got = 0, n, *former = mem_charge(&t->memory);

	do {
		ERR_clear_error();
		*rc = SSL_read_ex(t->ssl, to + got, room - got, &n);
		got += *rc == 1 ? n : 0;
		/* no use in asking for more */
		if (*rc == 1 && t->in_len == 0 && SSL_has_pending(t->ssl) == 0)
			*rc = TLS_IS_DRY;
	} while (*rc == 1 && room - got >= TLS_RECORD);
	(void)mem_charge(former);
	return got;
}

/* SSL_read has given nothing more */
static void tls_dry(struct conn *c, int rc)
{
	struct tls *t = c->tls;

	switch (rc == TLS_IS_DRY ? SSL_ERROR_WANT_READ : SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		if (t->cipher_bytes > TLS_PENDING_MAX)
			tls_end(c, "the peer asks for answers and does not read them");
		else if (t->idle_bytes > TLS_IDLE_MAX)
			tls_end(c, "the peer sends nothing but new keys or empty records");
		break;
	case SSL_ERROR_ZERO_RETURN:
		conn_end_later(c, CONN_END_EOF);
		break;
	default:
		tls_fail(c);
		break;
	}
}

static void tls_drain(struct conn *c, struct loop *loop)
{
	int rc;

	do {
		size_t room, got;
		uint8_t *to = loop_read_room(loop, &room);

		got = tls_read(c->tls, to, room, &rc);
		if (got > 0)
			c->tls->idle_bytes = 0;
		/* tickets and new keys are answered */
		if (c->tls->cipher_bytes > 0)
			loop_mark_dirty(loop, c);
		if (rc != 1)
			tls_dry(c, rc);
		if (got > 0 && !conn_take(c, got))
			return;
	} while (rc == 1);
}

void tls_step(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n)
{
	struct loop *loop = c->loop;
	struct chunk *rx = chunk == loop->rx ? chunk : NULL, *gone = NULL;
	size_t pos = loop->rx_pos;
	struct tls *t = c->tls;

	t->in = data;
	t->in_len = n;
	/* plain text comes behind the ciphertext, or into another chunk */
	if (rx == NULL) {
		;
	} else if (CHUNK_SIZE - pos - n >= TLS_RECORD) {
		loop->rx_pos = pos + n;
	} else {
		gone = rx;
		loop->rx = NULL;
	}
	if (t->is_secured)
		t->idle_bytes += n;
	if (!t->is_secured && tls_handshake(c) && c->ops->on_secured != NULL)
		c->ops->on_secured(c);
	if (loop->active == c && c->tls == t && t->is_secured && !t->is_broken)
		tls_drain(c, loop);
	if (gone != NULL)
		chunk_unref(gone);
	else if (rx != NULL && loop->rx == rx && rx->refs == 1)
		loop->rx_pos = pos;
}

void tls_input(struct conn *c, struct chunk *chunk, uint8_t *data, size_t n)
{
	struct tls *t = c->tls;

	if (t->is_broken || t->said_bye)
		return; /* the end is on its way */
	if (t->is_secured || t->is_client || !tlslate_takes(c, data, n))
		tls_step(c, chunk, data, n);
}

void tls_feed(struct conn *c, const uint8_t *data, size_t n)
{
	struct tls *t = c->tls;

	if (!t->is_client && tlslate_takes(c, data, n))
		return;
	t->in = data;
	t->in_len = n;
	/* a first flight only: nothing secured, and nothing after it, can be in it */
	if (tls_handshake(c) || (t->in_len > 0 && !t->is_broken))
		tls_end(c, "data after the first flight of the handshake");
}

void tls_free(struct conn *c)
{
	struct tls *t = c->tls;

	c->tls = NULL;
	c->is_securing = c->is_late = false;
	tlslate_forget(t);
	outq_drop(&t->cipher, c->loop);
	SSL_free(t->ssl);
	tlsctx_unref(t->ctx);
	mem_free(t->error);
	mem_free(t);
}

struct ssl_st *tls_handle(const struct conn *c)
{
	return c->tls->ssl;
}

bool tls_has_alpn(const struct conn *c)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(c->tls->ssl, &name, &n);
	return n == sizeof(tls_alpn) - 1 && memcmp(name, tls_alpn + 1, n) == 0;
}

void tls_describe(const struct conn *c, char *out, size_t size)
{
	SSL *ssl = c->tls != NULL && c->tls->is_secured ? c->tls->ssl : NULL;
	const char *curve = NULL;
	long group;

	if (ssl == NULL) {
		out[0] = '\0';
		return;
	}
	group = SSL_get_negotiated_group(ssl);
	if (group > 0)
		curve = OBJ_nid2sn((int)group);
	ERR_clear_error();
	snprintf(out, size, "%s/%s%s%s", SSL_get_version(ssl), SSL_get_cipher_name(ssl), curve != NULL ? "/ECDH=" : "",
		 curve != NULL ? curve : "");
}

const char *tls_error(const struct conn *c)
{
	return c->tls != NULL && c->tls->error != NULL ? c->tls->error : "TLS failed";
}
