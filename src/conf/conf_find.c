/*
 * conf_find.c - look-ups in a snapshot.
 */
#include "conf/conf_state.h"

const struct conf_database *conf_find_database(const struct conf *c, const char *name)
{
	const struct hash_map *map = &c->state->by_database;
	uintptr_t at = (uintptr_t)hash_map_find(map, name);

	if (at == 0)
		at = (uintptr_t)hash_map_find(map, "*");
	return at != 0 ? &c->database[at - 1] : NULL;
}

const struct conf_user *conf_find_user(const struct conf *c, const char *name)
{
	uintptr_t at = (uintptr_t)hash_map_find(&c->state->by_user, name);

	return at != 0 ? &c->user[at - 1] : NULL;
}

const struct conf_secret *conf_find_secret(const struct conf *c, const char *user)
{
	return userlist_find(c->state->secrets, user);
}
