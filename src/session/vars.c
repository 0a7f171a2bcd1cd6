/*
 * vars.c - parameters that follow a client from server to server.
 */
#include "session/vars.h"

#include "base/mem.h"
#include "base/str.h"
#include "proto/frontend.h"
#include "proto/reply.h"
#include "session/worker.h"

#include <string.h>

#define VARS_NAME_SIZE 64 /* NAMEDATALEN */

static const char *const vars_names[] = {"client_encoding", "DateStyle",	"TimeZone", "standard_conforming_strings",
					 "application_name", "IntervalStyle"};

bool vars_is_tracked(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(vars_names); i++)
		if (str_is_equal_nocase(vars_names[i], name))
			return true;
	return false;
}

/* what tells one set of values from another; never 0, which is "as the server came" */
static uint64_t vars_hash(const struct client *c)
{
	uint64_t hash;

	if (c->vars == NULL || c->vars->pairs.len == 0)
		return 0;
	hash = hash_bytes(c->worker->vars_seed, c->vars->pairs.data, c->vars->pairs.len);
	return hash != 0 ? hash : 1;
}

static bool vars_put(struct client *c, const char *name, const char *value)
{
	if (c->vars == NULL) {
		c->vars = mem_object_new(MEM_VAR_LIST, sizeof(*c->vars));
		if (c->vars == NULL)
			return false;
		params_init(c->vars);
	}
	if (params_set(c->vars, name, value) < 0)
		return false;
	c->vars_hash = vars_hash(c);
	return true;
}

/* PostgreSQL itself cuts an application's name and allows only ASCII in it */
static void vars_clean_name(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from != '\0' && n + 1 < size; from++)
		to[n++] = *from >= 0x20 && *from < 0x7f ? *from : '?';
	to[n] = '\0';
}

bool vars_set(struct client *c, const char *name, const char *value)
{
	char clean[VARS_NAME_SIZE];

	if (!str_is_equal_nocase(name, "application_name"))
		return vars_is_tracked(name) && vars_put(c, name, value);
	vars_clean_name(clean, sizeof(clean), value);
	mem_free(c->application_name);
	c->application_name = mem_strdup(clean);
	return vars_put(c, name, clean);
}

void vars_replace(struct client *c, const struct params *values)
{
	const char *name, *value;
	size_t it = 0;

	while (params_next(values, &it, &name, &value))
		(void)vars_put(c, name, value);
}

void vars_reported(struct client *c, struct server *s, const char *name, const char *value)
{
	if (!vars_is_tracked(name))
		return;
	if (!vars_put(c, name, value)) {
		/* the next server would not know, so the client can't be served as it was told */
		s->vars_hash = UINT64_MAX;
		client_fail(c, CLIENT_END_NO_MEMORY, NULL);
		return;
	}
	s->vars_hash = c->vars_hash;
	if (str_is_equal_nocase(name, "application_name")) {
		mem_free(c->application_name);
		c->application_name = mem_strndup(value, 64);
	}
}

/* E'...' means the same whatever standard_conforming_strings says; only ASCII, so that no encoding can hide a quote */
static void vars_quote(struct buf *out, const char *value)
{
	(void)buf_append_str(out, "E'");
	for (; *value != '\0'; value++) {
		uint8_t ch = (uint8_t)*value;

		if (ch == '\'' || ch == '\\')
			(void)buf_append_u8(out, ch);
		(void)buf_append_u8(out, ch < 0x80 ? ch : '?');
	}
	(void)buf_append_str(out, "'");
}

static void vars_difference(const struct client *c, const struct server *s, struct buf *sql)
{
	for (size_t i = 0; i < ARRAY_LEN(vars_names); i++) {
		const char *name = vars_names[i];
		const char *want = c->vars != NULL ? params_get(c->vars, name) : NULL;
		const char *have = params_get(&s->params, name);

		if (want == NULL)
			want = params_get(&s->base, name);
		/* a parameter that this server never reports can't be compared, so it is left alone */
		if (want == NULL || have == NULL || strcmp(want, have) == 0)
			continue;
		(void)buf_printf(sql, "SET %s=", name);
		vars_quote(sql, want);
		(void)buf_append_str(sql, ";");
	}
}

bool vars_apply(struct client *c, struct server *s)
{
	struct buf sql, out;
	bool ok;

	s->ours_unsent = 0;
	if (FX_LIKELY(c->vars_hash == s->vars_hash))
		return true;
	buf_init(&sql, PARAMS_MAX * 2);
	buf_init(&out, PARAMS_MAX * 2 + 64);
	vars_difference(c, s, &sql);
	ok = !sql.bad && (sql.len == 0 || (frontend_query(&out, buf_text(&sql)) == 0 && server_note_ours(s, FE_QUERY)));
	if (ok && out.len > 0) {
		server_send(s, out.data, out.len, NULL);
		s->ours_unsent = out.len;
	}
	s->vars_hash = ok ? c->vars_hash : UINT64_MAX;
	buf_fini(&sql);
	buf_fini(&out);
	return ok;
}

void vars_greet(const struct client *c, struct buf *out)
{
	const char *name, *value;
	size_t it = 0;

	if (c->vars == NULL)
		return;
	while (params_next(c->vars, &it, &name, &value))
		(void)reply_parameter(out, name, value);
}

void vars_free(struct client *c)
{
	if (c->vars == NULL)
		return;
	params_fini(c->vars);
	mem_object_free(MEM_VAR_LIST, c->vars, sizeof(*c->vars));
	c->vars = NULL;
}
