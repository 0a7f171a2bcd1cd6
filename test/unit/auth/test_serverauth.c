/*
 * test_serverauth.c - proving ourselves to servers, honest and hostile (V-B08, V-B12).
 */
#include "logins.h"

#include "test/unit/base/suite.h"

#define USER "alice"

#define OK        "\0\0\0\0"
#define CLEARTEXT "\0\0\0\3"
#define MD5       "\0\0\0\5salt"
#define SASL      "\0\0\0\x0aSCRAM-SHA-256\0\0"
#define CONTINUE  "\0\0\0\x0b"
#define FINAL     "\0\0\0\x0c"

static struct buf up;

static void setup(void)
{
	logins_setup();
	buf_init(&up, 0);
}

static void setup_elsewhere(void)
{
	setup();
	logins_cache.here_max = 1;
}

static void teardown(void)
{
	buf_fini(&up);
	logins_teardown();
}

static struct serverauth *prover_of(const struct credential *c, unsigned may)
{
	struct serverauth *p = serverauth_new(
		&(struct serverauth_ask){.user = USER, .credential = c, .cache = &logins_cache, .may = may});

	ck_assert_ptr_nonnull(p);
	return p;
}

static enum serverauth_verdict feed(struct serverauth *p, const void *bytes, size_t n)
{
	char *body = malloc(n ? n : 1);
	enum serverauth_verdict verdict;

	memcpy(body, bytes, n);
	verdict = logins_prove(p, body, n, &up);
	free(body);
	if (verdict == SERVERAUTH_FAILED)
		ck_assert_uint_gt(strlen(serverauth_error(p)), 0);
	return verdict;
}

#define FEED(p, bytes) feed(p, bytes, sizeof(bytes) - 1)

/* The first message against a password "pw". */
static enum serverauth_verdict first(const void *bytes, size_t n, unsigned may)
{
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct serverauth *p = prover_of(&c, may);
	enum serverauth_verdict verdict = feed(p, bytes, n);

	serverauth_free(p);
	credential_fini(&c);
	buf_reset(&up);
	return verdict;
}

#define FIRST(bytes) first(bytes, sizeof(bytes) - 1, 0)

START_TEST(trust_and_cleartext)
{
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct serverauth *p = prover_of(&c, 0);

	ck_assert_int_eq(FEED(p, OK), SERVERAUTH_OK);
	ck_assert(!serverauth_has_answered(p));
	ck_assert_int_eq(FEED(p, OK), SERVERAUTH_FAILED);
	serverauth_free(p);
	p = prover_of(&c, 0);
	ck_assert_int_eq(FEED(p, CLEARTEXT), SERVERAUTH_MORE);
	ck_assert_uint_eq(up.len, 8);
	ck_assert_mem_eq(up.data, "p\0\0\0\7pw", 8);
	ck_assert(serverauth_has_answered(p));
	ck_assert_int_eq(FEED(p, OK), SERVERAUTH_OK);
	serverauth_free(p);
	credential_fini(&c);
	serverauth_free(NULL);
}
END_TEST

START_TEST(md5_request)
{
	static const enum credential_kind kinds[] = {CREDENTIAL_PLAIN, CREDENTIAL_MD5};
	char stored[MD5_TEXT_SIZE], expected[MD5_TEXT_SIZE];

	ck_assert_int_eq(md5_stored("pw", 2, USER, stored), 0);
	ck_assert_int_eq(md5_answer(stored, (const uint8_t *)"salt", expected), 0);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct credential c = logins_secret(kinds[i], USER, "pw", 16);
		struct serverauth *p = prover_of(&c, 0);

		ck_assert_int_eq(FEED(p, MD5), SERVERAUTH_MORE);
		ck_assert_uint_eq(up.len, 5 + MD5_TEXT_SIZE);
		ck_assert_str_eq((char *)up.data + 5, expected);
		buf_reset(&up);
		ck_assert_int_eq(FEED(p, OK), SERVERAUTH_OK);
		serverauth_free(p);
		credential_fini(&c);
	}
}
END_TEST

