/*
 * fuzz_tls.c - F-17: records cut, damaged, stuffed and interleaved with what the owner of the stream does.
 *
 * The input is a script for a client of OpenSSL's own, the wire in between and our side.  As long as nothing
 * was damaged each side has read a beginning of what the other has written, and in the end all of it.
 */
#include "base/buf.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/outgo.h"
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define FUZZ_BYTES_MAX ((size_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct {
	struct loop loop;
	struct conn conn;
	bool is_attached, is_blocked, is_damaged, has_ended, is_taken;
	struct buf got;		       /* plain text our side has read */
	struct buf to_us, to_client;   /* the wire */
	struct buf client_got;
	size_t said, client_said;
	SSL *client;
	BIO *in, *out;
} f;

static struct tlsctx *server_ctx;
static SSL_CTX *client_ctx;

/* ---- an engine without a kernel ---- */

static int fuzz_zero(struct loop *loop FX_UNUSED)
{
	return 0;
}

static void fuzz_nothing(struct loop *loop FX_UNUSED)
{
}

static void fuzz_timer(struct loop *loop FX_UNUSED, uint64_t due FX_UNUSED)
{
}

static uint64_t fuzz_now(struct loop *loop FX_UNUSED)
{
	return 1;
}

static int fuzz_attach(struct conn *c FX_UNUSED)
{
	f.is_attached = true;
	return 0;
}

static void fuzz_detach(struct conn *c FX_UNUSED)
{
	f.is_attached = false;
}

static void fuzz_interest(struct conn *c)
{
	c->is_stopped = !conn_wants_read(c);
}

static void fuzz_flush(struct conn *c)
{
	struct iovec vec[16];
	int k;

	while (!f.is_blocked && (k = outgo_vectors(c, vec, 16)) > 0) {
		size_t n = 0;

		for (int i = 0; i < k; i++) {
			CHECK(buf_append(&f.to_client, vec[i].iov_base, vec[i].iov_len) == 0);
			n += vec[i].iov_len;
		}
		conn_output_done(c, n);
	}
	c->is_blocked = f.is_blocked && c->out_bytes > 0;
}

static void fuzz_conn_nothing(struct conn *c FX_UNUSED)
{
}

static const struct engine_ops fuzz_ops = {
	.name = "fuzz", .init = fuzz_zero, .fini = fuzz_nothing, .run = fuzz_nothing, .stop = fuzz_nothing, .wake = fuzz_nothing,
	.set_timer = fuzz_timer, .now = fuzz_now, .attach = fuzz_attach, .detach = fuzz_detach, .interest = fuzz_interest,
	.flush = fuzz_flush, .push = fuzz_flush, .shutdown = fuzz_conn_nothing, .close = fuzz_detach,
};

/* ---- our side ---- */

static size_t fuzz_on_bytes(struct conn *c FX_UNUSED, struct chunk *chunk FX_UNUSED, const uint8_t *data, size_t n)
{
	CHECK(!c->is_paused && buf_append(&f.got, data, n) == 0);
	return n;
}

static void fuzz_on_closed(struct conn *c, enum conn_end end, int err FX_UNUSED)
{
	CHECK(!f.has_ended);
	CHECK(end != CONN_END_TLS || strlen(tls_error(c)) > 0);
	f.has_ended = true;
}

static const struct conn_ops fuzz_conn_ops = {
	.on_bytes = fuzz_on_bytes, .on_drained = fuzz_conn_nothing, .on_closed = fuzz_on_closed, .on_secured = fuzz_conn_nothing,
};

/* ---- once ---- */

static const char *fuzz_file(void (*write)(FILE *to, void *what), void *what)
{
	static char path[2][64];
	static int n;
	int fd = memfd_create("pem", 0);
	FILE *to = fdopen(fd, "w");

	write(to, what);
	CHECK(fflush(to) == 0);
	snprintf(path[n], sizeof(path[n]), "/proc/self/fd/%d", fd);
	return path[n++];
}

static void fuzz_write_cert(FILE *to, void *what)
{
	CHECK(PEM_write_X509(to, what) == 1);
}

static void fuzz_write_key(FILE *to, void *what)
{
	CHECK(PEM_write_PrivateKey(to, what, NULL, NULL, 0, NULL, NULL) == 1);
}

static void fuzz_begin_once(void)
{
	static const struct log_settings silent;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	char error[TLSCTX_ERROR_MAX];
	struct tlsctx_spec spec = {.is_server = true};

	(void)log_configure(&silent, NULL, 0);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), -1000);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), 1000000);
	(void)X509_set_pubkey(x, key);
	CHECK(X509_sign(x, key, EVP_sha256()) > 0);
	spec.cert_file = fuzz_file(fuzz_write_cert, x);
	spec.key_file = fuzz_file(fuzz_write_key, key);
	X509_free(x);
	EVP_PKEY_free(key);
	server_ctx = tlsctx_load(&spec, NULL, NULL, error);
	client_ctx = SSL_CTX_new(TLS_client_method());
	CHECK(server_ctx != NULL && client_ctx != NULL);
}

