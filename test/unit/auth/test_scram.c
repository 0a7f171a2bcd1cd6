/*
 * test_scram.c - base64, SCRAM's texts and arithmetic, both roles against the RFC and each other.
 */
#include "auth/b64.h"
#include "auth/scram_cache.h"
#include "auth/scram_client.h"
#include "auth/scram_server.h"
#include "auth/scramkey.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7677 section 3 */
#define RFC_CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define RFC_SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_CLIENT_FIRST "n,,n=user,r=" RFC_CLIENT_NONCE
#define RFC_SERVER_FIRST "r=" RFC_CLIENT_NONCE RFC_SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_CLIENT_FINAL \
	"c=biws,r=" RFC_CLIENT_NONCE RFC_SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct buf out;
static uint8_t rfc_salt[16];
static struct credential_keys rfc_keys;
static uint8_t rfc_stored[SCRAMKEY_LEN];

static void setup(void)
{
	size_t len;

	buf_init(&out, 0);
	ck_assert_int_eq(b64_decode("W22ZaJ0SNY7soEsUEjb6gQ==", 24, rfc_salt, sizeof(rfc_salt), &len), 0);
	ck_assert_int_eq(scramkey_derive("pencil", 6, rfc_salt, 16, 4096, &rfc_keys), 0);
	scramkey_stored(rfc_keys.client_key, rfc_stored);
}

static void teardown(void)
{
	buf_fini(&out);
}

static void expect(const char *text)
{
	ck_assert_str_eq(buf_text(&out), text);
	buf_reset(&out);
}

START_TEST(base64)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *const wrong[] = {"Z", "Zg",
		"Zg=", "Zh==", "Zm9=", "Z===", "====", "=Zg=", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm9v=", "Zm_v",
		"Zm-v", "Zg=A", "Zm9vZ"};
	uint8_t raw[64];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		b64_encode(&out, pairs[i][0], strlen(pairs[i][0]));
		expect(pairs[i][1]);
		ck_assert_int_eq(b64_decode(pairs[i][1], strlen(pairs[i][1]), raw, sizeof(raw), &len), 0);
		ck_assert_uint_eq(len, strlen(pairs[i][0]));
		ck_assert_mem_eq(raw, pairs[i][0], len);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(
			b64_decode(wrong[i], strlen(wrong[i]), raw, sizeof(raw), &len) < 0, "%s", wrong[i]);
	/* never writes past cap */
	ck_assert_int_eq(b64_decode("Zm9vYmFy", 8, raw, 6, &len), 0);
	ck_assert_int_lt(b64_decode("Zm9vYmFy", 8, raw, 5, &len), 0);
	for (unsigned v = 0; v < 256; v++) {
		uint8_t b = (uint8_t)v;

		b64_encode(&out, &b, 1);
		ck_assert_int_eq(b64_decode((char *)out.data, out.len, raw, 1, &len), 0);
		ck_assert_uint_eq(raw[0], v);
		buf_reset(&out);
	}
}
END_TEST

START_TEST(rfc_vector_server)
{
	struct scram_server s;
	uint8_t client_key[SCRAMKEY_LEN];

	scram_server_init(&s, false);
	ck_assert_int_eq(scram_server_first(&s, RFC_CLIENT_FIRST, strlen(RFC_CLIENT_FIRST), rfc_salt, 16,
				 4096, RFC_SERVER_NONCE, &out),
		0);
	expect(RFC_SERVER_FIRST);
	ck_assert_int_eq(scram_server_read_final(&s, RFC_CLIENT_FINAL, strlen(RFC_CLIENT_FINAL)), 0);
	ck_assert_int_eq(scram_server_verify(&s, rfc_stored, rfc_keys.server_key, client_key, &out), 0);
	expect(RFC_SERVER_FINAL);
	ck_assert_mem_eq(client_key, rfc_keys.client_key, SCRAMKEY_LEN);
	scram_server_fini(&s);
}
END_TEST

