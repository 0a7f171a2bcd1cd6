/*
 * test_binding.c - SCRAM-SHA-256-PLUS: both sides of a login on one channel, on two, and with somebody between them.
 */
#include "logins.h"

#include "test/unit/base/suite.h"

#define USER "alice"

static const struct scram_binding none = {.len = 0};
static const struct scram_binding here = {.data = "hash of the certificate", .len = 32};
static const struct scram_binding there = {.data = "hash of another one", .len = 32};
static const struct scram_binding longer = {.data = "hash of the certificate", .len = 48};

static struct credential known;

static void setup(void)
{
	logins_setup();
	known = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
}

static void setup_elsewhere(void)
{
	setup();
	logins_cache.here_max = 1;
}

static void teardown(void)
{
	credential_fini(&known);
	logins_teardown();
}

static struct clientauth *judge_of(const struct scram_binding *binding)
{
	struct clientauth *a = clientauth_new(&(struct clientauth_ask){.method = CLIENTAUTH_SCRAM,
		.user = USER, .credential = &known, .cache = &logins_cache, .scram_iterations = 16, .binding = *binding});

	ck_assert_ptr_nonnull(a);
	return a;
}

static struct serverauth *prover_of(const struct scram_binding *binding)
{
	struct serverauth *a = serverauth_new(
		&(struct serverauth_ask){.user = USER, .credential = &known, .cache = &logins_cache, .binding = *binding});

	ck_assert_ptr_nonnull(a);
	return a;
}

START_TEST(both_sides)
{
	static const struct {
		const struct scram_binding *judge, *prover;
		const char *method; /* NULL: refused */
		const char *detail;
	} row[] = {
		{&none, &none, "scram-sha-256", NULL},
		{&here, &here, "scram-sha-256-plus", NULL},
		{&longer, &longer, "scram-sha-256-plus", NULL},
		{&here, &none, "scram-sha-256", NULL}, /* a client that knows nothing of it */
		{&none, &here, "scram-sha-256", NULL}, /* a server that offers none: "y" */
		{&here, &there, NULL, "unexpected SCRAM channel-binding attribute in client-final-message"},
		{&here, &longer, NULL, "unexpected SCRAM channel-binding attribute in client-final-message"},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct clientauth *judge = judge_of(row[i].judge);
		struct serverauth *prover = prover_of(row[i].prover);
		struct logins_talk talk = logins_run(judge, prover);

		ck_assert_msg(talk.client == (row[i].method != NULL ? CLIENTAUTH_OK : CLIENTAUTH_FAILED), "row %zu", i);
		if (row[i].method != NULL) {
			ck_assert_int_eq(talk.server, SERVERAUTH_OK);
			ck_assert_str_eq(clientauth_method_name(judge), row[i].method);
		} else {
			ck_assert_str_eq(clientauth_detail(judge), row[i].detail);
		}
		clientauth_free(judge);
		serverauth_free(prover);
	}
}
END_TEST

/* What the judge offers, and how it takes each beginning. */
static const char *begin(const struct scram_binding *binding, const char *mechanism, const char *first)
{
	struct clientauth *judge = judge_of(binding);
	enum clientauth_verdict verdict;
	struct buf down, up;
	const char *why;
	uint8_t *body;
	size_t n;

	buf_init(&down, 0);
	buf_init(&up, 0);
	ck_assert_int_eq(clientauth_start(judge, &down), CLIENTAUTH_MORE);
	body = logins_take(&down, 'R', &n);
	if (binding->len > 0) {
		ck_assert_uint_eq(n, 4 + 19 + 14 + 1);
		ck_assert_mem_eq(body + 4, "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0", 33);
	} else {
		ck_assert_uint_eq(n, 4 + 14 + 1);
		ck_assert_mem_eq(body + 4, "SCRAM-SHA-256\0", 15);
	}
	free(body);
	(void)buf_append_cstr(&up, mechanism);
	(void)buf_append_u32(&up, (uint32_t)strlen(first));
	(void)buf_append_str(&up, first);
	verdict = logins_judge(judge, up.data, up.len, &down);
	why = verdict == CLIENTAUTH_MORE ? "" : clientauth_detail(judge);
	buf_fini(&down);
	buf_fini(&up);
	clientauth_free(judge);
	return why;
}

START_TEST(beginnings)
{
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abcdefgh"), "");
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256", "n,,n=,r=abcdefgh"), "");
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256", "y,,n=,r=abcdefgh"),
		"client was made to believe that channel binding is not offered");
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abcdefgh"),
		"client selected SCRAM-SHA-256 without channel binding, but its message has it");
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256-PLUS", "n,,n=,r=abcdefgh"),
		"client selected SCRAM-SHA-256-PLUS, but its message is without channel binding");
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256-PLUS", "y,,n=,r=abcdefgh"),
		"client selected SCRAM-SHA-256-PLUS, but its message is without channel binding");
	ck_assert_str_eq(begin(&here, "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=abcdefgh"),
		"unsupported SCRAM channel-binding type");
	ck_assert_str_eq(begin(&none, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abcdefgh"),
		"unknown SASL mechanism");
	ck_assert_str_eq(begin(&none, "SCRAM-SHA-256", "y,,n=,r=abcdefgh"), "");
	ck_assert_str_eq(begin(&none, "SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abcdefgh"),
		"client requires SCRAM channel binding, but it is not supported");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		both_sides,
		beginnings,
	};
	Suite *s = suite_create("binding");

	suite_add(s, "here", setup, teardown, tests, ARRAY_LEN(tests));
	suite_add(s, "elsewhere", setup_elsewhere, teardown, tests, ARRAY_LEN(tests));
	return suite_run(s);
}
