/*
 * credential.c - reads stored secrets, strictly.
 */
#include "auth/credential.h"

#include "auth/b64.h"
#include "auth/scramkey.h"

#include <string.h>

#include "base/poison.h"

#define SCRAM_PREFIX "SCRAM-SHA-256$"

/* "md5" and 32 hex digits in lower case, as PostgreSQL takes it; all else is a password */
static bool is_md5(const char *text, size_t n)
{
	if (n != CREDENTIAL_MD5_LEN || memcmp(text, "md5", 3) != 0)
		return false;
	for (size_t i = 3; i < n; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return true;
}

/* The part up to sep (the whole rest when sep is 0); false when sep is missing. */
static bool take_part(const char **p, const char *end, char sep, const char **part, size_t *n)
{
	const char *stop = sep ? memchr(*p, sep, (size_t)(end - *p)) : end;

	if (stop == NULL)
		return false;
	*part = *p;
	*n = (size_t)(stop - *p);
	*p = sep ? stop + 1 : stop;
	return true;
}

static bool read_iterations(const char *text, size_t n, uint32_t *out)
{
	uint32_t v = 0;

	if (n < 1 || n > 10 || text[0] == '0')
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
			__builtin_add_overflow(v, (uint32_t)(text[i] - '0'), &v))
			return false;
	*out = v;
	return v <= INT32_MAX;
}

static bool read_key(const char *text, size_t n, uint8_t key[CREDENTIAL_KEY_LEN])
{
	size_t len;

	return b64_decode(text, n, key, CREDENTIAL_KEY_LEN, &len) == 0 && len == CREDENTIAL_KEY_LEN;
}

/* "SCRAM-SHA-256$i:salt$StoredKey:ServerKey" */
static bool parse_scram(struct credential *c, const char *text, size_t n)
{
	const char *p = text + strlen(SCRAM_PREFIX), *end = text + n, *part;
	size_t len;

	if (!take_part(&p, end, ':', &part, &len) || !read_iterations(part, len, &c->iterations))
		return false;
	if (!take_part(&p, end, '$', &part, &len) || len == 0 ||
		b64_decode(part, len, c->salt, sizeof(c->salt), &c->salt_len) < 0)
		return false;
	if (!take_part(&p, end, ':', &part, &len) || !read_key(part, len, c->stored_key))
		return false;
	return take_part(&p, end, '\0', &part, &len) && read_key(part, len, c->server_key);
}

int credential_parse(struct credential *c, const void *text, size_t n, const char **error)
{
	const size_t prefix = strlen(SCRAM_PREFIX);

	*c = (struct credential){.kind = CREDENTIAL_NONE};
	if (n == 0)
		return 0;
	if (n >= prefix && memcmp(text, SCRAM_PREFIX, prefix) == 0) {
		if (parse_scram(c, text, n)) {
			c->kind = CREDENTIAL_SCRAM;
			c->has_keys = true;
			return 0;
		}
		credential_fini(c);
		if (error != NULL)
			*error = "malformed SCRAM secret";
		return -1;
	}
	c->kind = is_md5(text, n) ? CREDENTIAL_MD5 : CREDENTIAL_PLAIN;
	secret_set(&c->text, text, n);
	return 0;
}

void credential_copy(struct credential *to, const struct credential *from)
{
	*to = *from;
	to->text = (struct secret){0};
	if (from->text.data != NULL)
		secret_set(&to->text, from->text.data, from->text.len);
}

void credential_fini(struct credential *c)
{
	secret_drop(&c->text);
	secret_wipe(c, sizeof(*c));
	c->kind = CREDENTIAL_NONE;
}

void credential_keys_wipe(struct credential_keys *k)
{
	secret_wipe(k, sizeof(*k));
}

void credential_derive(
	struct credential *c, const char *user, const uint8_t process_key[32], uint32_t iterations)
{
	struct credential_keys keys;

	if (c->kind != CREDENTIAL_PLAIN)
		return;
	scramkey_salt(process_key, user, c->salt);
	if (scramkey_derive(c->text.data, c->text.len, c->salt, SCRAMKEY_SALT_LEN, iterations, &keys) < 0)
		return;
	c->salt_len = SCRAMKEY_SALT_LEN;
	c->iterations = iterations;
	scramkey_stored(keys.client_key, c->stored_key);
	memcpy(c->server_key, keys.server_key, CREDENTIAL_KEY_LEN);
	c->has_keys = true;
	credential_keys_wipe(&keys);
}

bool credential_is_equal(const struct credential *a, const struct credential *b)
{
	bool equal = a->kind == b->kind;

	if (!equal)
		return false;
	if (a->kind != CREDENTIAL_SCRAM)
		return secret_is_equal(a->text.data, a->text.len, b->text.data, b->text.len);
	equal = a->iterations == b->iterations;
	equal &= secret_is_equal(a->salt, a->salt_len, b->salt, b->salt_len);
	equal &= secret_is_equal(a->stored_key, CREDENTIAL_KEY_LEN, b->stored_key, CREDENTIAL_KEY_LEN);
	equal &= secret_is_equal(a->server_key, CREDENTIAL_KEY_LEN, b->server_key, CREDENTIAL_KEY_LEN);
	return equal;
}

const char *credential_kind_name(enum credential_kind kind)
{
	static const char *const names[] = {
		[CREDENTIAL_NONE] = "none",
		[CREDENTIAL_PLAIN] = "plain",
		[CREDENTIAL_MD5] = "md5",
		[CREDENTIAL_SCRAM] = "scram-sha-256",
	};

	return names[kind];
}