START_TEST(rfc_vector_client)
{
	struct scram_client c;

	scram_client_init(&c);
	ck_assert_int_eq(scram_client_first(&c, "user", RFC_CLIENT_NONCE, &out), 0);
	expect(RFC_CLIENT_FIRST);
	ck_assert_int_eq(scram_client_read_first(&c, RFC_SERVER_FIRST, strlen(RFC_SERVER_FIRST)), 0);
	ck_assert_uint_eq(c.iterations, 4096);
	ck_assert_uint_eq(c.salt_len, 16);
	ck_assert_mem_eq(c.salt, rfc_salt, 16);
	ck_assert_int_eq(scram_client_final(&c, &rfc_keys, &out), 0);
	expect(RFC_CLIENT_FINAL);
	ck_assert_int_eq(scram_client_verify(&c, RFC_SERVER_FINAL, strlen(RFC_SERVER_FINAL)), 0);
	scram_client_fini(&c);
}
END_TEST

/* client-first-message, its end being a heap block's end */
static int server_first_of(const char *msg, size_t n, bool offers_plus)
{
	struct scram_server s;
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, msg, n);
	scram_server_init(&s, offers_plus);
	rc = scram_server_first(&s, copy, n, rfc_salt, 16, 4096, NULL, &out);
	ck_assert_int_eq(rc == 0, s.error == NULL);
	ck_assert_int_eq(rc == 0, out.len > 0);
	scram_server_fini(&s);
	free(copy);
	buf_reset(&out);
	return rc;
}

START_TEST(client_first_messages) /* V-A04 */
{
	static const struct {
		const char *msg;
		bool is_good, is_good_with_plus;
	} cases[] = {
		{"n,,n=,r=abc", true, true},
		{"n,,n=user,r=abc", true, true},
		{"y,,n=user,r=abc", true, false},
		{"n,,n=a=2Cb=3Dc,r=abc", true, true},
		{"n,,n=u,r=abc,x=ext", true, true},
		{"n,,n=,r=", false, false},
		{"n,,n=u", false, false},
		{"n,,n=u,", false, false},
		{"n,,r=abc", false, false},
		{"n,,r=abc,n=u", false, false},
		{"p=tls-server-end-point,,n=,r=abc", false, false},
		{"p=x,,n=,r=abc", false, false},
		{"p=,,n=,r=abc", false, false},
		{"p,,n=,r=abc", false, false},
		{"n,a=root,n=,r=abc", false, false},
		{"n,root,n=,r=abc", false, false},
		{"n,,m=ext,n=,r=abc", false, false},
		{"n,,n=,m=ext,r=abc", false, false},
		{"n,,n=,r=abc,m=ext", false, false},
		{"n,,n=u,r=abc,n=root", false, false},
		{"n,,n=u,r=abc,r=def", false, false},
		{"n,,n=u,r=abc,p=x", false, false},
		{"n,,n=u,r=abc,", false, false},
		{"n,,n=u,r=abc,xx", false, false},
		{"n,,n=u,r=abc,1=x", false, false},
		{"n,,n=a=2cb,r=abc", false, false},
		{"n,,n=a=,r=abc", false, false},
		{"n,,n=u,r=a b", false, false},
		{"n,,n=u,r=a\x7f", false, false},
		{"n,,n=u,r=a\x80", false, false},
		{"n,,n=u,r=a\tb", false, false},
		{"N,,n=u,r=abc", false, false},
		{"nn,,n=u,r=abc", false, false},
		{",,n=u,r=abc", false, false},
		{"n", false, false},
		{"n,", false, false},
		{"n,,", false, false},
		{"n=u,r=abc", false, false},
		{"", false, false},
		{",", false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *m = cases[i].msg;

		ck_assert_msg((server_first_of(m, strlen(m), false) == 0) == cases[i].is_good, "%s", m);
		ck_assert_msg(
			(server_first_of(m, strlen(m), true) == 0) == cases[i].is_good_with_plus, "%s", m);
	}
	/* NUL anywhere */
	ck_assert_int_lt(server_first_of("n,,n=u,r=a\0b", 12, false), 0);
	ck_assert_int_lt(server_first_of("n,,n=u,r=ab\0", 12, false), 0);
	ck_assert_int_lt(server_first_of("n,,n=\0,r=abc", 12, false), 0);
}
END_TEST

START_TEST(client_nonce_lengths)
{
	static const size_t lengths[] = {1, 18, SCRAM_TEXT_NONCE, SCRAM_TEXT_NONCE + 1, 10000};
	char *msg = malloc(20000);

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		memcpy(msg, "n,,n=u,r=", 9);
		memset(msg + 9, 'x', lengths[i]);
		ck_assert_int_eq(
			server_first_of(msg, 9 + lengths[i], false) == 0, lengths[i] <= SCRAM_TEXT_NONCE);
	}
	free(msg);
}
END_TEST

