/*
 * clientauth.c - the login of a client as a table of steps.
 *
 * A doomed login (no such user, no usable secret) walks the same steps with keys of
 * chance and fails where a wrong password would.
 */
#include "auth/clientauth_impl.h"

#include "auth/password.h"
#include "auth/rotation.h"
#include "auth/scramkey.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "base/rnd.h"
#include "proto/reply.h"

#include "base/poison.h"

#define MD5_MESSAGE_MAX  1024
#define SASL_INITIAL_MAX (SCRAM_TEXT_MAX + 64)

struct clientauth *clientauth_new(const struct clientauth_ask *ask)
{
	struct clientauth *a = mem_try_zalloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	a->user = mem_try_strdup(ask->user);
	if (a->user == NULL) {
		mem_free(a);
		return NULL;
	}
	a->method = ask->method;
	a->is_known = ask->credential != NULL;
	if (a->is_known)
		credential_copy(&a->credential, ask->credential);
	if (ask->second != NULL)
		credential_copy(&a->second, ask->second);
	/* the work of it, for nobody */
	if (ask->credential == NULL && ask->stand_in != NULL) {
		credential_copy(&a->credential, ask->stand_in);
		credential_fini(&a->credential);
	}
	rotation_sort(&a->credential, &a->second);
	a->is_doomed = a->credential.kind == CREDENTIAL_NONE;
	a->mock_scram = ask->mock_scram;
	a->looks_twice = ask->looks_twice || a->second.kind != CREDENTIAL_NONE;
	a->binding = ask->binding;
	a->cache = ask->cache;
	a->iterations = ask->scram_iterations ? ask->scram_iterations : SCRAMKEY_ITERATIONS;
	if (a->iterations > SCRAMKEY_ITERATIONS_MAX)
		a->iterations = SCRAMKEY_ITERATIONS_MAX;
	scram_server_init(&a->scram, a->binding.len > 0);
	return a;
}

void clientauth_free(struct clientauth *a)
{
	if (a == NULL)
		return;
	scram_server_fini(&a->scram);
	credential_fini(&a->credential);
	credential_fini(&a->second);
	secret_drop(&a->given);
	mem_free(a->user);
	secret_wipe(a, sizeof(*a));
	mem_free(a);
}

static enum clientauth_verdict succeed(struct clientauth *a)
{
	a->step = STEP_OVER;
	a->has_succeeded = true;
	return CLIENTAUTH_OK;
}

static enum clientauth_verdict fail(
	struct clientauth *a, const char *sqlstate, const char *error, const char *detail)
{
	a->step = STEP_OVER;
	a->sqlstate = sqlstate;
	a->error = error;
	a->detail = detail;
	credential_keys_wipe(&a->learnt);
	return CLIENTAUTH_FAILED;
}

/* What a wrong password gets, whatever is wrong with it. */
static enum clientauth_verdict deny(struct clientauth *a, const char *detail)
{
	const char *why = !a->is_known ? "no such user" : a->is_doomed ? "user has no usable secret" : detail;
	bool is_sasl = a->method == CLIENTAUTH_SCRAM;

	return fail(
		a, "28P01", is_sasl ? "SASL authentication failed" : "password authentication failed", why);
}

static enum clientauth_verdict send_challenge(struct clientauth *a, enum step next, int rc)
{
	if (rc < 0)
		return fail(a, "53200", "out of memory", "out of memory");
	a->step = next;
	return CLIENTAUTH_MORE;
}

static enum clientauth_verdict start_scram(struct clientauth *a, struct buf *out)
{
	static const char *const mechanisms[] = {SCRAM_MECHANISM_PLUS, SCRAM_MECHANISM, NULL};

	a->method = CLIENTAUTH_SCRAM;
	if (a->credential.kind == CREDENTIAL_MD5)
		a->is_doomed = true;
	return send_challenge(a, STEP_SASL_FIRST, reply_auth_sasl(out, mechanisms + (a->binding.len == 0)));
}

static enum clientauth_verdict start_md5(struct clientauth *a, struct buf *out)
{
	bool is_scram = a->credential.kind == CREDENTIAL_SCRAM ||
			(a->credential.kind == CREDENTIAL_NONE && a->mock_scram);