/* ---- the script ---- */

static void fuzz_turn(void)
{
	loop_turn_begin(&f.loop);
	loop_turn_end(&f.loop);
}

static void fuzz_deliver(size_t n)
{
	struct conn *c = &f.conn;

	if (n > f.to_us.len)
		n = f.to_us.len;
	while (n > 0 && c->is_open && conn_wants_read(c)) {
		size_t room;
		uint8_t *to = loop_read_room(&f.loop, &room);

		if (room > conn_read_max(c))
			room = conn_read_max(c);
		if (room > n)
			room = n;
		memcpy(to, f.to_us.data, room);
		memmove(f.to_us.data, f.to_us.data + room, f.to_us.len - room);
		f.to_us.len -= room;
		n -= room;
		conn_input(c, f.loop.rx, to, room);
	}
	fuzz_turn();
}

/* the client reads what has come, does its handshake, and what it says goes to the wire */
static void fuzz_client(void)
{
	uint8_t room[4096];
	int n;

	if (f.to_client.len > 0)
		(void)BIO_write(f.in, f.to_client.data, (int)f.to_client.len);
	f.to_client.len = 0;
	ERR_clear_error();
	(void)SSL_do_handshake(f.client);
	while ((n = SSL_read(f.client, room, sizeof(room))) > 0)
		CHECK(buf_append(&f.client_got, room, (size_t)n) == 0);
	while ((n = BIO_read(f.out, room, sizeof(room))) > 0)
		CHECK(buf_append(&f.to_us, room, (size_t)n) == 0);
	ERR_clear_error();
}

static uint8_t fuzz_text(size_t at)
{
	return (uint8_t)(at * 131 >> 3);
}

static void fuzz_say(bool client, size_t n)
{
	uint8_t text[32768];
	size_t *at = client ? &f.client_said : &f.said, done = 0;

	for (size_t i = 0; i < n; i++)
		text[i] = fuzz_text(*at + i);
	if (!client) {
		if (!f.conn.is_open || f.conn.is_securing || f.conn.wants_shutdown || f.has_ended || f.is_taken)
			return;
		conn_send(&f.conn, text, n, NULL);
		*at += n;
	} else if (SSL_is_init_finished(f.client) && SSL_write_ex(f.client, text, n, &done) == 1) {
		*at += done;
	}
	fuzz_client();
	fuzz_turn();
}

static void fuzz_owner(uint8_t what)
{
	struct buf back;

	switch (what % 8) {
	case 0:
		conn_pause(&f.conn, 0);
		break;
	case 1:
		conn_pause(&f.conn, 100);
		break;
	case 2:
	case 3:
		conn_resume(&f.conn);
		break;
	case 4:
		conn_shutdown(&f.conn);
		break;
	case 5:
		buf_init(&back, FUZZ_BYTES_MAX);
		f.is_taken |= conn_take_out(&f.conn, &back) > 0;
		buf_fini(&back);
		break;
	case 6:
		(void)SSL_key_update(f.client, SSL_KEY_UPDATE_REQUESTED);
		break;
	default:
		(void)SSL_shutdown(f.client);
		break;
	}
	fuzz_client();
	fuzz_turn();
}

