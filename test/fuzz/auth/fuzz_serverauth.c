/*
 * fuzz_serverauth.c - F-04: SCRAM's client role against a hostile server.
 *
 * Input: a byte that says which secret, then messages, each with two bytes of length
 * before it.  After AuthenticationSASL no AuthenticationOk may be believed: the server
 * can't know the password, which is chance.
 */
#include "auth/scram_client.h"
#include "auth/serverauth.h"
#include "base/cursor.h"
#include "base/rnd.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct scram_cache cache;
static struct credential secrets[4]; /* by enum credential_kind */
static struct credential_keys keys;

static void prepare(void)
{
	uint8_t key[32], chance[32];

	if (cache.capacity > 0)
		return;
	rnd_secure(key, sizeof(key));
	scram_cache_init(&cache, 16, key);
	rnd_secure(chance, sizeof(chance));
	CHECK(credential_parse(&secrets[CREDENTIAL_PLAIN], chance, sizeof(chance), NULL) == 0);
	CHECK(credential_parse(&secrets[CREDENTIAL_MD5], "md50123456789abcdef0123456789abcdef", 35, NULL) ==
		0);
	keys.is_set = true;
	rnd_secure(keys.client_key, sizeof(keys.client_key));
	rnd_secure(keys.server_key, sizeof(keys.server_key));
}

static const uint8_t *next_message(struct cursor *c, size_t *n)
{
	*n = cursor_u16(c);
	if (*n > cursor_left(c))
		*n = cursor_left(c);
	return c->bad ? NULL : cursor_bytes(c, *n);
}

static void run_prover(uint8_t choice, struct cursor *c)
{
	struct serverauth *a = serverauth_new(&(struct serverauth_ask){
		.user = "alice",
		.credential = choice & 4 ? &secrets[choice & 3] : NULL,
		.keys = choice & 8 ? &keys : NULL,
		.cache = &cache,
		.may = choice >> 4 & 7,
	});
	enum serverauth_verdict verdict = SERVERAUTH_MORE;
	bool had_sasl = false;
	const uint8_t *message;
	struct buf out;
	size_t n;

	CHECK(a != NULL);
	buf_init(&out, 0);
	while (verdict == SERVERAUTH_MORE && (message = next_message(c, &n)) != NULL) {
		verdict = serverauth_input(a, message, n, &out);
		had_sasl |= n >= 4 && message[3] == AUTH_SASL;
	}
	CHECK(verdict != SERVERAUTH_OK || !had_sasl);
	CHECK((verdict == SERVERAUTH_FAILED) == (serverauth_error(a)[0] != '\0'));
	buf_fini(&out);
	serverauth_free(a);
}

/* SCRAM alone with a nonce that the corpus knows, so that the last message is reached. */
static void run_scram(struct cursor *c)
{
	struct scram_client client;
	const uint8_t *message;
	struct buf out;
	size_t n;

	scram_client_init(&client);
	buf_init(&out, 0);
	CHECK(scram_client_first(&client, "", "nonce", &out) == 0);
	message = next_message(c, &n);
	if (message != NULL && scram_client_read_first(&client, message, n) == 0) {
		CHECK(client.iterations >= 1 && client.iterations <= 100000 && client.salt_len > 0);
		CHECK(scram_client_final(&client, &keys, &out) == 0);
		message = next_message(c, &n);
		CHECK(message == NULL || scram_client_verify(&client, message, n) < 0);
	}
	buf_fini(&out);
	scram_client_fini(&client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct scram_server_first first;
	struct scram_server_final final;
	struct cursor c = cursor_over(data, n);
	uint8_t choice = cursor_u8(&c);
	const char *error = NULL;

	prepare();
	if (scram_text_server_first(data, n, &first, &error) == 0)
		CHECK(first.iterations >= 1 && first.iterations <= 100000 && first.nonce.n > 0);
	if (scram_text_server_final(data, n, &final, &error) < 0)
		CHECK(error != NULL);
	if (choice & 128)
		run_scram(&c);
	else
		run_prover(choice, &c);
	return 0;
}