	if (is_scram)
		return start_scram(a, out);
	rnd_secure(a->md5_salt, sizeof(a->md5_salt));
	return send_challenge(a, STEP_MD5, reply_auth_md5(out, a->md5_salt));
}

enum clientauth_verdict clientauth_start(struct clientauth *a, struct buf *out)
{
	CHECK(a->step == STEP_START);
	switch (a->method) {
	case CLIENTAUTH_TRUST:
		if (!a->is_known)
			return fail(a, "28000", "\"trust\" authentication failed", "no such user");
		return succeed(a);
	case CLIENTAUTH_PROVEN:
		return succeed(a);
	case CLIENTAUTH_PLAIN:
	case CLIENTAUTH_OUTSIDE:
		return send_challenge(a, STEP_PLAIN, reply_auth_cleartext(out));
	case CLIENTAUTH_MD5:
		return start_md5(a, out);
	case CLIENTAUTH_SCRAM:
		return start_scram(a, out);
	case CLIENTAUTH_REJECT:
		break;
	}
	return fail(a, "28000", "login rejected", "rejected by the rules of access");
}

/* PasswordMessage: one string, all of the body.  *n is its length without the NUL. */
static const char *read_password(const void *body, size_t len, size_t *n)
{
	struct cursor c = cursor_over(body, len);
	const char *text = cursor_cstr(&c);

	if (text == NULL || cursor_left(&c) > 0)
		return NULL;
	*n = len - 1;
	return text;
}

static struct password_ask ask_of(const struct clientauth *a)
{
	return (struct password_ask){
		.user = a->user,
		.credential = &a->credential,
		.second = &a->second,
		.cache = a->cache,
		.iterations = a->iterations,
		.mock_scram = a->mock_scram,
	};
}

/* The password (*n bytes) if there is one to look at, else NULL and *verdict. */
static const char *take_password(
	struct clientauth *a, const void *body, size_t len, size_t *n, enum clientauth_verdict *verdict)
{
	const char *given = read_password(body, len, n);

	if (given == NULL)
		*verdict = fail(a, "08P01", "invalid password packet size", "malformed PasswordMessage");
	else if (*n == 0)
		*verdict = fail(a, "28P01", "empty password returned by client", "empty password");
	else
		return given;
	return NULL;
}

static enum clientauth_verdict judge_plain(
	struct clientauth *a, const void *body, size_t len, struct buf *out)
{
	struct password_ask ask = ask_of(a);
	enum clientauth_verdict verdict;
	size_t n;
	const char *given = take_password(a, body, len, &n, &verdict);
	bool fits;

	(void)out;
	if (given == NULL)
		return verdict;
	if (a->method == CLIENTAUTH_OUTSIDE) {
		secret_set(&a->given, given, n);
		a->step = STEP_ELSEWHERE;
		return CLIENTAUTH_ELSEWHERE;
	}
	fits = password_fits(&ask, given, n, &a->learnt);
	if (scram_cache_wants(a->cache))
		return CLIENTAUTH_DERIVE;
	return fits ? succeed(a) : deny(a, "wrong password");
}

static enum clientauth_verdict judge_md5(struct clientauth *a, const void *body, size_t len, struct buf *out)
{
	struct password_ask ask = ask_of(a);
	enum clientauth_verdict verdict;
	size_t n;
	const char *given = take_password(a, body, len, &n, &verdict);

	(void)out;
	if (given == NULL)
		return verdict;
	return password_md5_fits(&ask, a->md5_salt, given, n) ? succeed(a) : deny(a, "wrong password");
}

/* SASLInitialResponse: mechanism, length, that many bytes and no more. */
static enum clientauth_verdict read_sasl_first(
	struct clientauth *a, const void *body, size_t len, struct buf *out)
{
	const struct credential *c = &a->credential;
	struct cursor cursor = cursor_over(body, len);
	const char *mechanism = cursor_cstr(&cursor);
	uint32_t declared = cursor_u32(&cursor);
	size_t n = cursor_left(&cursor);
	uint8_t salt[SCRAMKEY_SALT_LEN];
	struct buf text;
	int rc;