/* client-final-message against the RFC's first two messages: through all of it, with the error */
static int server_final_of(const char *msg, size_t n)
{
	struct scram_server s;
	uint8_t client_key[SCRAMKEY_LEN];
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, msg, n);
	scram_server_init(&s, false);
	ck_assert_int_eq(scram_server_first(&s, RFC_CLIENT_FIRST, strlen(RFC_CLIENT_FIRST), rfc_salt, 16,
				 4096, RFC_SERVER_NONCE, &out),
		0);
	buf_reset(&out);
	rc = scram_server_read_final(&s, copy, n);
	if (rc == 0)
		rc = scram_server_verify(&s, rfc_stored, rfc_keys.server_key, client_key, &out);
	ck_assert_int_eq(rc == 0, s.error == NULL);
	ck_assert_int_eq(rc == 0, out.len > 0);
	scram_server_fini(&s);
	buf_reset(&out);
	free(copy);
	return rc;
}

#define NONCE RFC_CLIENT_NONCE RFC_SERVER_NONCE
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

START_TEST(client_final_messages) /* V-A05..V-A12 */
{
	static const char *const wrong[] = {
		"c=biws,p=" PROOF,      /* no r= (CVE-2026-19888) */
		"r=" NONCE ",p=" PROOF, /* no c= */
		"c=biws,r=" NONCE,      /* no p= */
		"c=biws,r=" NONCE ",",
		"c=biws",
		"p=" PROOF,
		"c=biws,c=biws,r=" NONCE ",p=" PROOF, /* duplicated */
		"c=biws,r=" NONCE ",r=" NONCE ",p=" PROOF,
		"c=biws,r=" NONCE ",p=" PROOF ",p=" PROOF,
		"r=" NONCE ",c=biws,p=" PROOF, /* out of order */
		"c=biws,p=" PROOF ",r=" NONCE,
		"c=biws,r=x" NONCE ",p=" PROOF, /* wrong nonce */
		"c=biws,r=" NONCE "x,p=" PROOF,
		"c=biws,r=" RFC_CLIENT_NONCE ",p=" PROOF,
		"c=biws,r=,p=" PROOF,
		"c=biws,r=r" RFC_SERVER_NONCE ",p=" PROOF,
		"c=biws,r=" NONCE ",p=", /* proof of a wrong size or form */
		"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndQ==",
		"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVRV",
		"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=",
		"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ",
		"c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN-Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=" NONCE ",p=AHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", /* wrong proof */
		"c=biws,r=" NONCE ",p=" PROOF "x",                                   /* garbage after it */
		"c=biws,r=" NONCE ",p=" PROOF ",x=y",
		"c=biws,r=" NONCE ",p=" PROOF ",",
		"c=eSws,r=" NONCE ",p=" PROOF, /* another gs2-header */
		"c=biwsbiws,r=" NONCE ",p=" PROOF,
		"c=,r=" NONCE ",p=" PROOF,
		"c=biwt,r=" NONCE ",p=" PROOF,
		"c=biws,m=x,r=" NONCE ",p=" PROOF,
		"c=biws,r=" NONCE ",m=x,p=" PROOF,
		"",
		",",
		"c",
		"c=",
	};
	char *msg;

	ck_assert_int_eq(server_final_of(RFC_CLIENT_FINAL, strlen(RFC_CLIENT_FINAL)), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(server_final_of(wrong[i], strlen(wrong[i])) < 0, "%s", wrong[i]);
	/* every cut, and a NUL behind */
	for (size_t n = 0; n < strlen(RFC_CLIENT_FINAL); n++)
		ck_assert_int_lt(server_final_of(RFC_CLIENT_FINAL, n), 0);
	ck_assert_int_lt(server_final_of(RFC_CLIENT_FINAL, strlen(RFC_CLIENT_FINAL) + 1), 0);
	/* every damage of one byte */
	msg = strdup(RFC_CLIENT_FINAL);
	for (size_t at = 0; at < strlen(RFC_CLIENT_FINAL); at++) {
		msg[at] ^= 1;
		ck_assert_int_lt(server_final_of(msg, strlen(RFC_CLIENT_FINAL)), 0);
		msg[at] ^= 1;
	}
	free(msg);
	/* 60 kB of proof */
	msg = malloc(60000);
	memset(msg, 'A', 60000);
	memcpy(msg, RFC_CLIENT_FINAL, strlen(RFC_CLIENT_FINAL));
	ck_assert_int_lt(server_final_of(msg, 60000), 0);
	free(msg);
}
END_TEST

/* client-final-message with a proof that is right for without. */
static int signed_final_of(const char *without)
{
	uint8_t proof[SCRAMKEY_LEN];
	struct buf text, msg;
	int rc;

	buf_init(&text, 0);
	buf_init(&msg, 0);
	(void)buf_printf(&text, "n=user,r=%s,%s,%s", RFC_CLIENT_NONCE, RFC_SERVER_FIRST, without);
	scramkey_prove(rfc_keys.client_key, text.data, text.len, proof);
	(void)buf_append_str(&msg, without);
	(void)buf_append_str(&msg, ",p=");
	b64_encode(&msg, proof, sizeof(proof));
	rc = server_final_of((char *)msg.data, msg.len);
	buf_fini(&text);
	buf_fini(&msg);
	return rc;
}

START_TEST(a_right_proof_is_not_enough)
{
	ck_assert_int_eq(signed_final_of("c=biws,r=" NONCE), 0);
	ck_assert_int_eq(signed_final_of("c=biws,r=" NONCE ",x=y"), 0);
	ck_assert_int_lt(signed_final_of("c=biws,r=" NONCE "x"), 0);
	ck_assert_int_lt(signed_final_of("c=biws,r=" RFC_CLIENT_NONCE), 0);
	ck_assert_int_lt(signed_final_of("c=biws,r=x" NONCE), 0);
	ck_assert_int_lt(signed_final_of("c=eSws,r=" NONCE), 0);
	ck_assert_int_lt(signed_final_of("c=,r=" NONCE), 0);
	ck_assert_int_lt(signed_final_of("c=biws"), 0);
	ck_assert_int_lt(signed_final_of("r=" NONCE), 0);
	ck_assert_int_lt(signed_final_of("r=" NONCE ",c=biws"), 0);
	ck_assert_int_lt(signed_final_of("c=biws,r=" NONCE ",m=x"), 0);
	ck_assert_int_lt(signed_final_of("c=biws,r=" NONCE ",r=" NONCE), 0);
}
END_TEST

static int client_read_first_of(const char *msg, size_t n, uint32_t *iterations)
{
	struct scram_client c;
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, msg, n);
	scram_client_init(&c);
	ck_assert_int_eq(scram_client_first(&c, "", "abc", &out), 0);
	rc = scram_client_read_first(&c, copy, n);
	ck_assert_int_eq(rc == 0, c.error == NULL);
	*iterations = c.iterations;
	if (rc == 0)
		ck_assert_int_eq(scram_client_final(&c, &rfc_keys, &out), 0);
	scram_client_fini(&c);
	buf_reset(&out);
	free(copy);
	return rc;
}

