/*
 * tlsout.c - the way out of a TLS stream.
 */
#include "net/tlsout.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/tls_impl.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/uio.h>

#define TLSOUT_VECTORS 64

static size_t tlsout_plain(const struct conn *c)
{
	return c->out_bytes - c->tls->cipher_bytes;
}

/* Plain text for one record: as it lies, or gathered in room. */
static size_t tlsout_gather(struct iovec **vec, const struct iovec *end, uint8_t room[TLS_RECORD], const uint8_t **from)
{
	bool is_whole = (*vec)->iov_len >= TLS_RECORD || *vec + 1 == end;
	size_t n = 0;

	*from = is_whole ? (*vec)->iov_base : room;
	while (*vec < end && n < TLS_RECORD) {
		struct iovec *v = *vec;
		size_t k = v->iov_len < TLS_RECORD - n ? v->iov_len : TLS_RECORD - n;

		if (!is_whole)
			memcpy(room + n, v->iov_base, k);
		n += k;
		v->iov_base = (uint8_t *)v->iov_base + k;
		v->iov_len -= k;
		if (v->iov_len == 0)
			(*vec)++;
	}
	return n;
}

/* Encrypts about TLS_BATCH bytes of the queue's front, in records as large as may be. */
static void tlsout_seal(struct conn *c)
{
	struct tls *t = c->tls;
	uint8_t room[TLS_RECORD];
	struct iovec vec[TLSOUT_VECTORS], *at = vec;
	const struct iovec *end = vec + outq_vectors(&c->out, vec, TLSOUT_VECTORS);
	size_t *former = mem_charge(&t->memory);

	while (at < end && t->sealed < TLS_BATCH) {
		const uint8_t *from;
		size_t n = tlsout_gather(&at, end, room, &from), done;

		ERR_clear_error();
		if (SSL_write_ex(t->ssl, from, n, &done) != 1) {
			tls_fail(c);
			break;
		}
		CHECK(done == n);
		t->sealed += n;
		c->out_bytes -= n;
	}
	(void)mem_charge(former);
}

int tlsout_vectors(struct conn *c, struct iovec *vec, int max)
{
	struct tls *t = c->tls;

	if (t->is_secured && !t->is_broken && t->sealed == 0 && t->cipher_bytes < TLS_BATCH && tlsout_plain(c) > 0)
		tlsout_seal(c);
	return outq_vectors(&t->cipher, vec, max);
}

void tlsout_done(struct conn *c, size_t n)
{
	struct tls *t = c->tls;

	t->cipher_bytes -= n;
	outq_consume(&t->cipher, c->loop, n);
	if (t->sealed > 0 && n > 0) {
		outq_consume(&c->out, c->loop, t->sealed);
		t->sealed = 0;
	}
}

size_t tlsout_untaken(const struct conn *c)
{
	return tlsout_plain(c) + c->tls->sealed;
}

void tlsout_drop(struct conn *c)
{
	struct tls *t = c->tls;

	/* what follows a gap could not be read */
	t->is_broken |= t->cipher_bytes > 0;
	outq_drop(&t->cipher, c->loop);
	t->cipher_bytes = t->sealed = 0;
}

bool tlsout_bye(struct conn *c)
{
	struct tls *t = c->tls;

	if (!t->is_secured || t->is_broken || t->said_bye)
		return false;
	t->said_bye = true;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	return t->cipher_bytes > 0;
}
