/*
 * vars.c - parameters that follow a client from server to server.
 *
 * client->vars is what the client has now.  A name that a server has reported is
 * compared with what it reported last; any other with server->loose, which holds
 * what we have set there ourselves.
 */
#include "session/vars.h"

#include "base/cursor.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/frontend.h"
#include "proto/reply.h"
#include "session/varreset.h"
#include "session/varset.h"
#include "session/varsql.h"
#include "session/worker.h"

#include <stdio.h>
#include <string.h>

#define VARS_APP_SIZE 64 /* NAMEDATALEN */

/* PostgreSQL itself cuts an application's name and allows only ASCII in it */
static void vars_clean_name(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from != '\0' && n + 1 < size; from++)
		to[n++] = *from >= 0x20 && *from < 0x7f ? *from : '?';
	to[n] = '\0';
}

static bool vars_set_application(struct client *c, const char *value)
{
	char clean[VARS_APP_SIZE];

	vars_clean_name(clean, sizeof(clean), value);
	mem_free(c->application_name);
	c->application_name = mem_strdup(clean);
	return varset_put(c, "application_name", clean);
}

static bool vars_refuse(struct client *c, const char *sqlstate, const char *what, const char *name, const char *end)
{
	struct buf text;

	buf_init(&text, 0);
	(void)buf_printf(&text, "%s \"%s\"%s", what, name, end);
	client_fail_as(c, CLIENT_END_STARTUP, sqlstate, buf_text(&text));
	buf_fini(&text);
	return false;
}

bool vars_set(struct client *c, const char *name, const char *value)
{
	if (str_is_equal_nocase(name, "application_name"))
		return vars_set_application(c, value);
	if (varset_is_bouncer(c))
		return varset_is_tracked(c, name) && varset_put(c, name, value);
	if (varset_is_volatile(name))
		return vars_refuse(c, "55P02", "parameter", name, " cannot be changed");
	if (!varsql_is_name(name))
		return vars_refuse(c, "42704", "unrecognized configuration parameter", name, "");
	return varset_put(c, name, value);
}

void vars_complete(struct client *c)
{
	const char *app = c->application_name != NULL ? c->application_name : "app";
	char text[VARS_APP_SIZE + ADDR_TEXT_MAX + 32], addr[ADDR_TEXT_MAX];

	if (!c->worker->home.conf->set.application_name_add_host)
		return;
	addr_format(&c->peer, addr, sizeof(addr));
	if (c->peer.family == ADDR_UNIX)
		snprintf(text, sizeof(text), "%s - unix:%u", app,
			 (unsigned)c->worker->home.conf->set.listen_port);
	else
		snprintf(text, sizeof(text), c->peer.family == ADDR_IPV6 ? "%s - [%s]:%u" : "%s - %s:%u", app, addr,
			 c->peer.port);
	(void)vars_set_application(c, text);
}

bool vars_started(struct client *c)
{
	return c->vars == NULL || params_copy(&varset_of(c)->start, c->vars) == 0;
}

void vars_replace(struct client *c, const struct params *values)
{
	const char *name, *value;
	size_t it = 0;

	while (params_next(values, &it, &name, &value))
		if (!varset_put(c, name, value))
			return; /* the others stay as the client wrote them */
}

/* --- while it works --- */

