/*
 * test_clientauth.c - judging clients: every method, every kind of secret, right, wrong, empty and
 * long passwords, known and unknown users, and the vectors V-A.
 */
#include "logins.h"

#include "test/unit/base/suite.h"

#include <stdio.h>

#define USER "alice"

static const enum clientauth_method methods[] = {CLIENTAUTH_PLAIN, CLIENTAUTH_MD5, CLIENTAUTH_SCRAM};
static const enum credential_kind kinds[] = {
	CREDENTIAL_NONE, CREDENTIAL_PLAIN, CREDENTIAL_MD5, CREDENTIAL_SCRAM};

static struct clientauth *judge_of(enum clientauth_method method, const struct credential *c)
{
	struct clientauth *a = clientauth_new(&(struct clientauth_ask){
		.method = method,
		.user = USER,
		.credential = c,
		.cache = &logins_cache,
		.scram_iterations = 16,
	});

	ck_assert_ptr_nonnull(a);
	return a;
}

/* A client with a cleartext password logs in. */
static struct logins_talk login(enum clientauth_method method, const struct credential *stored,
	const char *password, struct credential_keys *learnt)
{
	struct clientauth *judge = judge_of(method, stored);
	struct credential own = {.kind = CREDENTIAL_PLAIN};
	struct serverauth *prover;
	struct logins_talk talk;
	char *copy = strdup(password);

	secret_set(&own.text, copy, strlen(copy));
	free(copy);
	prover = serverauth_new(
		&(struct serverauth_ask){.user = USER, .credential = &own, .cache = &logins_cache});
	talk = logins_run(judge, prover);
	if (talk.client == CLIENTAUTH_FAILED) {
		ck_assert_ptr_nonnull(clientauth_error(judge));
		ck_assert_uint_eq(strlen(clientauth_sqlstate(judge)), 5);
		ck_assert_ptr_nonnull(clientauth_detail(judge));
	}
	if (learnt != NULL)
		learnt->is_set = clientauth_learnt(judge, learnt) && learnt->is_set;
	serverauth_free(prover);
	clientauth_free(judge);
	credential_fini(&own);
	return talk;
}

/* Which secrets a method can judge at all: not an md5 hash by SCRAM. */
static bool can_judge(enum clientauth_method method, enum credential_kind kind)
{
	return kind != CREDENTIAL_NONE && !(method == CLIENTAUTH_SCRAM && kind == CREDENTIAL_MD5);
}

START_TEST(every_method_and_secret)
{
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			struct credential c = logins_secret(kinds[k], USER, "right", 16);
			bool can = can_judge(methods[m], kinds[k]);
			struct logins_talk talk = login(methods[m], &c, "right", NULL);

			ck_assert_msg((talk.client == CLIENTAUTH_OK) == can, "method %zu, kind %zu", m, k);
			ck_assert_int_eq(talk.server == SERVERAUTH_OK, can);
			ck_assert_int_eq(login(methods[m], &c, "wrong", NULL).client, CLIENTAUTH_FAILED);
			ck_assert_int_eq(login(methods[m], &c, "righ", NULL).client, CLIENTAUTH_FAILED);
			ck_assert_int_eq(login(methods[m], &c, "rightt", NULL).client, CLIENTAUTH_FAILED);
			ck_assert_int_eq(
				login(methods[m], &c, "", NULL).client, CLIENTAUTH_FAILED); /* V-A20 */
			credential_fini(&c);
		}
		ck_assert_int_eq(login(methods[m], NULL, "right", NULL).client, CLIENTAUTH_FAILED);
		ck_assert_int_eq(login(methods[m], NULL, "", NULL).client, CLIENTAUTH_FAILED);
	}
}
END_TEST