static void fuzz_damage(uint8_t op, uint8_t k)
{
	uint8_t junk[3] = {k, op, 0};

	if (op & 1) {
		CHECK(buf_append(&f.to_us, junk, sizeof(junk)) == 0);
	} else if (f.to_us.len > 0) {
		f.to_us.data[k % f.to_us.len] ^= (uint8_t)(1 + (op >> 4));
	} else {
		return;
	}
	f.is_damaged = true;
}

static void fuzz_step(uint8_t op, uint8_t k)
{
	switch (op % 8) {
	case 0:
		fuzz_deliver(k + 1u);
		break;
	case 1:
		fuzz_deliver(SIZE_MAX);
		break;
	case 2:
		fuzz_say(true, 1u + k * 77u);
		break;
	case 3:
		fuzz_say(false, 1u + k * 77u);
		break;
	case 4:
		f.is_blocked = !f.is_blocked;
		if (!f.is_blocked && f.conn.is_open)
			fuzz_flush(&f.conn);
		break;
	case 5:
		fuzz_owner(k);
		break;
	case 6:
		if (k >= 200)
			fuzz_damage(op, k);
		break;
	default:
		fuzz_client();
		break;
	}
}

static void fuzz_compare(const struct buf *got, size_t said)
{
	CHECK(got->len <= said);
	for (size_t i = 0; i < got->len; i++)
		CHECK(got->data[i] == fuzz_text(i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (server_ctx == NULL)
		fuzz_begin_once();
	memset(&f, 0, sizeof(f));
	buf_init(&f.got, FUZZ_BYTES_MAX);
	buf_init(&f.to_us, FUZZ_BYTES_MAX);
	buf_init(&f.to_client, FUZZ_BYTES_MAX);
	buf_init(&f.client_got, FUZZ_BYTES_MAX);
	CHECK(loop_init(&f.loop, &fuzz_ops, 0, NULL) == 0);
	CHECK(conn_open(&f.conn, &f.loop, 1000000, &fuzz_conn_ops) == 0);
	CHECK(tls_start(&f.conn, &(struct tls_ask){.ctx = server_ctx}) == 0);
	f.client = SSL_new(client_ctx);
	f.in = BIO_new(BIO_s_mem());
	f.out = BIO_new(BIO_s_mem());
	SSL_set_bio(f.client, f.in, f.out);
	SSL_set_connect_state(f.client);
	/* most scripts begin behind the handshake */
	if (n > 0 && data[0] & 1) {
		for (int i = 0; i < 4; i++) {
			fuzz_client();
			fuzz_deliver(SIZE_MAX);
		}
		CHECK(!f.conn.is_securing);
	}
	if (n > 0 && data[0] & 2)
		(void)SSL_set_max_proto_version(f.client, TLS1_2_VERSION);
	for (size_t i = 1; i + 1 < n && i < 400; i += 2)
		fuzz_step(data[i], data[i + 1]);
	f.is_blocked = false;
	conn_resume(&f.conn);
	for (int i = 0; i < 6; i++) {
		if (f.conn.is_open)
			fuzz_flush(&f.conn);
		fuzz_client();
		fuzz_deliver(SIZE_MAX);
	}
	fuzz_compare(&f.got, f.client_said);
	fuzz_compare(&f.client_got, f.said);
	if (!f.is_damaged && !f.has_ended && !f.is_taken && !f.conn.wants_shutdown)
		CHECK(f.got.len == f.client_said && f.client_got.len == f.said);
	conn_close(&f.conn);
	fuzz_turn();
	loop_fini(&f.loop);
	SSL_free(f.client);
	buf_fini(&f.got);
	buf_fini(&f.to_us);
	buf_fini(&f.to_client);
	buf_fini(&f.client_got);
	return 0;
}