START_TEST(server_first_messages) /* V-B10, V-B11 */
{
	static const struct {
		const char *msg;
		uint32_t iterations; /* 0: refused */
	} cases[] = {
		{"r=abcX,s=AAAA,i=4096", 4096},
		{"r=abcX,s=AAAA,i=1", 1},
		{"r=abcX,s=AAAA,i=4095", 4095}, /* PostgreSQL allows it, and so does libpq */
		{"r=abcX,s=AAAA,i=100000", 100000},
		{"r=abcX,s=AAAA,i=100001", 0},
		{"r=abcX,s=AAAA,i=2147483647", 0},
		{"r=abcX,s=AAAA,i=4294967297", 0},
		{"r=abcX,s=AAAA,i=99999999999999999999", 0},
		{"r=abcX,s=AAAA,i=0", 0},
		{"r=abcX,s=AAAA,i=-1", 0},
		{"r=abcX,s=AAAA,i=4096x", 0},
		{"r=abcX,s=AAAA,i= 4096", 0},
		{"r=abcX,s=AAAA,i=+1", 0},
		{"r=abcX,s=AAAA,i=", 0},
		{"r=abcX,s=AAAA", 0},
		{"r=abcX,s=AAAA,", 0},
		{"r=abc,s=AAAA,i=4096", 0}, /* nothing of its own */
		{"r=abX,s=AAAA,i=4096", 0},
		{"r=xabcX,s=AAAA,i=4096", 0},
		{"r=ABCX,s=AAAA,i=4096", 0},
		{"r=,s=AAAA,i=4096", 0},
		{"r=abcX\x7f,s=AAAA,i=4096", 0},
		{"r=abcX,s=,i=4096", 0},
		{"r=abcX,s=A,i=4096", 0},
		{"r=abcX,s=AAA*,i=4096", 0},
		{"r=abcX,s=AB==,i=4096", 0},
		{"r=abcX,i=4096", 0},
		{"s=AAAA,r=abcX,i=4096", 0},
		{"r=abcX,s=AAAA,i=4096,", 0},
		{"r=abcX,s=AAAA,i=4096,x=y", 0},
		{"m=x,r=abcX,s=AAAA,i=4096", 0},
		{"e=other-error", 0},
		{"", 0},
		{",", 0},
	};
	uint32_t iterations;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = client_read_first_of(cases[i].msg, strlen(cases[i].msg), &iterations);

		ck_assert_msg((rc == 0) == (cases[i].iterations != 0), "%s", cases[i].msg);
		if (rc == 0)
			ck_assert_uint_eq(iterations, cases[i].iterations);
	}
	ck_assert_int_lt(client_read_first_of("r=abcX,s=AAAA,i=4096\0", 21, &iterations), 0);
}
END_TEST