START_TEST(md5_becomes_scram)
{
	struct credential scram = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	struct credential md5 = logins_secret(CREDENTIAL_MD5, USER, "pw", 16);

	ck_assert_str_eq(login(CLIENTAUTH_MD5, &scram, "pw", NULL).requests, "scf");
	ck_assert_str_eq(login(CLIENTAUTH_MD5, &md5, "pw", NULL).requests, "5");
	ck_assert_str_eq(login(CLIENTAUTH_PLAIN, &scram, "pw", NULL).requests, "p");
	ck_assert_str_eq(login(CLIENTAUTH_SCRAM, &scram, "pw", NULL).requests, "scf");
	credential_fini(&scram);
	credential_fini(&md5);
}
END_TEST

START_TEST(long_passwords) /* V-A17 */
{
	static const size_t lengths[] = {995, 996, 1000, 1022, 1023, 1024, 1025, 4095, 4096, 4097, 9999,
		16384, 65534, 65535, 65536, 70000};
	char *password = malloc(70002);

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t n = lengths[i];

		memset(password, 'x', n);
		password[n] = '\0';
		for (size_t k = 1; k < ARRAY_LEN(kinds); k++) {
			struct credential c = logins_secret(kinds[k], USER, password, 2);

			for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
				bool fits = n <= 65535 || methods[m] != CLIENTAUTH_PLAIN;
				bool can = can_judge(methods[m], kinds[k]);

				if (fits) {
					ck_assert_msg((login(methods[m], &c, password, NULL).client ==
							      CLIENTAUTH_OK) == can,
						"length %zu, kind %zu, method %zu", n, k, m);
					password[n - 1] = 'y';
					ck_assert_int_eq(login(methods[m], &c, password, NULL).client,
						CLIENTAUTH_FAILED);
					password[n - 1] = 'x';
				}
			}
			credential_fini(&c);
		}
	}
	free(password);
}
END_TEST

START_TEST(too_long_a_message)
{
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		struct clientauth *a = judge_of(methods[m], NULL);
		struct buf out;
		size_t max;
		char *body;

		buf_init(&out, 0);
		ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
		max = clientauth_message_max(a);
		ck_assert_uint_le(max, 65536);
		body = calloc(1, max + 1);
		ck_assert_int_eq(logins_judge(a, body, max + 1, &out), CLIENTAUTH_FAILED);
		ck_assert_uint_eq(clientauth_message_max(a), 0);
		free(body);
		buf_fini(&out);
		clientauth_free(a);
	}
}
END_TEST

/* What a client that can't log in sees, from start to end. */
struct seen {
	char requests[8];
	char error[64], sqlstate[8];
	int messages;
};

static struct seen watch(enum clientauth_method method, const struct credential *c, bool mock_scram)
{
	struct clientauth *judge = clientauth_new(&(struct clientauth_ask){
		.method = method,
		.user = USER,
		.credential = c,
		.cache = &logins_cache,
		.scram_iterations = 16,
		.mock_scram = mock_scram,
	});
	struct credential own = {.kind = CREDENTIAL_PLAIN};
	struct serverauth *prover;
	struct logins_talk talk;
	struct seen seen = {0};

	secret_set(&own.text, "wrong", 5);
	prover = serverauth_new(
		&(struct serverauth_ask){.user = USER, .credential = &own, .cache = &logins_cache});
	talk = logins_run(judge, prover);
	ck_assert_int_eq(talk.client, CLIENTAUTH_FAILED);
	memcpy(seen.requests, talk.requests, sizeof(seen.requests));
	seen.messages = talk.messages;
	snprintf(seen.error, sizeof(seen.error), "%s", clientauth_error(judge));
	snprintf(seen.sqlstate, sizeof(seen.sqlstate), "%s", clientauth_sqlstate(judge));
	serverauth_free(prover);
	clientauth_free(judge);
	credential_fini(&own);
	return seen;
}

static void look_alike(struct seen a, struct seen b)
{
	ck_assert_str_eq(a.requests, b.requests);
	ck_assert_int_eq(a.messages, b.messages);
	ck_assert_str_eq(a.error, b.error);
	ck_assert_str_eq(a.sqlstate, b.sqlstate);
}