	if (mechanism != NULL && a->binding.len > 0 && strcmp(mechanism, SCRAM_MECHANISM_PLUS) == 0)
		scram_server_bind(&a->scram, &a->binding);
	else if (mechanism == NULL || strcmp(mechanism, SCRAM_MECHANISM) != 0)
		return fail(a, "08P01", "client selected an invalid SASL authentication mechanism",
			"unknown SASL mechanism");
	if (cursor.bad || declared != n)
		return fail(a, "08P01", "SASL authentication failed", "malformed SASLInitialResponse");
	buf_init(&text, 0);
	scramkey_salt(a->cache->process_key, a->user, salt);
	if (c->has_keys)
		rc = scram_server_first(
			&a->scram, cursor.p, n, c->salt, c->salt_len, c->iterations, NULL, &text);
	else
		rc = scram_server_first(
			&a->scram, cursor.p, n, salt, sizeof(salt), a->iterations, NULL, &text);
	if (rc == 0)
		rc = reply_auth_sasl_continue(out, text.data, text.len);
	buf_fini(&text);
	if (rc < 0)
		return fail(a, "08P01", "SASL authentication failed",
			a->scram.error ? a->scram.error : "out of memory");
	a->step = STEP_SASL_FINAL;
	return CLIENTAUTH_MORE;
}

/* StoredKey and ServerKey of a secret without keys: from the cache, or the same work for nobody. */
static int derive_keys(struct clientauth *a, uint8_t stored[SCRAMKEY_LEN], uint8_t server[SCRAMKEY_LEN])
{
	const struct secret *s = &a->credential.text;
	uint8_t salt[SCRAMKEY_SALT_LEN];
	struct credential_keys keys;

	scramkey_salt(a->cache->process_key, a->user, salt);
	if (a->is_doomed) {
		scram_cache_pretend(a->cache, a->user, salt, sizeof(salt), a->iterations);
		scramkey_stored(stored, server);
		return 0;
	}
	if (scram_cache_derive(a->cache, a->user, s->data, s->len, salt, sizeof(salt), a->iterations, &keys) <
		0)
		return -1;
	scramkey_stored(keys.client_key, stored);
	memcpy(server, keys.server_key, SCRAMKEY_LEN);
	credential_keys_wipe(&keys);
	return 0;
}

/* What to judge a proof by; for nobody keys that fit no proof: nobody knows what has them for its hash. */
static int find_keys(struct clientauth *a, uint8_t stored[SCRAMKEY_LEN], uint8_t server[SCRAMKEY_LEN])
{
	const struct credential *c = &a->credential;

	memset(stored, 0, SCRAMKEY_LEN);
	memset(server, 0, SCRAMKEY_LEN);
	if (a->is_doomed && a->mock_scram)
		return 0;
	if (!c->has_keys)
		return derive_keys(a, stored, server);
	memcpy(stored, c->stored_key, SCRAMKEY_LEN);
	memcpy(server, c->server_key, SCRAMKEY_LEN);
	return 0;
}

/* Puts the second secret's keys in the place of the first's when the proof was made with it. */
static bool try_second(struct clientauth *a, uint8_t stored[SCRAMKEY_LEN], uint8_t server[SCRAMKEY_LEN])
{
	const struct credential *c = &a->credential;
	uint8_t salt[SCRAMKEY_SALT_LEN], other[SCRAMKEY_LEN], other_server[SCRAMKEY_LEN];
	bool fits;

	scramkey_salt(a->cache->process_key, a->user, salt);
	rotation_keys(&a->second, a->cache, a->user, c->has_keys ? c->salt : salt, c->has_keys ? c->salt_len : sizeof(salt),
		c->has_keys ? c->iterations : a->iterations, other, other_server);
	fits = scram_server_fits(&a->scram, other);
	if (fits) {
		memcpy(stored, other, SCRAMKEY_LEN);
		memcpy(server, other_server, SCRAMKEY_LEN);
	}
	secret_wipe(other, sizeof(other));
	return fits;
}

static enum clientauth_verdict judge_sasl(struct clientauth *a, const void *body, size_t len, struct buf *out)
{
	uint8_t stored[SCRAMKEY_LEN], client[SCRAMKEY_LEN];
	bool is_second;
	struct buf text;
	int rc;

