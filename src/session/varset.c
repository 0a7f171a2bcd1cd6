/*
 * varset.c - the values that a client carries, and which names may be among them.
 */
#include "session/varset.h"

#include "base/mem.h"
#include "base/str.h"
#include "session/canon.h"
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
		return varsql_is_name(name) && !canon_is_forbidden(c, name);
	return varset_is_listed("client_encoding,DateStyle,TimeZone,standard_conforming_strings,application_name", name) ||
	       varset_is_listed(c->worker->home.conf->set.track_extra_parameters, name);
}

/* What tells one set of values from another, in whatever order they came; 0: "as the server came".  Never UINT64_MAX,
 * which is "nobody knows". */
static uint64_t varset_hash(const struct client *c)
{
	const char *name, *value;
	uint64_t sum = 0;
	struct buf pair;
	size_t it = 0;

	if (c->vars == NULL || c->vars->pairs.len == 0)
		return 0;
	buf_init(&pair, 0);
	while (params_next(c->vars, &it, &name, &value)) {
		buf_reset(&pair);
		for (; *name != '\0'; name++)
			(void)buf_append_u8(&pair, (uint8_t)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name));
		(void)buf_append_u8(&pair, 0);
		(void)buf_append_cstr(&pair, value);
		sum += hash_bytes(c->worker->vars_seed, pair.data, pair.len);
	}
	if (pair.bad)
		sum = c->id; /* compared one by one, then */
	buf_fini(&pair);
	return sum != 0 && sum != UINT64_MAX ? sum : 1;
}

bool varset_put(struct client *c, const char *name, const char *value)
{
	if (c->vars == NULL) {
		struct varset *v = mem_object_new(MEM_VAR_LIST, sizeof(*v));

		if (v == NULL)
			return false;
		params_init(&v->now);
		params_init(&v->start);
		c->vars = &v->now;
	}
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
	mem_free(v->pending_name);
	mem_object_free(MEM_VAR_LIST, v, sizeof(*v));
	c->vars = NULL;
}