START_TEST(nobody_looks_like_a_wrong_password)
{
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct credential c = logins_secret(kinds[k], USER, "right", 16);
		bool is_scram = kinds[k] == CREDENTIAL_SCRAM;

		for (size_t m = 0; m < ARRAY_LEN(methods); m++)
			look_alike(watch(methods[m], &c, is_scram), watch(methods[m], NULL, is_scram));
		credential_fini(&c);
	}
	ck_assert_str_eq(watch(CLIENTAUTH_PLAIN, NULL, false).error, "password authentication failed");
	ck_assert_str_eq(watch(CLIENTAUTH_MD5, NULL, false).error, "password authentication failed");
	ck_assert_str_eq(watch(CLIENTAUTH_MD5, NULL, true).error, "SASL authentication failed");
	ck_assert_str_eq(watch(CLIENTAUTH_SCRAM, NULL, false).error, "SASL authentication failed");
	ck_assert_str_eq(watch(CLIENTAUTH_SCRAM, NULL, false).sqlstate, "28P01");
}
END_TEST

/* The text of server-first-message for a client-first-message. */
static char *server_first(const struct credential *c)
{
	static const char body[] = "SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc";
	struct clientauth *a = judge_of(CLIENTAUTH_SCRAM, c);
	struct buf out;
	uint8_t *message;
	char *text;
	size_t n;

	buf_init(&out, 0);
	ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
	buf_reset(&out);
	ck_assert_int_eq(logins_judge(a, body, sizeof(body) - 1, &out), CLIENTAUTH_MORE);
	message = logins_take(&out, 'R', &n);
	text = strndup((char *)message + 4, n - 4);
	free(message);
	buf_fini(&out);
	clientauth_free(a);
	return text;
}

START_TEST(challenges_of_nobody_are_stable_and_well_formed)
{
	struct credential plain = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct credential md5 = logins_secret(CREDENTIAL_MD5, USER, "pw", 16);
	const struct credential *who[] = {NULL, &plain, &md5, NULL};
	char *first = server_first(NULL);

	for (size_t i = 0; i < ARRAY_LEN(who); i++) {
		char *again = server_first(who[i]);

		/* the nonce differs, salt and iterations do not */
		ck_assert_str_ne(first, again);
		ck_assert_uint_eq(strlen(first), strlen(again));
		ck_assert_str_eq(strstr(first, ",s="), strstr(again, ",s="));
		ck_assert_ptr_nonnull(strstr(again, ",i=16"));
		ck_assert_int_eq(strncmp(again, "r=abc", 5), 0);
		free(again);
	}
	free(first);
	credential_fini(&plain);
	credential_fini(&md5);
}
END_TEST

START_TEST(learnt_keys_log_in_to_a_server)
{
	struct credential stored = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	struct credential plain = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct credential_keys keys = {0};
	static const enum clientauth_method learn[] = {CLIENTAUTH_SCRAM, CLIENTAUTH_PLAIN, CLIENTAUTH_MD5};

	for (size_t i = 0; i < ARRAY_LEN(learn); i++) {
		struct clientauth *judge;
		struct serverauth *prover;
		struct logins_talk talk;

		ck_assert_int_eq(login(learn[i], &stored, "pw", &keys).client, CLIENTAUTH_OK);
		ck_assert(keys.is_set);
		judge = judge_of(CLIENTAUTH_SCRAM, &stored);
		prover = serverauth_new(&(struct serverauth_ask){
			.user = USER, .credential = &stored, .keys = &keys, .cache = &logins_cache});
		talk = logins_run(judge, prover);
		ck_assert_int_eq(talk.client, CLIENTAUTH_OK);
		ck_assert_int_eq(talk.server, SERVERAUTH_OK);
		serverauth_free(prover);
		clientauth_free(judge);
		memset(&keys, 0, sizeof(keys));
	}
	ck_assert_int_eq(login(CLIENTAUTH_SCRAM, &stored, "wrong", &keys).client, CLIENTAUTH_FAILED);
	ck_assert(!keys.is_set);
	ck_assert_int_eq(login(CLIENTAUTH_SCRAM, &plain, "pw", &keys).client, CLIENTAUTH_OK);
	ck_assert(!keys.is_set); /* keys under a salt of ours are nobody else's */
	credential_fini(&stored);
	credential_fini(&plain);
}
END_TEST

