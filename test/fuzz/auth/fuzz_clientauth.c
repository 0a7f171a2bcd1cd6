/*
 * fuzz_clientauth.c - F-03: SCRAM's server role and the judge around it.
 *
 * Input: a byte that says which judge, then messages, each with two bytes of length
 * before it.  Nobody may get in who does not know the password, which is chance.
 */
#include "auth/clientauth.h"
#include "auth/scram_server.h"
#include "base/cursor.h"
#include "base/rnd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct scram_cache cache;
static struct credential secrets[4]; /* by enum credential_kind */

static void prepare(void)
{
	static const char scram[] =
		"SCRAM-SHA-256$2:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
		":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
	uint8_t key[32], chance[32];

	if (cache.capacity > 0)
		return;
	rnd_secure(key, sizeof(key));
	scram_cache_init(&cache, 16, key);
	rnd_secure(chance, sizeof(chance));
	CHECK(credential_parse(&secrets[CREDENTIAL_PLAIN], chance, sizeof(chance), NULL) == 0);
	CHECK(credential_parse(&secrets[CREDENTIAL_MD5], "md50123456789abcdef0123456789abcdef", 35, NULL) ==
		0);
	CHECK(credential_parse(&secrets[CREDENTIAL_SCRAM], scram, sizeof(scram) - 1, NULL) == 0);
	rnd_secure(secrets[CREDENTIAL_SCRAM].stored_key, CREDENTIAL_KEY_LEN);
}

static const uint8_t *next_message(struct cursor *c, size_t *n)
{
	*n = cursor_u16(c);
	if (*n > cursor_left(c))
		*n = cursor_left(c);
	return c->bad ? NULL : cursor_bytes(c, *n);
}

/* The whole judge; its nonce is chance, so most ends are early. */
static void run_judge(uint8_t choice, struct cursor *c)
{
	static const enum clientauth_method methods[] = {CLIENTAUTH_PLAIN, CLIENTAUTH_MD5, CLIENTAUTH_SCRAM};
	struct clientauth *a = clientauth_new(&(struct clientauth_ask){
		.method = methods[(choice >> 3) % 3],
		.user = "alice",
		.credential = choice & 4 ? &secrets[choice & 3] : NULL,
		.cache = &cache,
		.scram_iterations = 2,
		.mock_scram = choice & 64,
	});
	enum clientauth_verdict verdict;
	const uint8_t *message;
	struct buf out;
	size_t n;

	CHECK(a != NULL);
	buf_init(&out, 0);
	verdict = clientauth_start(a, &out);
	CHECK(verdict == CLIENTAUTH_MORE);
	while (verdict == CLIENTAUTH_MORE && (message = next_message(c, &n)) != NULL)
		verdict = clientauth_input(a, message, n, &out);
	CHECK(verdict != CLIENTAUTH_OK);
	CHECK((verdict == CLIENTAUTH_FAILED) == (clientauth_error(a) != NULL));
	buf_fini(&out);
	clientauth_free(a);
}

/* SCRAM alone with a nonce that the corpus knows, so that the last message is reached. */
static void run_scram(uint8_t choice, struct cursor *c)
{
	const struct credential *s = &secrets[CREDENTIAL_SCRAM];
	uint8_t client_key[CREDENTIAL_KEY_LEN];
	struct scram_server server;
	const uint8_t *message;
	struct buf out;
	size_t n;
	int rc = -1;

	scram_server_init(&server, choice & 1);
	buf_init(&out, 0);
	message = next_message(c, &n);
	if (message != NULL)
		rc = scram_server_first(&server, message, n, s->salt, s->salt_len, 2, "NONCE", &out);
	if (rc == 0 && (message = next_message(c, &n)) != NULL &&
		scram_server_read_final(&server, message, n) == 0) {
		buf_reset(&out);
		rc = scram_server_verify(&server, s->stored_key, s->server_key, client_key, &out);
		CHECK(rc < 0 && out.len == 0);
	}
	buf_fini(&out);
	scram_server_fini(&server);
}

static void run_texts(const uint8_t *data, size_t n)
{
	struct scram_client_first first;
	struct scram_client_final final;
	struct credential secret;
	const char *error = NULL;

	if (scram_text_client_first(data, n, &first, &error) == 0)
		CHECK(first.gs2.n + first.bare.n == n && first.nonce.n > 0);
	if (scram_text_client_final(data, n, &final, &error) == 0)
		CHECK(final.without_proof.n < n && final.nonce.n > 0);
	if (credential_parse(&secret, data, n, NULL) == 0)
		credential_fini(&secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cursor c = cursor_over(data, n);
	uint8_t choice = cursor_u8(&c);

	prepare();
	run_texts(data, n);
	if (choice & 128)
		run_scram(choice, &c);
	else
		run_judge(choice, &c);
	return 0;
}
