/*
 * tlsctx.c - files and rules of TLS, loaded once and counted.
 */
#include "net/tlsctx.h"

#include "base/mem.h"
#include "base/rnd.h"
#include "base/secret.h"
#include "net/tickets.h"
#include "net/tls.h"
#include "net/tlsload.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TLSCTX_FILE_MAX ((size_t)8 * 1024 * 1024)

struct tlsctx {
	_Atomic unsigned refs;
	struct tlsload from;
	struct secret ticket_secret; /* of a server's; what the keys of tickets are derived from */
	BIO_METHOD *method;
	/* each touched by its own thread */
	SSL_CTX *ctx[TLSCTX_LOOPS];
	struct tickets *tickets[TLSCTX_LOOPS];
};

void tlsctx_error(char *out, size_t size)
{
	unsigned long err = ERR_peek_last_error();
	const char *why = ERR_SYSTEM_ERROR(err) ? strerror(ERR_GET_REASON(err)) : ERR_reason_error_string(err);

	if (why != NULL)
		snprintf(out, size, "%s", why);
	else
		snprintf(out, size, "error %lx", err);
	ERR_clear_error();
}

static int tlsctx_read_all(int fd, struct buf *to)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	for (;;) {
		if (buf_reserve(to, 4096) < 0) {
			errno = EFBIG;
			return -1;
		}
		n = read(fd, to->data + to->len, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		to->len += (size_t)n;
	}
}