START_TEST(keys_derived_beforehand)
{
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);

	credential_derive(&c, USER, logins_process_key, 16);
	ck_assert(c.has_keys);
	ck_assert_int_eq(login(CLIENTAUTH_SCRAM, &c, "pw", NULL).client, CLIENTAUTH_OK);
	ck_assert_int_eq(login(CLIENTAUTH_SCRAM, &c, "no", NULL).client, CLIENTAUTH_FAILED);
	credential_fini(&c);
}
END_TEST

START_TEST(methods_without_questions)
{
	struct credential none = {.kind = CREDENTIAL_NONE};
	static const struct {
		enum clientauth_method method;
		bool is_known;
		enum clientauth_verdict expected;
	} cases[] = {
		{CLIENTAUTH_TRUST, true, CLIENTAUTH_OK},
		{CLIENTAUTH_TRUST, false, CLIENTAUTH_FAILED},
		{CLIENTAUTH_PROVEN, true, CLIENTAUTH_OK},
		{CLIENTAUTH_PROVEN, false, CLIENTAUTH_OK},
		{CLIENTAUTH_REJECT, true, CLIENTAUTH_FAILED},
		{CLIENTAUTH_REJECT, false, CLIENTAUTH_FAILED},
	};
	struct credential_keys keys;
	struct buf out;

	buf_init(&out, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct clientauth *a = judge_of(cases[i].method, cases[i].is_known ? &none : NULL);

		ck_assert_int_eq(clientauth_start(a, &out), cases[i].expected);
		ck_assert_uint_eq(out.len, 0);
		ck_assert(!clientauth_learnt(a, &keys));
		ck_assert_uint_eq(clientauth_message_max(a), 0);
		if (cases[i].method == CLIENTAUTH_TRUST && !cases[i].is_known)
			ck_assert_str_eq(clientauth_error(a), "\"trust\" authentication failed");
		/* a password nobody asked for */
		ck_assert_int_eq(logins_judge(a, "x", 2, &out), CLIENTAUTH_FAILED);
		clientauth_free(a);
	}
	clientauth_free(NULL);
	buf_fini(&out);
}
END_TEST

/* One message against a fresh challenge. */
static enum clientauth_verdict answer(
	enum clientauth_method method, const struct credential *c, const void *p, size_t n)
{
	struct clientauth *a = judge_of(method, c);
	enum clientauth_verdict verdict;
	char *body = malloc(n ? n : 1);
	struct buf out;

	memcpy(body, p, n);
	buf_init(&out, 0);
	ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
	buf_reset(&out);
	verdict = logins_judge(a, body, n, &out);
	if (verdict != CLIENTAUTH_MORE)
		ck_assert_int_eq(logins_judge(a, body, n, &out), CLIENTAUTH_FAILED);
	free(body);
	buf_fini(&out);
	clientauth_free(a);
	return verdict;
}

#define ANSWER(method, c, bytes) answer(method, c, bytes, sizeof(bytes) - 1)

START_TEST(password_message_layout)
{
	struct credential c = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);

	ck_assert_int_eq(ANSWER(CLIENTAUTH_PLAIN, &c, "pw\0"), CLIENTAUTH_OK);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_PLAIN, &c, "pw"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_PLAIN, &c, "pw\0\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_PLAIN, &c, "pw\0pw\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_PLAIN, &c, "\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_PLAIN, &c, ""), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_MD5, &c, ""), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_MD5, &c, "\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_MD5, &c, "md5"), CLIENTAUTH_FAILED);
	credential_fini(&c);
}
END_TEST

