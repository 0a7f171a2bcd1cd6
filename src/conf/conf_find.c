/*
 * conf_find.c - look-ups in a snapshot.
 */
#include "conf/conf_state.h"

#include <string.h>

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

bool conf_find_lookup(const struct conf *c, const char *database, struct conf_lookup *out)
{
	const struct conf_database *db = database != NULL ? conf_find_database(c, database) : NULL;
	bool is_own = db != NULL && db->auth_dbname != NULL && db->auth_dbname[0] != '\0';

	out->user = db != NULL && db->auth_user != NULL ? db->auth_user : c->set.auth_user;
	out->query = db != NULL && db->auth_query != NULL ? db->auth_query : c->set.auth_query;
	out->database = is_own ? db->auth_dbname : c->set.auth_dbname[0] != '\0' ? c->set.auth_dbname : NULL;
	if (out->database == NULL && db != NULL)
		out->database = database;
	return out->user[0] != '\0' && out->query[0] != '\0';
}