static int tlsctx_read(struct buf *to, const char *what, const char *path, char *error)
{
	int fd, rc;

	buf_init(to, TLSCTX_FILE_MAX);
	if (path == NULL || path[0] == '\0')
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	rc = fd < 0 ? -1 : tlsctx_read_all(fd, to);
	if (rc < 0)
		snprintf(error, TLSCTX_ERROR_MAX, "cannot read %s %s: %s", what, path, strerror(errno));
	else if (to->len == 0) {
		snprintf(error, TLSCTX_ERROR_MAX, "cannot use %s %s: it is empty", what, path);
		rc = -1;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static char *tlsctx_dup(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static void tlsctx_take_spec(struct tlsctx_spec *to, const struct tlsctx_spec *from)
{
	*to = *from;
	to->cert_file = tlsctx_dup(from->cert_file);
	to->key_file = tlsctx_dup(from->key_file);
	to->ca_file = tlsctx_dup(from->ca_file);
	to->crl_file = tlsctx_dup(from->crl_file);
	to->protocols = tlsctx_dup(from->protocols);
	to->ciphers = tlsctx_dup(from->ciphers);
	to->suites = tlsctx_dup(from->suites);
	to->curve = tlsctx_dup(from->curve);
	to->dh = tlsctx_dup(from->dh);
}

static void tlsctx_free(struct tlsctx *t)
{
	struct tlsctx_spec *s = &t->from.spec;
	const char *text[] = {s->cert_file, s->key_file, s->ca_file, s->crl_file, s->protocols, s->ciphers,
			      s->suites, s->curve, s->dh};

	for (size_t i = 0; i < TLSCTX_LOOPS; i++) {
		SSL_CTX_free(t->ctx[i]);
		tickets_free(t->tickets[i]);
	}
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		mem_free((void *)(uintptr_t)text[i]);
	buf_fini(&t->from.cert);
	buf_wipe(&t->from.key);
	buf_fini(&t->from.ca);
	buf_fini(&t->from.crl);
	BIO_meth_free(t->method);
	secret_drop(&t->ticket_secret);
	mem_free(t);
}

static bool tlsctx_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool tlsctx_same_bytes(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool tlsctx_is_same(const struct tlsload *a, const struct tlsload *b)
{
	const struct tlsctx_spec *x = &a->spec, *y = &b->spec;

	return x->is_server == y->is_server && x->uses_kernel == y->uses_kernel && x->peer == y->peer && tlsctx_same_text(x->protocols, y->protocols) &&
	       tlsctx_same_text(x->ciphers, y->ciphers) && tlsctx_same_text(x->suites, y->suites) &&
	       tlsctx_same_text(x->curve, y->curve) && tlsctx_same_text(x->dh, y->dh) &&
	       tlsctx_same_bytes(&a->cert, &b->cert) && tlsctx_same_bytes(&a->key, &b->key) &&
	       tlsctx_same_bytes(&a->ca, &b->ca) && tlsctx_same_bytes(&a->crl, &b->crl);
}

/* would a session that was begun under a be begun under b as well? */
static bool tlsctx_same_trust(const struct tlsload *a, const struct tlsload *b)
{
	return a->spec.peer == b->spec.peer && tlsctx_same_bytes(&a->ca, &b->ca) && tlsctx_same_bytes(&a->crl, &b->crl);
}

static bool tlsctx_is_set(const char *s)
{
	return s != NULL && s[0] != '\0';
}

static int tlsctx_fill(struct tlsctx *t, char *error)
{
	const struct tlsctx_spec *s = &t->from.spec;

	if (tlsctx_is_set(s->cert_file) != tlsctx_is_set(s->key_file)) {
		snprintf(error, TLSCTX_ERROR_MAX, "a certificate needs its key and a key its certificate: only %s is set",
			 tlsctx_is_set(s->cert_file) ? s->cert_file : s->key_file);
		return -1;
	}
	return tlsctx_read(&t->from.cert, "certificate file", s->cert_file, error) < 0 ||
			       tlsctx_read(&t->from.key, "key file", s->key_file, error) < 0 ||
			       tlsctx_read(&t->from.ca, "CA file", s->ca_file, error) < 0 ||
			       tlsctx_read(&t->from.crl, "CRL file", s->crl_file, error) < 0
		       ? -1
		       : 0;
}

static SSL_CTX *tlsctx_make(struct tlsctx *t, unsigned index, char *error)
{
	SSL_CTX *ctx = tlsload_make(&t->from, error);

	if (ctx == NULL || !t->from.spec.is_server)
		return ctx;
	tls_install_alpn(ctx);
	t->tickets[index] = tickets_new(ctx, t->ticket_secret.data);
	if (t->tickets[index] != NULL)
		return ctx;
	snprintf(error, TLSCTX_ERROR_MAX, "cannot use AES-256-CBC, which session tickets need");
	SSL_CTX_free(ctx);
	return NULL;
}

/* whoever resumes a session knows nothing of our reload */
static void tlsctx_take_secret(struct tlsctx *t, const struct tlsctx *old)
{
	uint8_t fresh[TICKETS_SECRET_LEN];

	if (old != NULL && old->from.spec.is_server && tlsctx_same_trust(&old->from, &t->from)) {
		secret_set(&t->ticket_secret, old->ticket_secret.data, old->ticket_secret.len);
		return;
	}
	rnd_secure(fresh, sizeof(fresh));
	secret_set(&t->ticket_secret, fresh, sizeof(fresh));
	secret_wipe(fresh, sizeof(fresh));
}

struct tlsctx *tlsctx_load(const struct tlsctx_spec *spec, struct tlsctx *old, struct tlsctx *like,
			   char error[TLSCTX_ERROR_MAX])
{
	struct tlsctx *t = mem_zalloc(sizeof(*t)), *same;

	atomic_init(&t->refs, 1);
	tlsctx_take_spec(&t->from.spec, spec);
	if (tlsctx_fill(t, error) < 0) {
		tlsctx_free(t);
		return NULL;
	}
	same = old != NULL && tlsctx_is_same(&t->from, &old->from)     ? old
	       : like != NULL && tlsctx_is_same(&t->from, &like->from) ? like
								       : NULL;
	if (same != NULL) {
		tlsctx_free(t);
		return tlsctx_ref(same);
	}
	if (spec->is_server)
		tlsctx_take_secret(t, old);
	t->method = tls_method();
	/* this proves that the others can be made */
	t->ctx[0] = t->method != NULL ? tlsctx_make(t, 0, error) : NULL;
	if (t->ctx[0] != NULL)
		return t;
	tlsctx_free(t);
	return NULL;
}

struct tlsctx *tlsctx_ref(struct tlsctx *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tlsctx_unref(struct tlsctx *t)
{
	if (t != NULL && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		tlsctx_free(t);
}

struct ssl_ctx_st *tlsctx_of(struct tlsctx *t, unsigned index)
{
	char error[TLSCTX_ERROR_MAX];

	CHECK(index < TLSCTX_LOOPS);
	if (t->ctx[index] == NULL)
		t->ctx[index] = tlsctx_make(t, index, error);
	return t->ctx[index];
}

struct bio_method_st *tlsctx_method(const struct tlsctx *t)
{
	return t->method;
}

bool tlsctx_is_server(const struct tlsctx *t)
{
	return t->from.spec.is_server;
}
