/*
 * What TLS begins with: files that are wrong, rules that are not understood, names, and tickets as the hours pass.
 */
#include "tlsrig.h"
#include "net/tickets.h"
#include "test/unit/base/suite.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* the whole program's clock */
static time_t hours;

time_t time(time_t *out)
{
	struct timespec now;
	time_t t;

	clock_gettime(CLOCK_REALTIME, &now);
	t = now.tv_sec / 3600 * 3600 + 10 + hours * 3600;
	if (out != NULL)
		*out = t;
	return t;
}

static struct loop loop;
static struct tlsrig_cert cert, other;

static void setup(void)
{
	hours = 0;
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	tlsrig_make(&cert, "localhost", 9, "DNS:localhost");
	tlsrig_make(&other, "other", 5, NULL);
}

static void teardown(void)
{
	loop_fini(&loop);
}

/* ---- files and rules ---- */

static void refuses(struct tlsctx_spec spec, const char *why)
{
	char error[TLSCTX_ERROR_MAX] = "";

	spec.is_server = true;
	if (spec.cert_file == NULL)
		spec.cert_file = cert.cert;
	if (spec.key_file == NULL)
		spec.key_file = cert.key;
	ck_assert_ptr_null(tlsctx_load(&spec, NULL, NULL, error));
	ck_assert_msg(strstr(error, why) != NULL, "\"%s\" lacks \"%s\"", error, why);
}

#define REFUSES(why, ...) refuses((struct tlsctx_spec){__VA_ARGS__}, why)