	if (!a->has_final && scram_server_read_final(&a->scram, body, len) < 0)
		return fail(a, "08P01", "SASL authentication failed", a->scram.error);
	a->has_final = true;
	if (find_keys(a, stored, a->learnt.server_key) < 0)
		return scram_cache_wants(a->cache) ? CLIENTAUTH_DERIVE : deny(a, "keys could not be derived");
	is_second = a->looks_twice && try_second(a, stored, a->learnt.server_key);
	if (scram_cache_wants(a->cache)) {
		secret_wipe(stored, sizeof(stored));
		return CLIENTAUTH_DERIVE;
	}
	buf_init(&text, 0);
	rc = scram_server_verify(&a->scram, stored, a->learnt.server_key, client, &text);
	if (rc == 0 && !a->is_doomed)
		rc = reply_auth_sasl_final(out, text.data, text.len);
	buf_fini(&text);
	memcpy(a->learnt.client_key, client, SCRAMKEY_LEN);
	secret_wipe(client, sizeof(client));
	secret_wipe(stored, sizeof(stored));
	if (rc < 0 || a->is_doomed)
		return deny(a,
			a->credential.kind == CREDENTIAL_MD5 ? "user has an md5 secret" : "wrong password");
	a->learnt.is_set = (is_second ? &a->second : &a->credential)->kind == CREDENTIAL_SCRAM;
	return succeed(a);
}

/* A step that is not listed takes no message. */
static const struct {
	enum clientauth_verdict (*input)(struct clientauth *, const void *, size_t, struct buf *);
	size_t max;
} steps[STEP_COUNT] = {
	[STEP_PLAIN] = {judge_plain, PASSWORD_MAX + 1},
	[STEP_MD5] = {judge_md5, MD5_MESSAGE_MAX},
	[STEP_SASL_FIRST] = {read_sasl_first, SASL_INITIAL_MAX},
	[STEP_SASL_FINAL] = {judge_sasl, SCRAM_TEXT_MAX},
};

enum clientauth_verdict clientauth_input(struct clientauth *a, const void *body, size_t n, struct buf *out)
{
	if (steps[a->step].input == NULL)
		return fail(a, "08P01", "unexpected password message", "password message out of order");
	if (n > steps[a->step].max)
		return clientauth_refuse(a);
	return steps[a->step].input(a, body, n, out);
}

const struct secret *clientauth_password(const struct clientauth *a)
{
	return a->given.data != NULL ? &a->given : NULL;
}

bool clientauth_is_waiting(const struct clientauth *a)
{
	return a->step == STEP_ELSEWHERE;
}

enum clientauth_verdict clientauth_told(struct clientauth *a, bool is_right, const char *error, const char *detail)
{
	CHECK(a->step == STEP_ELSEWHERE);
	if (is_right)
		return succeed(a);
	secret_drop(&a->given);
	return fail(a, "28000", error, detail);
}

size_t clientauth_message_max(const struct clientauth *a)
{
	return steps[a->step].max;
}

enum clientauth_verdict clientauth_refuse(struct clientauth *a)
{
	return deny(a, "authentication message too long");
}

const char *clientauth_error(const struct clientauth *a)
{
	return a->error;
}

const char *clientauth_sqlstate(const struct clientauth *a)
{
	return a->sqlstate;
}

const char *clientauth_detail(const struct clientauth *a)
{
	return a->detail;
}

bool clientauth_learnt(const struct clientauth *a, struct credential_keys *keys)
{
	if (!a->has_succeeded || !a->learnt.is_set)
		return false;
	*keys = a->learnt;
	return true;
}

const char *clientauth_method_name(const struct clientauth *a)
{
	static const char *const names[] = {
		[CLIENTAUTH_TRUST] = "trust",
		[CLIENTAUTH_PROVEN] = "proven",
		[CLIENTAUTH_PLAIN] = "plain",
		[CLIENTAUTH_OUTSIDE] = "outside",
		[CLIENTAUTH_MD5] = "md5",
		[CLIENTAUTH_SCRAM] = "scram-sha-256",
		[CLIENTAUTH_REJECT] = "reject",
	};

	return a->scram.is_plus ? "scram-sha-256-plus" : names[a->method];
}