/* Whoever it is: asked for a password, which is judged elsewhere, once. */
START_TEST(password_for_somebody_outside)
{
	struct credential stored = logins_secret(CREDENTIAL_PLAIN, USER, "other", 16);

	for (unsigned i = 0; i < 4; i++) {
		struct clientauth *a = judge_of(CLIENTAUTH_OUTSIDE, i & 1 ? &stored : NULL);
		bool is_right = i & 2;
		struct buf out;

		buf_init(&out, 0);
		ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
		ck_assert(out.len == 9 && out.data[8] == 3);
		ck_assert_ptr_null(clientauth_password(a));
		buf_reset(&out);
		ck_assert_int_eq(logins_judge(a, "pw", 3, &out), CLIENTAUTH_ELSEWHERE);
		ck_assert(clientauth_is_waiting(a) && clientauth_message_max(a) == 0);
		ck_assert_str_eq((const char *)clientauth_password(a)->data, "pw");
		ck_assert_int_eq(clientauth_told(a, is_right, "sentence", "why"), is_right ? CLIENTAUTH_OK : CLIENTAUTH_FAILED);
		ck_assert(!clientauth_is_waiting(a) && out.len == 0);
		ck_assert((clientauth_password(a) != NULL) == is_right);
		if (!is_right) {
			ck_assert_str_eq(clientauth_error(a), "sentence");
			ck_assert_str_eq(clientauth_detail(a), "why");
			ck_assert_str_eq(clientauth_sqlstate(a), "28000");
		}
		ck_assert_int_eq(logins_judge(a, "pw", 3, &out), CLIENTAUTH_FAILED);
		buf_fini(&out);
		clientauth_free(a);
	}
	/* an empty one never gets there */
	ck_assert_int_eq(ANSWER(CLIENTAUTH_OUTSIDE, &stored, "\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_OUTSIDE, &stored, ""), CLIENTAUTH_FAILED);
	ck_assert_int_eq(ANSWER(CLIENTAUTH_OUTSIDE, &stored, "a\0b\0"), CLIENTAUTH_FAILED);
	credential_fini(&stored);
}
END_TEST

START_TEST(md5_answers) /* V-A18 */
{
	struct credential c = logins_secret(CREDENTIAL_MD5, USER, "pw", 16);
	char stored[MD5_TEXT_SIZE], right[MD5_TEXT_SIZE + 1], wrong[64];
	static const char *const changes[] = {"34", "36", "upper", "prefix", "replay"};

	ck_assert_int_eq(md5_stored("pw", 2, USER, stored), 0);
	for (size_t i = 0; i <= ARRAY_LEN(changes); i++) {
		struct clientauth *a = judge_of(CLIENTAUTH_MD5, &c);
		struct buf out;
		uint8_t *body;
		size_t n;

		buf_init(&out, 0);
		ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
		body = logins_take(&out, 'R', &n);
		ck_assert_uint_eq(n, 8);
		if (i == ARRAY_LEN(changes) - 1) { /* the answer to the challenge before */
			snprintf(wrong, sizeof(wrong), "%s", right);
			ck_assert_int_eq(md5_answer(stored, body + 4, right), 0);
			ck_assert_str_ne(right, wrong);
		} else {
			ck_assert_int_eq(md5_answer(stored, body + 4, right), 0);
			snprintf(wrong, sizeof(wrong), "%s", right);
		}
		free(body);
		if (i == 0)
			wrong[34] = '\0';
		if (i == 1)
			snprintf(wrong, sizeof(wrong), "%s0", right);
		for (size_t k = 3; i == 2 && k < strlen(wrong); k++)
			wrong[k] = wrong[k] >= 'a' ? (char)(wrong[k] - 32) : wrong[k];
		if (i == 3)
			wrong[0] = 'M';
		/* the unchanged answer is right */
		ck_assert_int_eq(logins_judge(a, wrong, strlen(wrong) + 1, &out),
			i == ARRAY_LEN(changes) ? CLIENTAUTH_OK : CLIENTAUTH_FAILED);
		buf_fini(&out);
		clientauth_free(a);
	}
	/* the stored hash itself is no password (it would be under PgBouncer's old rules) */
	ck_assert_int_eq(answer(CLIENTAUTH_MD5, &c, stored, sizeof(stored)), CLIENTAUTH_FAILED);
	ck_assert_int_eq(answer(CLIENTAUTH_PLAIN, &c, stored, sizeof(stored)), CLIENTAUTH_FAILED);
	credential_fini(&c);
}
END_TEST

START_TEST(sasl_initial_response) /* V-A01..V-A03 */
{
	struct credential c = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);

#define SASL(bytes) ANSWER(CLIENTAUTH_SCRAM, &c, bytes)
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc"), CLIENTAUTH_MORE);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\xff\xff\xff\xff"), CLIENTAUTH_FAILED); /* CVE-2026-6664 */
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\xff\xff\xff\xffn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\xff\xff\xff\xf0n,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0\0n,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0\1n,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0\x0cn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0\0\0\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256\0"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL(""), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("\0\0\0\0\x0bn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-256-PLUS\0\0\0\0\x0bn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("scram-sha-256\0\0\0\0\x0bn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("SCRAM-SHA-1\0\0\0\0\x0bn,,n=,r=abc"), CLIENTAUTH_FAILED);
	ck_assert_int_eq(SASL("pw\0"), CLIENTAUTH_FAILED); /* a cleartext password instead */
#undef SASL
	credential_fini(&c);
}
END_TEST