START_TEST(wrong_files)
{
	REFUSES("cannot read certificate file /nonexistent: No such file", .cert_file = "/nonexistent");
	REFUSES("cannot read key file /nonexistent", .key_file = "/nonexistent");
	REFUSES("Is a directory", .cert_file = "/");
	REFUSES("it is empty", .cert_file = tlsrig_file(""));
	REFUSES("no certificate in it", .cert_file = tlsrig_file("no certificate\n"));
	REFUSES("cannot use certificate file", .cert_file = tlsrig_file("-----BEGIN CERTIFICATE-----\nhalf"));
	REFUSES("cannot use certificate file", .cert_file = tlsrig_file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
	REFUSES("cannot use key file", .key_file = tlsrig_file("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
	REFUSES("cannot use key file", .key_file = cert.cert);
	REFUSES("does not belong to key file", .key_file = other.key);
	REFUSES("only", .key_file = "");
	REFUSES("only", .cert_file = "");
	REFUSES("cannot read CA file", .ca_file = "/nonexistent");
	REFUSES("no certificate in it", .peer = TLSCTX_PEER_MAY, .ca_file = cert.key);
	REFUSES("CRL file", .peer = TLSCTX_PEER_MAY, .ca_file = cert.cert, .crl_file = cert.cert);
}
END_TEST

START_TEST(wrong_rules)
{
	static const char *const bad[] = {"ssl", "tlsv1.2,", "tlsv1.4", "tlsv1.2 tlsv1.3 x", ",", "tlsv1.1", "tlsv1.0,tlsv1.1"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSES("TLS version", .protocols = bad[i]);
	REFUSES("ciphers", .ciphers = "nonsense");
	REFUSES("cipher suites", .suites = "nonsense");
	REFUSES("curve", .curve = "nonsense");
	REFUSES("DH parameters", .dh = "nonsense");
}
END_TEST

START_TEST(the_same_is_the_same_object)
{
	struct tlsctx_spec spec = {.is_server = true, .cert_file = cert.cert, .key_file = cert.key};
	struct tlsctx_spec unlike = {.is_server = true, .cert_file = other.cert, .key_file = other.key};
	char error[TLSCTX_ERROR_MAX];
	struct tlsctx *a = tlsctx_load(&spec, NULL, NULL, error), *b = tlsctx_load(&unlike, a, a, error);
	struct tlsctx *c = tlsctx_load(&spec, b, a, error), *d = tlsctx_load(&unlike, b, a, error);

	ck_assert(a != NULL && b != NULL && a != b);
	ck_assert_ptr_eq(c, a); /* like another one */
	ck_assert_ptr_eq(d, b); /* as before */
	tlsctx_unref(a);
	tlsctx_unref(b);
	tlsctx_unref(c);
	tlsctx_unref(d);
}
END_TEST

/* ---- names ---- */

static const struct {
	const char *cn;
	size_t cn_len;
	const char *san, *host;
	bool good;
} names[] = {
#define CN(s) s, sizeof(s) - 1
	{CN("db.example"), NULL, "db.example", true},
	{CN("db.example"), NULL, "DB.Example", true},
	{CN("db.example"), NULL, "db.example.evil", false},
	{CN("db.example"), NULL, "b.example", false},
	{CN("db.example\0.evil"), NULL, "db.example", false},
	{CN("db.example"), "DNS:else.example", "db.example", false},
	{CN("nobody"), "DNS:else.example,DNS:db.example", "db.example", true},
	{CN("nobody"), "DNS:*.corp.example", "db.corp.example", true},
	{CN("nobody"), "DNS:*.corp.example", "corp.example", false},
	{CN("nobody"), "DNS:*.corp.example", "a.db.corp.example", false},
	{CN("nobody"), "DNS:d*.corp.example", "db.corp.example", false},
	{CN("nobody"), "DNS:*.example", "db.example", false},
	{CN("nobody"), "DNS:db.*.example", "db.corp.example", false},
	{CN("*.corp.example"), NULL, "db.corp.example", true},
	{CN("nobody"), "IP:10.1.2.3", "10.1.2.3", true},
	{CN("nobody"), "IP:10.1.2.3", "10.1.2.4", false},
	{CN("nobody"), "DNS:10.1.2.3", "10.1.2.3", false},
	{CN("10.1.2.3"), NULL, "10.1.2.3", false},
	{CN("nobody"), "IP:::1", "::1", true},
	{CN("nobody"), "IP:::1", "::2", false},
};

START_TEST(name)
{
	struct tlsrig_cert c;
	struct tlsctx *s, *k;
	struct tlsrig_pipe p;

	tlsrig_make(&c, names[_i].cn, names[_i].cn_len, names[_i].san);
	s = tlsrig_server(&c, NULL);
	k = tlsrig_client(&c, NULL);
	tlsrig_begin(&p, &loop, s, k, names[_i].host);
	tlsrig_carry(&p, &loop);
	ck_assert_msg(tlsrig_is_secured(&p.client) == names[_i].good, "row %d: %s", _i, names[_i].host);
	if (!names[_i].good) {
		ck_assert_int_eq(p.client.end, CONN_END_TLS);
		ck_assert_ptr_nonnull(strstr(tls_error(&p.client.conn), "mismatch"));
	}
	tlsrig_end(&p);
	tlsctx_unref(s);
	tlsctx_unref(k);
}
END_TEST

/* ---- tickets ---- */

static void shake(SSL *client, SSL *server)
{
	BIO *a, *b;

	ck_assert_int_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 20 && (!SSL_is_init_finished(client) || !SSL_is_init_finished(server)); i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
	ck_assert(SSL_is_init_finished(client) && SSL_is_init_finished(server));
}

/* A handshake with loop number index of t, under TLS 1.2 (where the ticket comes within); gives the session, and
 * whether old was taken. */
static SSL_SESSION *meet(struct tlsctx *t, unsigned index, SSL_SESSION *old, bool *resumed)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client = SSL_new(ctx), *server = SSL_new(tlsctx_of(t, index));
	SSL_SESSION *got;

	(void)SSL_set_max_proto_version(client, TLS1_2_VERSION);
	if (old != NULL)
		ck_assert_int_eq(SSL_set_session(client, old), 1);
	shake(client, server);
	if (resumed != NULL)
		*resumed = SSL_session_reused(client);
	got = SSL_get1_session(client);
	ck_assert_ptr_nonnull(got);
	(void)SSL_shutdown(client);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	return got;
}

static bool resumes(struct tlsctx *t, unsigned index, SSL_SESSION *s)
{
	bool resumed;

	/* the client's own idea of its age is none of ours */
	SSL_SESSION_set_timeout(s, 1000000);
	SSL_SESSION_free(meet(t, index, s, &resumed));
	return resumed;
}

START_TEST(tickets_of_this_hour_and_the_last)
{
	struct tlsctx *t = tlsrig_server(&cert, NULL);
	SSL_SESSION *s = meet(t, 0, NULL, NULL);

	ck_assert_int_eq(SSL_SESSION_has_ticket(s), 1);
	ck_assert(resumes(t, 0, s));
	for (unsigned i = 1; i < TLSCTX_LOOPS; i += 7)
		ck_assert(resumes(t, i, s));
	hours = 1;
	ck_assert(resumes(t, 0, s) && resumes(t, 1, s));
	hours = 2;
	ck_assert(!resumes(t, 0, s) && !resumes(t, 63, s));
	hours = 0;
	ck_assert(resumes(t, 0, s));
	hours = -1; /* the clock was put back: a key of the future is no key */
	ck_assert(!resumes(t, 0, s));
	SSL_SESSION_free(s);
	tlsctx_unref(t);
}
END_TEST

START_TEST(tickets_after_a_reload)
{
	struct tlsctx_spec spec = {.is_server = true, .cert_file = other.cert, .key_file = other.key};
	struct tlsctx *t = tlsrig_server(&cert, NULL), *same, *strict, *stranger = tlsrig_server(&cert, NULL);
	SSL_SESSION *s = meet(t, 0, NULL, NULL);
	char error[TLSCTX_ERROR_MAX];

	same = tlsctx_load(&spec, t, NULL, error);
	ck_assert(same != NULL && same != t && resumes(same, 0, s));
	ck_assert(!resumes(stranger, 0, s));
	spec.peer = TLSCTX_PEER_MAY;
	spec.ca_file = cert.cert;
	strict = tlsctx_load(&spec, same, NULL, error);
	ck_assert(strict != NULL && !resumes(strict, 0, s));
	SSL_SESSION_free(s);
	tlsctx_unref(t);
	tlsctx_unref(same);
	tlsctx_unref(strict);
	tlsctx_unref(stranger);
}
END_TEST

static SSL_SESSION *given;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(given);
	given = session;
	return 1;
}

/* A handshake under TLS 1.3, where tickets come behind it, with old or NULL, which is taken over; gives a ticket, or NULL. */
static SSL_SESSION *call(struct tlsctx *t, SSL_SESSION *old)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *client, *server = SSL_new(tlsctx_of(t, 0));
	char nothing;

	given = NULL;
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	client = SSL_new(ctx);
	if (old != NULL)
		ck_assert_int_eq(SSL_set_session(client, old), 1);
	tickets_begin(server);
	shake(client, server);
	ck_assert_int_eq(SSL_session_reused(client), old != NULL);
	ck_assert_int_le(SSL_read(client, &nothing, 1), 0);
	(void)SSL_shutdown(client);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	SSL_SESSION_free(old);
	return given;
}

/* how many of n handshakes get one */
static unsigned get_some(struct tlsctx *t, unsigned n)
{
	unsigned got = 0;

	while (n-- > 0) {
		SSL_SESSION *s = call(t, NULL);

		got += s != NULL;
		SSL_SESSION_free(s);
	}
	return got;
}

START_TEST(tickets_that_nobody_wants)
{
	struct tlsctx *t = tlsrig_server(&cert, NULL);
	SSL_SESSION *s = call(t, NULL);

	s = call(t, s);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(get_some(t, TICKETS_IGNORED - 1), TICKETS_IGNORED - 1);
	ck_assert_uint_eq(get_some(t, 4 * TICKETS_RARELY), 4);
	/* somebody does, and all get one again, he first */
	s = call(t, s);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(get_some(t, TICKETS_IGNORED + TICKETS_RARELY), TICKETS_IGNORED);
	/* so does whoever comes with that of the last hour */
	hours = 1;
	SSL_SESSION_set_timeout(s, 1000000); /* the client's own idea of its age */
	s = call(t, s);
	ck_assert_ptr_nonnull(s);
	SSL_SESSION_free(s);
	tlsctx_unref(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tlsctx");
	TCase *t = tcase_create("contract");

	tlsrig_place();
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, wrong_files);
	tcase_add_test(t, wrong_rules);
	tcase_add_test(t, the_same_is_the_same_object);
	tcase_add_loop_test(t, name, 0, (int)(sizeof(names) / sizeof(names[0])));
	tcase_add_test(t, tickets_of_this_hour_and_the_last);
	tcase_add_test(t, tickets_after_a_reload);
	tcase_add_test(t, tickets_that_nobody_wants);
	return suite_run(s);
}