void vars_reported(struct client *c, struct server *s, const char *name, const char *value)
{
	bool was_known = s->vars_hash == c->vars_hash;

	if (!varset_is_tracked(c, name))
		return;
	if (expect_is_quiet(&s->expect)) {
		/* nobody has asked for it: it is the server's own */
		if (params_set(&s->base, name, value) < 0)
			s->is_outdated = true;
		s->vars_hash = UINT64_MAX;
		return;
	}
	if (!varreset_note(c, s, name) || !varset_put(c, name, value)) {
		/* the next server would not know, so the client can't be served as it was told */
		s->vars_hash = UINT64_MAX;
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	if (was_known)
		s->vars_hash = c->vars_hash;
	if (str_is_equal_nocase(name, "application_name")) {
		mem_free(c->application_name);
		c->application_name = mem_strndup(value, 64);
	}
}

const char *vars_encoding(const struct server *s, const struct params *now)
{
	const char *own = params_get(&s->params, "server_encoding");
	const char *told = now != NULL ? params_get(now, "client_encoding") : NULL;

	if (told == NULL)
		told = params_get(&s->base, "client_encoding");
	return told == NULL || own == NULL || str_is_equal_nocase(own, told) ? NULL : told;
}

/* what was set for others and this client knows nothing of */
static bool vars_take_away(const struct client *c, struct server *s, struct buf *sql)
{
	const char *name, *value;
	struct params left;
	size_t it = 0;
	bool ok = true;

	if (s->loose.pairs.len == 0)
		return true;
	params_init(&left);
	while (params_next(&s->loose, &it, &name, &value)) {
		if (c->vars == NULL || params_get(c->vars, name) == NULL)
			varsql_reset(sql, name);
		else
			ok &= params_set(&left, name, value) == 0;
	}
	params_fini(&s->loose);
	s->loose = left;
	return ok;
}

/* one of the client's own values */
static bool vars_give(const struct client *c, struct server *s, struct buf *sql, const char *name, const char *value)
{
	const char *have = params_get(&s->params, name);

	if (have != NULL) {
		if (strcmp(have, value) != 0 && varset_is_tracked(c, name))
			varsql_set(sql, name, value, vars_encoding(s, c->vars), VARSQL_AT_REST);
		return true;
	}
	have = s->is_loose_stale ? NULL : params_get(&s->loose, name);
	if (have != NULL && strcmp(have, value) == 0)
		return true;
	varsql_set(sql, name, value, NULL, VARSQL_AT_REST);
	return params_set(&s->loose, name, value) == 0;
}

/* what others have changed and the client has no opinion on */
static void vars_give_base(const struct client *c, struct server *s, struct buf *sql, bool who)
{
	const char *name, *value;
	size_t it = 0;

	while (params_next(&s->base, &it, &name, &value)) {
		const char *have = params_get(&s->params, name);

		/* who it is comes first: the rest may be allowed to some only */
		if (str_is_equal_nocase(name, "session_authorization") != who || have == NULL ||
		    strcmp(have, value) == 0 || (c->vars != NULL && params_get(c->vars, name) != NULL) ||
		    !varset_is_tracked(c, name))
			continue;
		varsql_set(sql, name, value, vars_encoding(s, NULL), VARSQL_AT_REST);
	}
}

static bool vars_difference(const struct client *c, struct server *s, struct buf *sql)
{
	const char *name, *value;
	bool ok = params_copy(&s->was_loose, &s->loose) == 0 && vars_take_away(c, s, sql);
	size_t it = 0;

	vars_give_base(c, s, sql, true);
	while (c->vars != NULL && ok && params_next(c->vars, &it, &name, &value))
		ok = vars_give(c, s, sql, name, value);
	vars_give_base(c, s, sql, false);
	return ok && !sql->bad;
}

long vars_say(struct server *s, struct buf *sql)
{
	struct buf out;
	long sent = 0;

	if (sql->len == 0)
		return 0;
	buf_init(&out, sql->len + 64);
	if (frontend_query(&out, buf_text(sql)) < 0 || !server_note_ours(s, FE_QUERY)) {
		sent = -1;
	} else {
		server_send(s, out.data, out.len, NULL);
		sent = (long)out.len;
	}
	buf_fini(&out);
	return sent;
}

/* as PgBouncer's log has it, where tests look for it: without the E of the constants */
static void vars_log(const struct client *c, struct buf *sql)
{
	struct buf text;
	const char *p, *e;

	if (!log_is_on(LOG_DEBUG) || sql->len == 0)
		return;
	buf_init(&text, PARAMS_MAX * 8);
	for (p = buf_text(sql); (e = strstr(p, "=E'")) != NULL; p = e + 2) {
		(void)buf_append(&text, p, (size_t)(e - p));
		(void)buf_append_u8(&text, '=');
	}
	(void)buf_append_str(&text, p);
	client_log(c, LOG_DEBUG, "varcache_apply: %s", buf_text(&text));
	buf_fini(&text);
}

bool vars_apply(struct client *c, struct server *s)
{
	struct buf sql;
	long sent;

	s->ours_unsent = 0;
	if (FX_LIKELY(c->vars_hash == s->vars_hash))
		return true;
	buf_init(&sql, PARAMS_MAX * 8);
	sent = vars_difference(c, s, &sql) ? vars_say(s, &sql) : -1;
	vars_log(c, &sql);
	buf_fini(&sql);
	if (sent < 0) {
		s->vars_hash = UINT64_MAX;
		s->is_loose_stale = true;
		return false;
	}
	s->ours_unsent = (size_t)sent;
	s->is_loose_stale = false;
	s->vars_hash = c->vars_hash;
	return true;
}

void vars_failed(struct client *c, struct server *s, const char *sqlstate, const char *message)
{
	const char *from = strchr(message, '"'), *to = from != NULL ? strchr(from + 1, '"') : NULL;
	char name[VARSQL_NAME_SIZE];

	/* what a query sets it sets as a whole or not at all */
	params_fini(&s->loose);
	s->loose = s->was_loose;
	params_init(&s->was_loose);
	s->vars_hash = UINT64_MAX;
	s->is_loose_stale = true;
	if (varreset_may_repeat(c, s, sqlstate) && vars_apply(c, s))
		return;
	/* a parameter that is reported and nobody can set: no client shall follow it again */
	if (strcmp(sqlstate, "55P02") == 0 && to != NULL && (size_t)(to - from) < sizeof(name)) {
		(void)str_copy(name, (size_t)(to - from), from + 1);
		if (params_get(&s->params, name) != NULL)
			share_forbid(c->pool->share, name);
	}
	client_fail_as(c, CLIENT_END_STARTUP, sqlstate, message);
}

/* --- greeting --- */

void vars_greet(const struct client *c, const struct share_welcome *welcome, struct buf *out)
{
	struct cursor at = cursor_over(welcome->bytes, welcome->len);

	while (cursor_left(&at) > 0) {
		const char *name, *value, *own;

		(void)cursor_bytes(&at, WIRE_HEADER_LEN);
		name = cursor_cstr(&at);
		value = cursor_cstr(&at);
		if (at.bad)
			return;
		own = c->vars != NULL ? params_get(c->vars, name) : NULL;
		(void)reply_parameter(out, name, own != NULL ? own : value);
	}
}

void vars_greet_of(const struct server *s, struct buf *out)
{
	const char *name, *value;
	size_t it = 0;

	while (params_next(&s->params, &it, &name, &value))
		(void)reply_parameter(out, name, value);
}

void vars_free(struct client *c)
{
	varset_free(c);
}