START_TEST(sasl_proofs_are_not_replayable)
{
	struct credential c = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	struct credential own = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct clientauth *a = judge_of(CLIENTAUTH_SCRAM, &c), *b = judge_of(CLIENTAUTH_SCRAM, &c);
	struct serverauth *p = serverauth_new(
		&(struct serverauth_ask){.user = USER, .credential = &own, .cache = &logins_cache});
	uint8_t *body, *first, *proof;
	size_t n, first_len, proof_len;
	struct buf down, up;

	buf_init(&down, 0);
	buf_init(&up, 0);
	ck_assert_int_eq(clientauth_start(a, &down), CLIENTAUTH_MORE);
	body = logins_take(&down, 'R', &n);
	ck_assert_int_eq(logins_prove(p, body, n, &up), SERVERAUTH_MORE);
	free(body);
	first = logins_take(&up, 'p', &first_len);
	ck_assert_int_eq(logins_judge(a, first, first_len, &down), CLIENTAUTH_MORE);
	body = logins_take(&down, 'R', &n);
	ck_assert_int_eq(logins_prove(p, body, n, &up), SERVERAUTH_MORE);
	free(body);
	proof = logins_take(&up, 'p', &proof_len);

	ck_assert_int_eq(clientauth_start(b, &down), CLIENTAUTH_MORE);
	buf_reset(&down);
	ck_assert_int_eq(logins_judge(b, first, first_len, &down), CLIENTAUTH_MORE);
	ck_assert_int_eq(logins_judge(b, proof, proof_len, &down), CLIENTAUTH_FAILED);
	buf_reset(&down);
	ck_assert_int_eq(logins_judge(a, proof, proof_len, &down), CLIENTAUTH_OK);
	/* and no more after the verdict */
	ck_assert_int_eq(logins_judge(a, proof, proof_len, &down), CLIENTAUTH_FAILED);
	free(first);
	free(proof);
	buf_fini(&down);
	buf_fini(&up);
	serverauth_free(p);
	clientauth_free(a);
	clientauth_free(b);
	credential_fini(&c);
	credential_fini(&own);
}
END_TEST

START_TEST(costly_work_is_done_once)
{
	struct credential plain = logins_secret(CREDENTIAL_PLAIN, USER, "pw", 16);
	struct credential scram = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	uint64_t before;

	for (int i = 0; i < 2; i++) { /* the first round fills the cache for both sides */
		before = logins_cache.derivations;
		ck_assert_int_eq(login(CLIENTAUTH_SCRAM, &plain, "pw", NULL).client, CLIENTAUTH_OK);
		ck_assert_int_eq(login(CLIENTAUTH_SCRAM, &scram, "pw", NULL).client, CLIENTAUTH_OK);
		ck_assert_int_eq(login(CLIENTAUTH_PLAIN, &scram, "pw", NULL).client, CLIENTAUTH_OK);
	}
	ck_assert_uint_eq(logins_cache.derivations, before);
	/* stored keys need none at all, and neither does nobody */
	ck_assert_int_eq(answer(CLIENTAUTH_SCRAM, &scram, "x", 1), CLIENTAUTH_FAILED);
	ck_assert_int_eq(answer(CLIENTAUTH_PLAIN, NULL, "x\0", 2), CLIENTAUTH_FAILED);
	ck_assert_uint_eq(logins_cache.derivations, before);
	/* a wrong cleartext password against a SCRAM secret costs one and leaves nothing behind */
	ck_assert_int_eq(answer(CLIENTAUTH_PLAIN, &scram, "wrong\0", 6), CLIENTAUTH_FAILED);
	ck_assert_int_eq(answer(CLIENTAUTH_PLAIN, &scram, "wrong\0", 6), CLIENTAUTH_FAILED);
	ck_assert_uint_eq(logins_cache.derivations, before + 2);
	credential_fini(&plain);
	credential_fini(&scram);
}
END_TEST