START_TEST(server_nonce_and_salt_sizes) /* V-B10 */
{
	static const size_t sizes[] = {4, 40, 512, 513, 1023, 1024, 4096, 65536};
	char *msg = malloc(200000);
	uint32_t iterations;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i];

		memset(msg, 'x', n + 2);
		memcpy(msg, "r=abc", 5);
		memcpy(msg + 2 + n, ",s=AAAA,i=4096", 15);
		ck_assert_int_eq(
			client_read_first_of(msg, strlen(msg), &iterations) == 0, n <= SCRAM_TEXT_NONCE);
		memcpy(msg, "r=abcX,s=", 9);
		memset(msg + 9, 'A', n / 4 * 4);
		memcpy(msg + 9 + n / 4 * 4, ",i=4096", 8);
		ck_assert_int_eq(client_read_first_of(msg, strlen(msg), &iterations) == 0,
			n / 4 * 3 <= CREDENTIAL_SALT_MAX);
	}
	free(msg);
}
END_TEST

static int client_verify_of(const char *msg, size_t n)
{
	struct scram_client c;
	char *copy = malloc(n ? n : 1);
	int rc;

	memcpy(copy, msg, n);
	scram_client_init(&c);
	ck_assert_int_eq(scram_client_first(&c, "user", RFC_CLIENT_NONCE, &out), 0);
	ck_assert_int_eq(scram_client_read_first(&c, RFC_SERVER_FIRST, strlen(RFC_SERVER_FIRST)), 0);
	ck_assert_int_eq(scram_client_final(&c, &rfc_keys, &out), 0);
	rc = scram_client_verify(&c, copy, n);
	ck_assert_int_eq(rc == 0, c.error == NULL);
	scram_client_fini(&c);
	buf_reset(&out);
	free(copy);
	return rc;
}

