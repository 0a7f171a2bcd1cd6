/*
 * canon.c - the server's own spelling of what a client asked for at startup.
 */
#include "session/canon.h"

#include "base/cursor.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/frontend.h"
#include "proto/wire.h"
#include "session/entry_impl.h"
#include "session/vars.h"
#include "session/worker.h"

#include <string.h>

/* "share name=value": servers of different pools may be of different versions */
static void canon_key(const struct client *c, const char *name, const char *value, struct buf *key)
{
	buf_reset(key);
	(void)buf_append(key, &c->pool->share, sizeof(c->pool->share));
	(void)buf_printf(key, "%s=%s", name, value);
}

/* what the welcome says about a parameter; lent */
static const char *canon_welcomed(const struct share_welcome *welcome, const char *name)
{
	struct cursor at = cursor_over(welcome->bytes, welcome->len);

	while (cursor_left(&at) > 0) {
		const char *n, *v;

		(void)cursor_bytes(&at, WIRE_HEADER_LEN);
		n = cursor_cstr(&at);
		v = cursor_cstr(&at);
		if (at.bad)
			return NULL;
		if (str_is_equal_nocase(n, name))
			return v;
	}
	return NULL;
}

bool canon_is_known(struct client *c, const struct share_welcome *welcome)
{
	const char *name, *value;
	struct params known;
	struct buf key;
	size_t it = 0;
	bool all = true;

	if (c->vars == NULL)
		return true;
	params_init(&known);
	buf_init(&key, 0);
	while (all && params_next(c->vars, &it, &name, &value)) {
		const char *is = canon_welcomed(welcome, name);

		/* a name is free text; what the server says already needs no question */
		if (str_is_equal_nocase(name, "application_name") || (is != NULL && strcmp(is, value) == 0))
			is = value;
		else {
			canon_key(c, name, value, &key);
			is = key.bad ? NULL : hash_map_get(&c->worker->spellings, key.data, key.len);
		}
		all = is != NULL && params_set(&known, name, is) == 0;
	}
	if (all)
		vars_replace(c, &known);
	params_fini(&known);
	buf_fini(&key);
	return all;
}

static void canon_keep(struct client *c, struct server *s)
{
	struct worker *w = c->worker;
	const char *name, *value;
	struct buf key;
	size_t it = 0;

	buf_init(&key, 0);
	while (params_next(c->vars, &it, &name, &value)) {
		const char *is = params_get(&s->params, name);

		canon_key(c, name, value, &key);
		if (key.bad)
			continue;
		if (w->spellings.count >= CANON_KEEP)
			canon_fini(w);
		mem_free(hash_map_put(&w->spellings, key.data, key.len, mem_strdup(is != NULL ? is : value)));
	}
	buf_fini(&key);
}

void canon_fini(struct worker *w)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	while ((node = hash_map_next(&w->spellings, &it)) != NULL)
		mem_free(node->value);
	hash_map_fini(&w->spellings);
	hash_map_init(&w->spellings);
}

/* the values that the client has now in the server's words */
static void canon_replace(struct client *c, struct server *s)
{
	const char *name, *value;
	struct params known;
	size_t it = 0;

	params_init(&known);
	while (params_next(c->vars, &it, &name, &value)) {
		const char *is = params_get(&s->params, name);

		if (is != NULL && strcmp(is, value) != 0)
			client_log(c, LOG_DEBUG, "varcache_set_canonical: setting %s to its canonical version %s -> %s",
				   name, value, is);
		if (params_set(&known, name, is != NULL ? is : value) < 0)
			break; /* the client's own spelling stays: the same value in other words */
	}
	vars_replace(c, &known);
	params_fini(&known);
}

static void canon_on_quiet(struct server *s)
{
	struct client *c = s->rider;
	void (*done)(struct client *) = c->login->on_spelt;

	if (c->vars != NULL) {
		canon_keep(c, s);
		canon_replace(c, s);
	}
	s->vars_hash = c->vars_hash;
	if (c->state == CLIENT_ATTACHING)
		server_dismount(s);
	else
		lease_return(&c->lease, false);
	done(c);
}

static void canon_on_nothing(struct server *s FX_UNUSED)
{
}

static void canon_on_reply(struct server *s FX_UNUSED, struct chunk *chunk FX_UNUSED,
			   const uint8_t *data FX_UNUSED, size_t n FX_UNUSED)
{
}

static void canon_on_ready(struct server *s FX_UNUSED, char status FX_UNUSED)
{
}

static void canon_on_parameter(struct server *s FX_UNUSED, const char *name FX_UNUSED, const char *value FX_UNUSED)
{
}

/* what a former client has left to be notified of is nothing to one that is not logged in yet */
static bool canon_on_special(struct server *s FX_UNUSED, uint8_t type FX_UNUSED, const uint8_t *body FX_UNUSED,
			     size_t n FX_UNUSED)
{
	return true;
}

static void canon_on_tag(struct server *s FX_UNUSED, const char *tag FX_UNUSED)
{
}

static void canon_on_told(struct server *s FX_UNUSED, enum expect_outcome outcome FX_UNUSED)
{
}

static void canon_on_shape(struct server *s FX_UNUSED, uint64_t shape FX_UNUSED)
{
}

static void canon_on_ours_failed(struct server *s, const char *sqlstate, const char *message)
{
	vars_failed(s->rider, s, sqlstate, message);
}

static void canon_on_lost(struct server *s, enum server_end why FX_UNUSED, bool has_told FX_UNUSED)
{
	struct client *c = s->rider;

	lease_lost(&c->lease);
	client_fail(c, CLIENT_END_SERVER_LOST, NULL);
}

static const struct server_rider_ops canon_rider_ops = {
	.on_reply = canon_on_reply,
	.on_parsed = canon_on_nothing,
	.on_ready = canon_on_ready,
	.on_settled = canon_on_nothing,
	.on_quiet = canon_on_quiet,
	.on_parameter = canon_on_parameter,
	.on_told = canon_on_told,
	.on_tag = canon_on_tag,
	.on_shape = canon_on_shape,
	.on_special = canon_on_special,
	.on_ours_failed = canon_on_ours_failed,
	.on_room = canon_on_nothing,
	.on_lost = canon_on_lost,
};

/* an empty query of ours */
static bool canon_say_nothing(struct server *s)
{
	struct buf out;
	bool ok;

	buf_init(&out, 0);
	ok = frontend_query(&out, "") == 0 && server_note_ours(s, FE_QUERY);
	if (ok)
		server_send(s, out.data, out.len, NULL);
	buf_fini(&out);
	return ok;
}

void canon_ask(struct client *c, void (*done)(struct client *c))
{
	struct server *s = c->lease.server;

	c->login->on_spelt = done;
	server_ride(s, &canon_rider_ops, c);
	if (!vars_apply(c, s)) {
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	/* nothing had to be said: it has what the client wants; but only an answer shows that it is there at all */
	if (s->ours_unsent == 0 && !canon_say_nothing(s))
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
}