START_TEST(wrong_password_type)
{
	static const struct {
		enum credential_kind kind;
		const char *request;
		size_t n;
	} cases[] = {
		{CREDENTIAL_MD5, CLEARTEXT, 4},
		{CREDENTIAL_SCRAM, CLEARTEXT, 4},
		{CREDENTIAL_SCRAM, MD5, 8},
		{CREDENTIAL_SCRAM, SASL, sizeof(SASL) - 1},
		{CREDENTIAL_MD5, SASL, sizeof(SASL) - 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct credential c = logins_secret(cases[i].kind, USER, "pw", 16);
		struct serverauth *p = prover_of(&c, 0);

		ck_assert_int_eq(feed(p, cases[i].request, cases[i].n), SERVERAUTH_FAILED);
		ck_assert_str_eq(serverauth_error(p), "wrong password type");
		ck_assert_uint_eq(up.len, 0);
		serverauth_free(p);
		credential_fini(&c);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct serverauth *p = prover_of(NULL, 0);

		ck_assert_int_eq(feed(p, cases[i].request, cases[i].n), SERVERAUTH_FAILED);
		ck_assert_ptr_nonnull(strstr(serverauth_error(p), "none is known"));
		serverauth_free(p);
	}
}
END_TEST

START_TEST(malformed_requests) /* V-B08 */
{
	ck_assert_int_eq(FIRST(""), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\0x"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\3x"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\5sal"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\5"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\5salty"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\x0a"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\x0a\0"), SERVERAUTH_FAILED); /* empty list */
	ck_assert_int_eq(FIRST("\0\0\0\x0aSCRAM-SHA-256"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\x0aSCRAM-SHA-256\0"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\x0aSCRAM-SHA-256\0\0x"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST("\0\0\0\x0aSCRAM-SHA-1\0\0"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST(SASL), SERVERAUTH_MORE);
	ck_assert_int_eq(FIRST("\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"), SERVERAUTH_MORE);
	ck_assert_int_eq(FIRST(CONTINUE "r=abc,s=AAAA,i=1"), SERVERAUTH_FAILED);
	ck_assert_int_eq(FIRST(FINAL "v=AAAA"), SERVERAUTH_FAILED);
}
END_TEST

START_TEST(every_code_as_the_first)
{
	for (unsigned code = 0; code < 256; code++) {
		uint8_t body[8] = {0, 0, 0, (uint8_t)code, 1, 2, 3, 4};
		enum serverauth_verdict short_verdict = first(body, 4, 0), verdict = first(body, 8, 0);

		ck_assert_int_eq(short_verdict, code == 0   ? SERVERAUTH_OK
						: code == 3 ? SERVERAUTH_MORE
							    : SERVERAUTH_FAILED);
		ck_assert_int_eq(verdict, code == 5 ? SERVERAUTH_MORE : SERVERAUTH_FAILED);
	}
}
END_TEST

START_TEST(methods_not_allowed) /* V-B12 */
{
	static const struct {
		const char *request;
		size_t n;
		unsigned may;
	} cases[] = {{OK, 4, SERVERAUTH_MAY_TRUST}, {CLEARTEXT, 4, SERVERAUTH_MAY_CLEARTEXT},
		{MD5, 8, SERVERAUTH_MAY_MD5}, {SASL, sizeof(SASL) - 1, SERVERAUTH_MAY_SCRAM}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned may = 1; may <= SERVERAUTH_MAY_ALL; may++)
			ck_assert_int_eq(first(cases[i].request, cases[i].n, may) != SERVERAUTH_FAILED,
				(may & cases[i].may) != 0);
}
END_TEST

/* A prover that is asked once and refuses; the sentence. */
static void refuses(struct serverauth_ask ask, const void *bytes, size_t n, const char *sentence)
{
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct serverauth *p;

	ask.user = USER;
	ask.credential = &c;
	ask.cache = &logins_cache;
	p = serverauth_new(&ask);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(feed(p, bytes, n), SERVERAUTH_FAILED);
	ck_assert_str_eq(serverauth_error(p), sentence);
	ck_assert_uint_eq(up.len, 0);
	ck_assert(!serverauth_has_answered(p));
	serverauth_free(p);
	credential_fini(&c);
}

#define REFUSES(bytes, sentence, ...) refuses((struct serverauth_ask){__VA_ARGS__}, bytes, sizeof(bytes) - 1, sentence)

START_TEST(requirements_have_sentences)
{
	REFUSES(OK, "authentication method requirement \"md5\" failed: server asked for no proof of who we are",
		.may = SERVERAUTH_MAY_MD5, .requirement = "md5");
	REFUSES(CLEARTEXT, "authentication method requirement \"md5\" failed: server requested a cleartext password",
		.may = SERVERAUTH_MAY_MD5, .requirement = "md5");
	REFUSES(MD5, "authentication method requirement \"!md5\" failed: server requested a password hashed with md5",
		.may = SERVERAUTH_MAY_ALL & ~SERVERAUTH_MAY_MD5, .requirement = "!md5");
	REFUSES(SASL, "server requested SASL authentication", .may = SERVERAUTH_MAY_MD5);
	REFUSES(CLEARTEXT, "server requested a cleartext password, which is not sent: no TLS", .withheld = "no TLS");
	REFUSES(MD5, "server requested a password hashed with md5, which is not sent: no TLS", .withheld = "no TLS");
	/* what is allowed at all comes first */
	REFUSES(MD5, "server requested a password hashed with md5", .may = SERVERAUTH_MAY_SCRAM, .withheld = "no TLS");
}
END_TEST

START_TEST(withheld_is_for_passwords_only)
{
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct serverauth_ask ask = {.user = USER, .credential = &c, .cache = &logins_cache, .withheld = "no TLS"};
	struct serverauth *p = serverauth_new(&ask);

	ck_assert_int_eq(FEED(p, OK), SERVERAUTH_OK);
	serverauth_free(p);
	p = serverauth_new(&ask);
	ck_assert_int_eq(FEED(p, SASL), SERVERAUTH_MORE);
	serverauth_free(p);
	credential_fini(&c);
}
END_TEST

#define SASL_BOTH "\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"

START_TEST(binding_modes)
{
	const struct scram_binding here = {.data = "hash", .len = 32};
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	static const struct {
		enum serverauth_binding mode;
		const char *flag;
	} row[] = {{SERVERAUTH_BINDING_PREFER, "p=tls-server-end-point,,"},
		   {SERVERAUTH_BINDING_DISABLE, "n,,"},
		   {SERVERAUTH_BINDING_REQUIRE, "p=tls-server-end-point,,"}};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct serverauth *p = serverauth_new(&(struct serverauth_ask){
			.user = USER, .credential = &c, .cache = &logins_cache, .binding = here, .binding_mode = row[i].mode});

		ck_assert_int_eq(FEED(p, SASL_BOTH), SERVERAUTH_MORE);
		ck_assert_msg(memmem(up.data, up.len, row[i].flag, strlen(row[i].flag)) != NULL, "%zu", i);
		buf_reset(&up);
		serverauth_free(p);
	}
	REFUSES(SASL, "channel binding required, but server does not offer it", .binding = here,
		.binding_mode = SERVERAUTH_BINDING_REQUIRE);
	REFUSES(SASL_BOTH, "channel binding required, but the connection has no TLS that it could be bound to",
		.binding_mode = SERVERAUTH_BINDING_REQUIRE);
	REFUSES(OK, "channel binding required, but server asked for no proof of who we are", .binding = here,
		.binding_mode = SERVERAUTH_BINDING_REQUIRE);
	REFUSES(CLEARTEXT, "channel binding required, but server requested a password", .binding = here,
		.binding_mode = SERVERAUTH_BINDING_REQUIRE);
	REFUSES(MD5, "channel binding required, but server requested a password", .binding = here,
		.binding_mode = SERVERAUTH_BINDING_REQUIRE);
	credential_fini(&c);
}
END_TEST

/* A server that knows the password, up to a step of the exchange. */
struct exchange {
	struct credential stored, own;
	struct clientauth *judge;
	struct serverauth *prover;
	struct buf down;
};

static void exchange_init(struct exchange *x)
{
	x->stored = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	x->own = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	x->prover = prover_of(&x->own, 0);
	x->judge = clientauth_new(&(struct clientauth_ask){
		.method = CLIENTAUTH_SCRAM, .user = USER, .credential = &x->stored, .cache = &logins_cache});
	buf_init(&x->down, 0);
	ck_assert_int_eq(clientauth_start(x->judge, &x->down), CLIENTAUTH_MORE);
}

static void exchange_fini(struct exchange *x)
{
	serverauth_free(x->prover);
	clientauth_free(x->judge);
	credential_fini(&x->stored);
	credential_fini(&x->own);
	buf_fini(&x->down);
	buf_reset(&up);
}

/* One honest step: the judge's message to the prover, and its answer back. */
static enum serverauth_verdict exchange_step(struct exchange *x)
{
	enum serverauth_verdict verdict;
	uint8_t *body;
	size_t n;

	body = logins_take(&x->down, 'R', &n);
	verdict = feed(x->prover, body, n);
	free(body);
	if (up.len > 0) {
		body = logins_take(&up, 'p', &n);
		ck_assert_int_ne(logins_judge(x->judge, body, n, &x->down), CLIENTAUTH_FAILED);
		free(body);
	}
	return verdict;
}

START_TEST(ok_only_after_the_proof) /* V-B08: 0 without 12 */
{
	static const struct {
		const char *bytes;
		size_t n;
	} wrong[] = {{CLEARTEXT, 4}, {MD5, 8}, {SASL, sizeof(SASL) - 1}, {"\0\0\0\7", 4}, {"\0\0\0\x63", 4}};

	for (int steps = 0; steps <= 3; steps++) {
		struct exchange x;

		exchange_init(&x);
		for (int i = 0; i < steps; i++)
			ck_assert_int_eq(exchange_step(&x), SERVERAUTH_MORE);
		/* 0: trust, which is fine here; 1, 2: in the middle of SCRAM; 3: proved */
		ck_assert_int_eq(
			FEED(x.prover, OK), steps == 0 || steps == 3 ? SERVERAUTH_OK : SERVERAUTH_FAILED);
		exchange_fini(&x);
		for (size_t k = 0; steps > 0 && k < ARRAY_LEN(wrong); k++) {
			exchange_init(&x);
			for (int i = 0; i < steps; i++)
				ck_assert_int_eq(exchange_step(&x), SERVERAUTH_MORE);
			ck_assert_int_eq(feed(x.prover, wrong[k].bytes, wrong[k].n), SERVERAUTH_FAILED);
			/* failed is failed */
			ck_assert_int_eq(FEED(x.prover, OK), SERVERAUTH_FAILED);
			exchange_fini(&x);
		}
	}
}
END_TEST

START_TEST(steps_out_of_order)
{
	for (int steps = 1; steps <= 3; steps++) {
		struct exchange x;

		exchange_init(&x);
		for (int i = 0; i < steps; i++)
			ck_assert_int_eq(exchange_step(&x), SERVERAUTH_MORE);
		if (steps != 1) /* a second AuthenticationSASLContinue */
			ck_assert_int_eq(FEED(x.prover, CONTINUE "r=abcd,s=AAAA,i=1"), SERVERAUTH_FAILED);
		else
			ck_assert_int_eq(
				FEED(x.prover, FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
				SERVERAUTH_FAILED);
		exchange_fini(&x);
	}
}
END_TEST

START_TEST(wrong_server_signature)
{
	struct exchange x;
	uint8_t *body;
	size_t n;

	exchange_init(&x);
	ck_assert_int_eq(exchange_step(&x), SERVERAUTH_MORE);
	ck_assert_int_eq(exchange_step(&x), SERVERAUTH_MORE);
	body = logins_take(&x.down, 'R', &n);
	body[8] = body[8] == 'A' ? 'B' : 'A';
	ck_assert_int_eq(feed(x.prover, body, n), SERVERAUTH_FAILED);
	ck_assert_str_eq(serverauth_error(x.prover), "invalid server signature");
	ck_assert(serverauth_has_answered(x.prover));
	ck_assert_int_eq(FEED(x.prover, OK), SERVERAUTH_FAILED);
	free(body);
	exchange_fini(&x);
}
END_TEST

START_TEST(hostile_first_messages) /* V-B10, V-B11: no derivation, no answer */
{
	static const char *const texts[] = {"r=abcd,s=AAAA,i=4096", "r=,s=AAAA,i=4096", "", "e=no"};
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	uint64_t before = logins_cache.derivations;
	struct serverauth *p;
	struct buf b;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		p = prover_of(&c, 0);
		ck_assert_int_eq(FEED(p, SASL), SERVERAUTH_MORE);
		buf_reset(&up);
		buf_init(&b, 0);
		(void)buf_append(&b, CONTINUE, 4);
		(void)buf_append_str(&b, texts[i]);
		ck_assert_int_eq(feed(p, b.data, b.len), SERVERAUTH_FAILED);
		ck_assert_uint_eq(up.len, 0);
		buf_fini(&b);
		serverauth_free(p);
	}
	/* our own nonce comes back, with costs that we don't pay */
	p = prover_of(&c, 0);
	ck_assert_int_eq(FEED(p, SASL), SERVERAUTH_MORE);
	buf_init(&b, 0);
	(void)buf_append(&b, CONTINUE "r=", 6);
	(void)buf_append(&b, up.data + up.len - 24, 24);
	(void)buf_append_str(&b, "x,s=AAAA,i=2147483647");
	buf_reset(&up);
	ck_assert_int_eq(feed(p, b.data, b.len), SERVERAUTH_FAILED);
	ck_assert_ptr_nonnull(strstr(serverauth_error(p), "100000"));
	ck_assert_uint_eq(up.len, 0);
	ck_assert_uint_eq(logins_cache.derivations, before);
	buf_fini(&b);
	serverauth_free(p);
	credential_fini(&c);
}
END_TEST

START_TEST(plain_secret_is_preferred_to_learnt_keys)
{
	struct credential stored = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	struct credential own = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct credential_keys wrong = {.is_set = true};
	struct clientauth *judge = clientauth_new(&(struct clientauth_ask){
		.method = CLIENTAUTH_SCRAM, .user = USER, .credential = &stored, .cache = &logins_cache});
	struct serverauth *prover = serverauth_new(&(struct serverauth_ask){
		.user = USER, .credential = &own, .keys = &wrong, .cache = &logins_cache});

	ck_assert_int_eq(logins_run(judge, prover).server, SERVERAUTH_OK);
	clientauth_free(judge);
	serverauth_free(prover);
	/* keys that are not the secret's: the server says no */
	judge = clientauth_new(&(struct clientauth_ask){
		.method = CLIENTAUTH_SCRAM, .user = USER, .credential = &stored, .cache = &logins_cache});
	prover = serverauth_new(
		&(struct serverauth_ask){.user = USER, .keys = &wrong, .cache = &logins_cache});
	ck_assert_int_eq(logins_run(judge, prover).client, CLIENTAUTH_FAILED);
	clientauth_free(judge);
	serverauth_free(prover);
	credential_fini(&stored);
	credential_fini(&own);
}
END_TEST

/* What the log says of secrets that do not fit. */
START_TEST(details)
{
	static const struct {
		enum credential_kind kind;
		const char *request;
		size_t n;
		const char *detail;
	} row[] = {
		{CREDENTIAL_SCRAM, CLEARTEXT, 4, "the server asks for a cleartext password, but auth_file has only a SCRAM secret of user \"alice\""},
		{CREDENTIAL_SCRAM, MD5, 8, "the server asks for md5, but auth_file has only a SCRAM secret"},
		{CREDENTIAL_SCRAM, SASL, sizeof(SASL) - 1, "no client has logged in with it by SCRAM yet"},
		{CREDENTIAL_MD5, SASL, sizeof(SASL) - 1, "the server asks for SCRAM, but auth_file has only an md5 secret"},
		{CREDENTIAL_MD5, CLEARTEXT, 4, "the server asks for a cleartext password, but auth_file has only an md5 secret"},
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct credential c = logins_secret(row[i].kind, USER, "pw", 16);
		struct serverauth *p = serverauth_new(
			&(struct serverauth_ask){.user = USER, .credential = &c, .cache = &logins_cache, .from = "auth_file"});

		ck_assert_int_eq(feed(p, row[i].request, row[i].n), SERVERAUTH_FAILED);
		ck_assert_str_eq(serverauth_error(p), "wrong password type");
		ck_assert_msg(strstr(serverauth_detail(p), row[i].detail) != NULL, "%s", serverauth_detail(p));
		serverauth_free(p);
		credential_fini(&c);
	}
}
END_TEST

/* Pass-through to a server whose secret is another one: which part differs, and that no proof goes out in vain. */
START_TEST(secrets_that_differ)
{
	static const struct {
		uint32_t iterations;
		int salt, key;
		const char *detail;
	} row[] = {
		{17, 0, 0, "iterations differ (16 there, 17 here)"},
		{16, 1, 0, "than auth_file: the salt differs"},
		{16, 0, 1, "salt and iterations are the same, the StoredKey is not"},
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct credential there = logins_secret(CREDENTIAL_SCRAM, USER, row[i].key ? "other" : "pw", 16);
		struct credential here = logins_secret(CREDENTIAL_SCRAM, USER, "pw", row[i].iterations);
		struct credential_keys keys;
		struct clientauth *judge;
		struct serverauth *prover;
		struct logins_talk talk;

		ck_assert_int_eq(scramkey_derive("pw", 2, here.salt, here.salt_len, here.iterations, &keys), 0);
		here.salt[0] = (uint8_t)(here.salt[0] + row[i].salt);
		judge = clientauth_new(&(struct clientauth_ask){
			.method = CLIENTAUTH_SCRAM, .user = USER, .credential = &there, .cache = &logins_cache});
		prover = serverauth_new(&(struct serverauth_ask){
			.user = USER, .credential = &here, .keys = &keys, .cache = &logins_cache, .from = "auth_file"});
		talk = logins_run(judge, prover);
		ck_assert_int_ne(talk.client, CLIENTAUTH_OK);
		ck_assert_int_eq(serverauth_is_mismatch(prover), !row[i].key);
		ck_assert_int_eq(serverauth_has_answered(prover), row[i].key);
		ck_assert_msg(strstr(serverauth_detail(prover), row[i].detail) != NULL, "%s", serverauth_detail(prover));
		clientauth_free(judge);
		serverauth_free(prover);
		credential_fini(&there);
		credential_fini(&here);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		trust_and_cleartext,
		md5_request,
		wrong_password_type,
		malformed_requests,
		every_code_as_the_first,
		methods_not_allowed,
		requirements_have_sentences,
		withheld_is_for_passwords_only,
		binding_modes,
		ok_only_after_the_proof,
		steps_out_of_order,
		wrong_server_signature,
		hostile_first_messages,
		details,
		secrets_that_differ,
		plain_secret_is_preferred_to_learnt_keys,
	};
	Suite *s = suite_create("serverauth");

	suite_add(s, "here", setup, teardown, tests, ARRAY_LEN(tests));
	suite_add(s, "elsewhere", setup_elsewhere, teardown, tests, ARRAY_LEN(tests));
	return suite_run(s);
}