START_TEST(server_final_messages) /* V-B08: a wrong signature, in every way */
{
	static const char *const wrong[] = {"", "v", "v=", "e=invalid-proof", "e=", "x=y",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
		"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", RFC_SERVER_FINAL ",",
		RFC_SERVER_FINAL ",x=y", RFC_SERVER_FINAL "A", ("r=abc," RFC_SERVER_FINAL),
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="};
	char *msg = strdup(RFC_SERVER_FINAL);

	ck_assert_int_eq(client_verify_of(RFC_SERVER_FINAL, strlen(RFC_SERVER_FINAL)), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(client_verify_of(wrong[i], strlen(wrong[i])) < 0, "%s", wrong[i]);
	for (size_t at = 0; at < strlen(RFC_SERVER_FINAL); at++) {
		msg[at] ^= 1;
		ck_assert_int_lt(client_verify_of(msg, strlen(msg)), 0);
		msg[at] ^= 1;
	}
	ck_assert_int_lt(client_verify_of(RFC_SERVER_FINAL, strlen(RFC_SERVER_FINAL) + 1), 0);
	free(msg);
}
END_TEST

START_TEST(nonces_are_new_each_time)
{
	char seen[100][32];

	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		struct scram_client c;

		scram_client_init(&c);
		ck_assert_int_eq(scram_client_first(&c, "", NULL, &out), 0);
		ck_assert_uint_eq(out.len, strlen("n,,n=,r=") + 24);
		snprintf(seen[i], sizeof(seen[i]), "%s", buf_text(&out) + 8);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(seen[i], seen[k]);
		buf_reset(&out);
		scram_client_fini(&c);
	}
}
END_TEST

START_TEST(derivation_is_bounded)
{
	struct credential_keys keys;

	ck_assert_int_lt(scramkey_derive("x", 1, rfc_salt, 16, 0, &keys), 0);
	ck_assert(!keys.is_set);
	ck_assert_int_lt(scramkey_derive("x", 1, rfc_salt, 16, SCRAMKEY_ITERATIONS_MAX + 1, &keys), 0);
	ck_assert_int_lt(scramkey_derive("x", 1, rfc_salt, 16, UINT32_MAX, &keys), 0);
	ck_assert_int_eq(scramkey_derive("", 0, rfc_salt, 16, 1, &keys), 0);
	ck_assert(keys.is_set);
}
END_TEST

START_TEST(mock_salt_depends_on_user_and_key_only)
{
	uint8_t key[32] = {1}, other[32] = {2}, a[16], b[16];

	scramkey_salt(key, "alice", a);
	scramkey_salt(key, "alice", b);
	ck_assert_mem_eq(a, b, 16);
	scramkey_salt(key, "bob", b);
	ck_assert_mem_ne(a, b, 16);
	scramkey_salt(other, "alice", b);
	ck_assert_mem_ne(a, b, 16);
}
END_TEST

START_TEST(cache_finds_what_it_derived)
{
	static const uint8_t process_key[32];
	struct scram_cache cache;
	struct credential_keys keys, again;

	scram_cache_init(&cache, 2, process_key);
	ck_assert_int_eq(scram_cache_derive(&cache, "u", "pencil", 6, rfc_salt, 16, 4096, &keys), 0);
	ck_assert_mem_eq(keys.client_key, rfc_keys.client_key, SCRAMKEY_LEN);
	ck_assert_int_eq(scram_cache_derive(&cache, "u", "pencil", 6, rfc_salt, 16, 4096, &again), 0);
	ck_assert_mem_eq(again.client_key, keys.client_key, SCRAMKEY_LEN);
	ck_assert_mem_eq(again.server_key, keys.server_key, SCRAMKEY_LEN);
	ck_assert(again.is_set);
	ck_assert_uint_eq(cache.derivations, 1);
	ck_assert_uint_eq(cache.hits, 1);
	/* each part of the question counts */
	ck_assert_int_eq(scram_cache_try(&cache, "v", "pencil", 6, rfc_salt, 16, 4096, &again), 0);
	ck_assert_int_eq(scram_cache_try(&cache, "u", "pencils", 7, rfc_salt, 16, 4096, &again), 0);
	ck_assert_int_eq(scram_cache_try(&cache, "u", "pencil", 6, rfc_salt, 15, 4096, &again), 0);
	ck_assert_int_eq(scram_cache_try(&cache, "u", "pencil", 6, rfc_salt, 16, 4095, &again), 0);
	ck_assert_uint_eq(cache.derivations, 5);
	ck_assert_uint_eq(cache.map.count, 1); /* try keeps nothing */
	/* the least recently used one goes */
	ck_assert_int_eq(scram_cache_derive(&cache, "b", "x", 1, rfc_salt, 16, 10, &again), 0);
	ck_assert_int_eq(scram_cache_derive(&cache, "u", "pencil", 6, rfc_salt, 16, 4096, &again), 0);
	ck_assert_int_eq(scram_cache_derive(&cache, "c", "x", 1, rfc_salt, 16, 10, &again), 0);
	ck_assert_uint_eq(cache.map.count, 2);
	ck_assert_uint_eq(cache.derivations, 7);
	ck_assert_int_eq(scram_cache_derive(&cache, "u", "pencil", 6, rfc_salt, 16, 4096, &again), 0);
	ck_assert_uint_eq(cache.derivations, 7);
	ck_assert_int_eq(scram_cache_derive(&cache, "b", "x", 1, rfc_salt, 16, 10, &again), 0);
	ck_assert_uint_eq(cache.derivations, 8);
	ck_assert_int_lt(scram_cache_derive(&cache, "u", "x", 1, rfc_salt, 16, 100001, &again), 0);
	scram_cache_clear(&cache);
	ck_assert_uint_eq(cache.map.count, 0);
	scram_cache_keep(&cache, "k", "x", 1, rfc_salt, 16, 10, &keys);
	scram_cache_keep(&cache, "k", "x", 1, rfc_salt, 16, 10, &keys);
	ck_assert_uint_eq(cache.map.count, 1);
	scram_cache_fini(&cache);
}
END_TEST

SUITE_MAIN_WITH("scram", setup, teardown, base64, rfc_vector_server, rfc_vector_client, client_first_messages,
		client_nonce_lengths, client_final_messages, a_right_proof_is_not_enough, server_first_messages,
		server_nonce_and_salt_sizes, server_final_messages, nonces_are_new_each_time, derivation_is_bounded,
		mock_salt_depends_on_user_and_key_only, cache_finds_what_it_derived)