START_TEST(who_may_not_compute_asks_until_it_is_done)
{
	struct credential scram = logins_secret(CREDENTIAL_SCRAM, USER, "pw", 16);
	struct clientauth *a = judge_of(CLIENTAUTH_PLAIN, &scram);
	struct credential_keys keys;
	struct scramjob *job;
	struct buf out;

	logins_cache.here_max = 15;
	buf_init(&out, 0);
	ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
	buf_reset(&out);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(clientauth_input(a, "pw", 3, &out), CLIENTAUTH_DERIVE);
		ck_assert(!clientauth_learnt(a, &keys));
		/* another one's answer is no answer */
		job = scramjob_new((const uint8_t *)"01234567890123456789012345678901", "pw", 2, scram.salt, scram.salt_len, 16);
		scramjob_work(job);
		ck_assert(job->keys.is_set);
		scram_cache_lend(&logins_cache, job);
		ck_assert_int_eq(clientauth_input(a, "pw", 3, &out), CLIENTAUTH_DERIVE);
		scram_cache_lend(&logins_cache, NULL);
		scramjob_free(job);
	}
	job = logins_work();
	ck_assert_int_eq(clientauth_input(a, "pw", 3, &out), CLIENTAUTH_OK);
	logins_worked(job);
	ck_assert(clientauth_learnt(a, &keys));
	clientauth_free(a);
	/* whose answer could not be computed is refused */
	a = judge_of(CLIENTAUTH_PLAIN, &scram);
	ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
	ck_assert_int_eq(clientauth_input(a, "other", 6, &out), CLIENTAUTH_DERIVE);
	job = scram_cache_take_job(&logins_cache);
	scram_cache_lend(&logins_cache, job);
	ck_assert_int_eq(clientauth_input(a, "other", 6, &out), CLIENTAUTH_FAILED);
	logins_worked(job);
	/* so many as may be computed here are */
	logins_cache.here_max = 16;
	clientauth_free(a);
	a = judge_of(CLIENTAUTH_PLAIN, &scram);
	ck_assert_int_eq(clientauth_start(a, &out), CLIENTAUTH_MORE);
	ck_assert_int_eq(clientauth_input(a, "another", 8, &out), CLIENTAUTH_FAILED);
	clientauth_free(a);
	credential_fini(&scram);
	buf_fini(&out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_method_and_secret,
		md5_becomes_scram,
		long_passwords,
		too_long_a_message,
		nobody_looks_like_a_wrong_password,
		challenges_of_nobody_are_stable_and_well_formed,
		learnt_keys_log_in_to_a_server,
		keys_derived_beforehand,
		methods_without_questions,
		password_message_layout,
		password_for_somebody_outside,
		md5_answers,
		sasl_initial_response,
		sasl_proofs_are_not_replayable,
		costly_work_is_done_once,
		who_may_not_compute_asks_until_it_is_done,
	};
	Suite *s = suite_create("clientauth");

	suite_add(s, "here", logins_setup, logins_teardown, tests, ARRAY_LEN(tests));
	suite_add(s, "elsewhere", logins_setup_elsewhere, logins_teardown, tests, ARRAY_LEN(tests));
	return suite_run(s);
}
