/*
 * rotation.c - a user with two valid secrets.
 */
#include "auth/rotation.h"

#include "auth/scramkey.h"
#include "base/str.h"

#include <string.h>

#include "base/poison.h"

int rotation_read(const struct conf_secret *s, struct credential pair[2], const char **error)
{
	pair[0] = pair[1] = (struct credential){.kind = CREDENTIAL_NONE};
	if (s == NULL || !s->has_secret)
		return 0;
	if (credential_parse(&pair[0], s->secret.data, s->secret.len, error) == 0 &&
		(s->second.data == NULL || credential_parse(&pair[1], s->second.data, s->second.len, error) == 0))
		return 0;
	rotation_fini(pair);
	return -1;
}

bool rotation_most_are_scram(const struct conf *conf)
{
	/* the first few tell; this runs for every login */
	size_t n = conf->secrets < 8 ? conf->secrets : 8, scram = 0;

	for (size_t i = 0; i < n; i++)
		if (conf->secret[i].has_secret &&
		    str_starts_with((const char *)conf->secret[i].secret.data, "SCRAM-SHA-256$"))
			scram++;
	return n > 0 && scram * 2 > n;
}

void rotation_fini(struct credential pair[2])
{
	credential_fini(&pair[0]);
	credential_fini(&pair[1]);
}

void rotation_sort(struct credential *first, struct credential *second)
{
	static const int rank[] = {
		[CREDENTIAL_SCRAM] = 0, [CREDENTIAL_PLAIN] = 1, [CREDENTIAL_MD5] = 2, [CREDENTIAL_NONE] = 3};
	struct credential other;

	if (rank[first->kind] <= rank[second->kind])
		return;
	other = *first;
	*first = *second;
	*second = other;
	secret_wipe(&other, sizeof(other));
}

void rotation_keys(const struct credential *second, struct scram_cache *cache, const char *user, const uint8_t *salt,
	size_t salt_len, uint32_t iterations, uint8_t stored[CREDENTIAL_KEY_LEN], uint8_t server[CREDENTIAL_KEY_LEN])
{
	struct credential_keys keys;

	memset(stored, 0, CREDENTIAL_KEY_LEN);
	memset(server, 0, CREDENTIAL_KEY_LEN);
	if (second->kind == CREDENTIAL_SCRAM && second->iterations == iterations &&
		secret_is_equal(second->salt, second->salt_len, salt, salt_len)) {
		memcpy(stored, second->stored_key, CREDENTIAL_KEY_LEN);
		memcpy(server, second->server_key, CREDENTIAL_KEY_LEN);
	} else if (second->kind == CREDENTIAL_PLAIN &&
		   scram_cache_derive(cache, user, second->text.data, second->text.len, salt, salt_len, iterations, &keys) == 0) {
		scramkey_stored(keys.client_key, stored);
		memcpy(server, keys.server_key, CREDENTIAL_KEY_LEN);
		credential_keys_wipe(&keys);
	}
}
