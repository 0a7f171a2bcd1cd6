/*
 * varset.c - the values that a client carries, and which names may be among them.
 */
#include "session/varset.h"

#include "base/mem.h"
#include "base/str.h"
#include "pool/pool.h"
#include "session/varsql.h"
#include "session/worker.h"

#include <string.h>

bool varset_is_bouncer(const struct client *c)
{
	return c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER;
}

/* reported, but not a client's to choose */
bool varset_is_volatile(const char *name)
{
	static const char *const names[] = {"server_version", "server_encoding", "integer_datetimes", "is_superuser",
					    "in_hot_standby"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is_equal_nocase(names[i], name))
			return true;
	return false;
}

static bool varset_is_listed(const char *list, const char *name)
{
	char word[VARSQL_NAME_SIZE];

	while (*list != '\0') {
		size_t n;

		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n < sizeof(word)) {
			memcpy(word, list, n);
			word[n] = '\0';
			if (n > 0 && str_is_equal_nocase(word, name))
				return true;
		}
		list += n;
	}
	return false;
}

bool varset_is_tracked(const struct client *c, const char *name)
{
	if (varset_is_volatile(name))
		return false;
	if (!varset_is_bouncer(c))
		return varsql_is_name(name) && (c->pool == NULL || !share_is_forbidden(c->pool->share, name));
	return varset_is_listed("client_encoding,DateStyle,TimeZone,standard_conforming_strings,application_name", name) ||
	       varset_is_listed(c->worker->home.conf->set.track_extra_parameters, name);
}

/* What tells one set of values from another, in whatever order they came; 0: "as the server came".  Never UINT64_MAX,
 * which is "nobody knows". */
static uint64_t varset_hash(const struct client *c)
{
	const char *name, *value;
	uint64_t sum = 0;
	size_t it = 0;

	if (c->vars == NULL || c->vars->pairs.len == 0)
		return 0;
	while (params_next(c->vars, &it, &name, &value)) {
		char lower[VARSQL_NAME_SIZE];
		uint64_t pair[2];
		size_t n = 0;

		for (; name[n] != '\0' && n < sizeof(lower); n++)
			lower[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] + 32) : name[n];
		pair[0] = hash_bytes(c->worker->vars_seed, lower, n);
		pair[1] = hash_bytes(c->worker->vars_seed, value, strlen(value));
		sum += hash_bytes(c->worker->vars_seed, pair, sizeof(pair));
	}
	return sum != 0 && sum != UINT64_MAX ? sum : 1;
}

bool varset_put(struct client *c, const char *name, const char *value)
{
	const char *have;

	if (c->vars == NULL) {
		struct varset *v = mem_object_new(MEM_VAR_LIST, sizeof(*v));

		if (v == NULL)
			return false;
		params_init(&v->now);
		params_init(&v->start);
		params_init(&v->known);
		buf_init(&v->unsaid, 0);
		c->vars = &v->now;
	}
	have = params_get(c->vars, name);
	if (have != NULL && strcmp(have, value) == 0)
		return true;
	if (params_set(c->vars, name, value) < 0)
		return false;
	c->vars_hash = varset_hash(c);
	return true;
}

void varset_free(struct client *c)
{
	struct varset *v;

	if (c->vars == NULL)
		return;
	v = varset_of(c);
	params_fini(&v->now);
	params_fini(&v->start);
	params_fini(&v->known);
	buf_fini(&v->unsaid);
	mem_free(v->pending_name);
	mem_object_free(MEM_VAR_LIST, v, sizeof(*v));
	c->vars = NULL;
}
