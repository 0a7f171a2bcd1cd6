/*
 * pgmodel.c - what a PostgreSQL backend answers.
 */
#include "pgmodel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANCELLED "57014"

uint32_t pgm_schema;

void pgm_init(struct pgm *m)
{
	memset(m, 0, sizeof(*m));
	m->tx = 'I';
}

void pgm_fini(struct pgm *m)
{
	bytes_free(&m->out);
	free(m->stmt.at);
	free(m->portal.at);
	m->stmt = m->portal = (struct pgm_set){.count = 0};
}

void pgm_set_copy(struct pgm_set *to, const struct pgm_set *from)
{
	if (to->cap < from->count) {
		to->cap = from->count;
		to->at = realloc(to->at, to->cap * sizeof(*to->at));
		CHECK(to->at != NULL);
	}
	to->count = from->count;
	if (from->count > 0)
		memcpy(to->at, from->at, from->count * sizeof(*to->at));
}

void pgm_fork(struct pgm *copy, const struct pgm *of)
{
	*copy = *of;
	copy->out = (struct bytes){.data = NULL};
	copy->stmt = copy->portal = (struct pgm_set){.count = 0};
	pgm_set_copy(&copy->stmt, &of->stmt);
	pgm_set_copy(&copy->portal, &of->portal);
}

static void pgm_copy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (n >= size)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

/* tokens look like c12r7.1 */
void pgm_owner(const char *text, char *out)
{
	const char *p = text;

	out[0] = '\0';
	while ((p = strstr(p, "<c")) != NULL) {
		size_t n = strspn(p + 2, "0123456789");

		if (n > 0 && n < 8 && p[2 + n] == 'r') {
			snprintf(out, 16, "%.*s", (int)n + 1, p + 1);
			return;
		}
		p++;
	}
}

static void pgm_report_from(struct bytes *out, char type, const char *severity, const char *code, const char *text,
			    const char *routine)
{
	uint32_t at = bytes_begin(out, type);

	bytes_u8(out, 'S');
	bytes_str(out, severity);
	bytes_u8(out, 'V');
	bytes_str(out, severity);
	bytes_u8(out, 'C');
	bytes_str(out, code);
	bytes_u8(out, 'M');
	bytes_str(out, text);
	if (routine != NULL) {
		bytes_u8(out, 'R');
		bytes_str(out, routine);
	}
	bytes_u8(out, 0);
	bytes_end(out, at);
}

void pgm_report(struct bytes *out, char type, const char *severity, const char *code, const char *text)
{
	pgm_report_from(out, type, severity, code, text, NULL);
}

static void pgm_ready(struct pgm *m)
{
	uint32_t at = bytes_begin(&m->out, 'Z');

	if (m->tx == 'I')
		m->portal.count = 0;
	bytes_u8(&m->out, (uint8_t)m->tx);
	bytes_end(&m->out, at);
	m->wants_flush = true;
}

static void pgm_error_from(struct pgm *m, const char *code, const char *text, const char *routine)
{
	pgm_report_from(&m->out, 'E', "ERROR", code, text, routine);
	m->wants_flush = true; /* PostgreSQL sends reports at once */
	m->todo_at = m->todo_count = 0;
	m->is_odd = m->is_odd || (m->is_copying && m->has_ignored_sync);
	m->is_copying = false;
	if (m->tx == 'T')
		m->tx = 'E';
	if (m->is_extended)
		m->is_skipping = true;
	else
		pgm_ready(m);
}

static void pgm_error(struct pgm *m, const char *code, const char *text)
{
	pgm_error_from(m, code, text, NULL);
}

static void pgm_error_name(struct pgm *m, const char *code, const char *name, const char *what)
{
	char text[160];

	if (name[0] == '\0')
		snprintf(text, sizeof(text), "unnamed prepared statement %s", what);
	else
		snprintf(text, sizeof(text), "prepared statement \"%s\" %s", name, what);
	pgm_error(m, code, text);
}

struct pgm_named *pgm_find(const struct pgm_set *set, const char *name)
{
	for (unsigned i = 0; i < set->count; i++)
		if (strcmp(set->at[i].name, name) == 0)
			return &set->at[i];
	return NULL;
}

static void pgm_drop(struct pgm_set *set, const char *name)
{
	struct pgm_named *n = pgm_find(set, name);

	if (n != NULL)
		*n = set->at[--set->count];
}

void pgm_forget_unnamed(struct pgm *m)
{
	pgm_drop(&m->stmt, "");
	m->is_unsure = false;
}

static struct pgm_named *pgm_store(struct pgm_set *set, const char *name, const char *text)
{
	struct pgm_named *n;

	pgm_drop(set, name);
	if (set->count == set->cap) {
		set->cap = set->cap * 2 + 4;
		set->at = realloc(set->at, set->cap * sizeof(*set->at));
		CHECK(set->at != NULL);
	}
	n = &set->at[set->count++];
	memset(n, 0, sizeof(*n));
	pgm_copy(n->name, name, sizeof(n->name));
	/* an empty statement still exists */
	pgm_copy(n->text, text[0] != '\0' ? text : " ", sizeof(n->text));
	return n;
}

/* The next word of *p. */
static void pgm_word(const char **p, char *word, size_t size)
{
	size_t n;

	*p += strspn(*p, " ");
	n = strcspn(*p, " ;");
	snprintf(word, size, "%.*s", (int)n, *p);
	*p += n;
}

struct pgm_call {
	char verb[24], token[96];
	uint32_t n, width;
};

static void pgm_parse(const char *text, struct pgm_call *c)
{
	const char *p = text;
	char number[24];

	memset(c, 0, sizeof(*c));
	pgm_word(&p, c->verb, sizeof(c->verb));
	if (strcmp(c->verb, "sleep") == 0) {
		pgm_word(&p, number, sizeof(number));
		c->n = (uint32_t)strtoul(number, NULL, 10);
		pgm_word(&p, c->token, sizeof(c->token));
		return;
	}
	pgm_word(&p, c->token, sizeof(c->token));
	pgm_word(&p, number, sizeof(number));
	c->n = (uint32_t)strtoul(number, NULL, 10);
	pgm_word(&p, number, sizeof(number));
	c->width = (uint32_t)strtoul(number, NULL, 10);
}

static bool pgm_is(const struct pgm_call *c, const char *verb)
{
	return strcasecmp(c->verb, verb) == 0;
}

static bool pgm_has_rows(const struct pgm_call *c)
{
	return pgm_is(c, "echo") || pgm_is(c, "sleep") || pgm_is(c, "show") || pgm_is(c, "select") ||
	       pgm_is(c, "app") || pgm_is(c, "tell") || pgm_is(c, "plan");
}

static void pgm_row_description(struct pgm *m)
{
	uint32_t at = bytes_begin(&m->out, 'T');

	bytes_u16(&m->out, 1);
	bytes_str(&m->out, "value");
	bytes_u32(&m->out, 0);
	bytes_u16(&m->out, 0);
	bytes_u32(&m->out, 25);
	bytes_u16(&m->out, 0xFFFF);
	bytes_u32(&m->out, 0xFFFFFFFF);
	bytes_u16(&m->out, 0);
	bytes_end(&m->out, at);
}

static void pgm_value(struct pgm *m, char type, const char *token, uint32_t i, uint32_t width)
{
	uint32_t at = bytes_begin(&m->out, type), len_at;
	char head[64];
	uint32_t n;

	if (type == 'D')
		bytes_u16(&m->out, 1);
	len_at = m->out.len;
	if (type == 'D')
		bytes_u32(&m->out, 0);
	n = (uint32_t)snprintf(head, sizeof(head), "%s:%u", token, i);
	bytes_put(&m->out, head, n);
	while (n < width) {
		uint32_t more = width - n < 16 ? width - n : 16;

		bytes_put(&m->out, head, more < (uint32_t)strlen(head) ? more : (more = (uint32_t)strlen(head)));
		n += more;
	}
	if (type == 'D')
		for (uint32_t k = 0; k < 4; k++)
			m->out.data[len_at + k] = (uint8_t)(n >> (24 - 8 * k));
	bytes_end(&m->out, at);
}

static void pgm_tag(struct pgm *m, const char *tag, uint32_t n)
{
	char text[64];

	snprintf(text, sizeof(text), n == UINT32_MAX ? "%s" : "%s %u", tag, n);
	bytes_msg_str(&m->out, 'C', text);
}

#define NO_COUNT UINT32_MAX

static void pgm_rows(struct pgm *m, const struct pgm_call *c, const char *value, uint32_t rows)
{
	struct pgm_named *portal = m->is_extended ? pgm_find(&m->portal, m->running) : NULL;
	uint32_t from = portal != NULL ? portal->row : 0, upto = rows;

	if (!m->is_extended)
		pgm_row_description(m);
	if (portal != NULL && m->max_rows > 0 && from + m->max_rows <= rows)
		upto = from + m->max_rows;
	for (uint32_t i = from; i < upto; i++)
		pgm_value(m, 'D', value, i, c->width);
	if (portal != NULL)
		portal->row = upto;
	if (portal != NULL && m->max_rows > 0 && upto - from == m->max_rows)
		bytes_msg(&m->out, 's');
	else
		pgm_tag(m, pgm_is(c, "show") ? "SHOW" : "SELECT", pgm_is(c, "show") ? NO_COUNT : upto - from);
}

static void pgm_copy_out(struct pgm *m, const struct pgm_call *c)
{
	uint32_t at = bytes_begin(&m->out, 'H');

	bytes_u8(&m->out, 0);
	bytes_u16(&m->out, 1);
	bytes_u16(&m->out, 0);
	bytes_end(&m->out, at);
	for (uint32_t i = 0; i < c->n; i++)
		pgm_value(m, 'd', c->token, i, c->width);
	bytes_msg(&m->out, 'c');
	pgm_tag(m, "COPY", c->n);
}

static void pgm_copy_in(struct pgm *m, const struct pgm_call *c)
{
	uint32_t at = bytes_begin(&m->out, 'G');

	bytes_u8(&m->out, 0);
	bytes_u16(&m->out, 1);
	bytes_u16(&m->out, 0);
	bytes_end(&m->out, at);
	m->wants_flush = true;
	m->is_copying = true;
	m->has_ignored_sync = false;
	m->copy_fails_at = c->n;
	m->copy_seen = 0;
	m->copy_sum = 1;
	pgm_copy(m->copy_token, c->token, sizeof(m->copy_token));
}

static void pgm_transaction(struct pgm *m, const struct pgm_call *c)
{
	if (pgm_is(c, "begin")) {
		if (m->tx == 'I')
			m->tx = 'T';
		pgm_tag(m, "BEGIN", NO_COUNT);
		return;
	}
	pgm_tag(m, m->tx == 'E' || pgm_is(c, "rollback") ? "ROLLBACK" : "COMMIT", NO_COUNT);
	m->tx = 'I';
}

static void pgm_set_app(struct pgm *m, const char *value, size_t n)
{
	char text[40];
	uint32_t at;

	snprintf(text, sizeof(text), "%.*s", (int)n, value);
	if (strcmp(text, m->app) == 0)
		return;
	pgm_copy(m->app, text, sizeof(m->app));
	if (m->is_mute)
		return;
	at = bytes_begin(&m->out, 'S');
	bytes_str(&m->out, "application_name");
	bytes_str(&m->out, m->app);
	bytes_end(&m->out, at);
}

/* SET name=E'value', as a pooler says it */
static void pgm_set(struct pgm *m, const struct pgm_call *c)
{
	static const char app[] = "application_name=E'";
	size_t n = strlen(c->token);

	if (strncmp(c->token, app, sizeof(app) - 1) == 0 && n > sizeof(app) - 1 && c->token[n - 1] == '\'')
		pgm_set_app(m, c->token + sizeof(app) - 1, n - sizeof(app));
	pgm_tag(m, "SET", NO_COUNT);
}

static void pgm_discard(struct pgm *m)
{
	pgm_set_app(m, m->app_base, strlen(m->app_base));
	m->var[0] = '\0';
	m->stmt.count = m->portal.count = 0;
	pgm_tag(m, "DISCARD ALL", NO_COUNT);
}

/* what the statement was prepared with is in its answer */
static void pgm_tell(struct pgm *m, const struct pgm_call *c)
{
	const struct pgm_named *portal = m->is_extended ? pgm_find(&m->portal, m->running) : NULL;
	char value[128];
	int n;

	n = snprintf(value, sizeof(value), "%s%.20s", portal != NULL ? portal->arg : "", c->token);
	for (unsigned i = 0; portal != NULL && i < portal->types; i++)
		n += snprintf(value + n, sizeof(value) - (size_t)n, "/%u", portal->type[i]);
	pgm_rows(m, c, value, c->n);
}

/* DEALLOCATE [PREPARE] name, with comments in front and quotes around, as the scripts say it */
static void pgm_deallocate(struct pgm *m, const char *text)
{
	char word[96];
	bool quoted;

	for (;;) {
		if (strncmp(text, "/*", 2) == 0)
			text = strstr(text, "*/") + 2;
		pgm_word(&text, word, sizeof(word));
		if (strcasecmp(word, "deallocate") != 0 && strcasecmp(word, "prepare") != 0 &&
		    strcmp(word, "/**/") != 0)
			break;
	}
	if (strcasecmp(word, "all") == 0) {
		m->stmt.count = 0;
		pgm_tag(m, "DEALLOCATE ALL", NO_COUNT);
		return;
	}
	quoted = word[0] == '"';
	if (quoted) {
		word[strlen(word) - 1] = '\0';
		memmove(word, word + 1, strlen(word));
	}
	for (char *p = word; *p != '\0' && !quoted; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	if (pgm_find(&m->stmt, word) == NULL) {
		pgm_error_name(m, "26000", word, "does not exist");
		return;
	}
	pgm_drop(&m->stmt, word);
	pgm_tag(m, "DEALLOCATE", NO_COUNT);
}

static void pgm_alter(struct pgm *m)
{
	if (!m->is_mute)
		pgm_schema++;
	pgm_tag(m, "ALTER TABLE", NO_COUNT);
}

/* false: its result would be another than it was when it was prepared */
static bool pgm_is_current(struct pgm *m, const struct pgm_named *stmt)
{
	if (strncmp(stmt->text, "plan ", 5) != 0 || (m->is_mute ? !m->is_stale : stmt->schema == pgm_schema))
		return true;
	m->is_stale = false;
	pgm_error_from(m, "0A000", PGM_STALE, "RevalidateCachedQuery");
	return false;
}

static bool pgm_ends_block(const char *text)
{
	struct pgm_call c;

	pgm_parse(text, &c);
	return pgm_is(&c, "commit") || pgm_is(&c, "rollback") || pgm_is(&c, "abort");
}

static void pgm_execute(struct pgm *m, const char *text)
{
	struct pgm_call c;

	pgm_parse(text, &c);
	if (c.verb[0] == '\0')
		bytes_msg(&m->out, 'I');
	else if (pgm_is(&c, "echo"))
		pgm_rows(m, &c, c.token, c.n);
	else if (pgm_is(&c, "sleep"))
		pgm_rows(m, &c, c.token, 1);
	else if (pgm_is(&c, "select"))
		pgm_rows(m, &c, "1", 1);
	else if (pgm_is(&c, "show"))
		pgm_rows(m, &c, m->var, 1);
	else if (pgm_is(&c, "app"))
		pgm_rows(m, &c, m->app, 1);
	else if (pgm_is(&c, "error"))
		pgm_error(m, "XX001", c.token);
	else if (pgm_is(&c, "copyin"))
		pgm_copy_in(m, &c);
	else if (pgm_is(&c, "copyout"))
		pgm_copy_out(m, &c);
	else if (pgm_is(&c, "begin") || pgm_is(&c, "commit") || pgm_is(&c, "rollback"))
		pgm_transaction(m, &c);
	else if (pgm_is(&c, "notice")) {
		pgm_report(&m->out, 'N', "NOTICE", "00000", c.token);
		m->wants_flush = true;
		pgm_tag(m, "DO", NO_COUNT);
	} else if (strcmp(c.verb, "set") == 0) {
		pgm_copy(m->var, c.token, sizeof(m->var));
		pgm_tag(m, "SET", NO_COUNT);
	} else if (pgm_is(&c, "setapp")) {
		pgm_set_app(m, c.token, strlen(c.token));
		pgm_tag(m, "SET", NO_COUNT);
	} else if (pgm_is(&c, "set"))
		pgm_set(m, &c);
	else if (pgm_is(&c, "reset"))
		pgm_tag(m, c.verb, NO_COUNT);
	else if (pgm_is(&c, "tell") || pgm_is(&c, "plan"))
		pgm_tell(m, &c);
	else if (pgm_is(&c, "alter"))
		pgm_alter(m);
	else if (strstr(text, "eallocate") != NULL || strstr(text, "EALLOCATE") != NULL)
		pgm_deallocate(m, text);
	else if (pgm_is(&c, "discard") && m->tx == 'T')
		pgm_error(m, "25001", "DISCARD ALL cannot run inside a transaction block");
	else if (pgm_is(&c, "discard"))
		pgm_discard(m);
	else {
		m->garbage = "a statement that nobody sent";
		pgm_error(m, "42601", text);
	}
}

uint32_t pgm_sleep(const struct pgm *m)
{
	struct pgm_call c;

	if (!pgm_is_busy(m))
		return 0;
	pgm_parse(m->todo[m->todo_at], &c);
	return pgm_is(&c, "sleep") && m->tx != 'E' ? c.n : 0;
}

void pgm_run(struct pgm *m, enum pgm_outcome outcome)
{
	const char *text = m->todo[m->todo_at++];
	char owner[16];

	pgm_owner(text, owner);
	if (owner[0] != '\0')
		pgm_copy(m->rider, owner, sizeof(m->rider));
	if (outcome == PGM_CANCELLED)
		pgm_error(m, CANCELLED, "canceling statement due to user request");
	else if (m->tx == 'E' && text[0] != '\0' && !pgm_ends_block(text))
		pgm_error(m, "25P02", "current transaction is aborted");
	else
		pgm_execute(m, text);
	/* an error emptied todo and said ready by itself */
	if (m->todo_count > 0 && m->todo_at == m->todo_count && !m->is_copying) {
		m->todo_at = m->todo_count = 0;
		if (!m->is_extended)
			pgm_ready(m);
	}
}

static void pgm_query(struct pgm *m, const char *text)
{
	m->is_extended = false;
	m->todo_at = m->todo_count = 0;
	pgm_forget_unnamed(m);
	for (;;) {
		size_t n = strcspn(text, ";");

		CHECK(m->todo_count < PGM_STMTS);
		text += strspn(text, " ");
		n = strcspn(text, ";");
		/* an empty last statement counts only when it is the only one */
		if (n > 0 || (m->todo_count == 0 && text[n] == '\0'))
			snprintf(m->todo[m->todo_count++], PGM_TEXT, "%.*s", (int)n, text);
		if (text[n] == '\0')
			break;
		text += n + 1;
	}
}

/* a NUL-terminated string of the body; NULL: the message is broken */
static const char *pgm_string(const uint8_t *body, uint32_t len, uint32_t *at)
{
	const uint8_t *end = memchr(body + *at, 0, len - *at);
	const char *s = (const char *)body + *at;

	if (end == NULL)
		return NULL;
	*at = (uint32_t)(end - body) + 1;
	return s;
}

static uint32_t pgm_u16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void pgm_parse_message(struct pgm *m, const uint8_t *body, uint32_t len)
{
	uint32_t at = 0;
	const char *name = pgm_string(body, len, &at);
	const char *text = name != NULL ? pgm_string(body, len, &at) : NULL;
	struct pgm_named *stmt;

	if (text == NULL || len < at + 2 || len != at + 2 + 4 * pgm_u16(body + at) || pgm_u16(body + at) > PGM_TYPES) {
		m->garbage = "a broken Parse";
		return;
	}
	if (name[0] == '\0')
		pgm_forget_unnamed(m); /* before anything can go wrong */
	if (strncmp(text, "bogus", 5) == 0) {
		pgm_error(m, "42601", text);
		return;
	}
	if (m->tx == 'E' && text[0] != '\0' && !pgm_ends_block(text)) {
		pgm_error(m, "25P02", "current transaction is aborted");
		return;
	}
	if (name[0] != '\0' && pgm_find(&m->stmt, name) != NULL) {
		pgm_error_name(m, "42P05", name, "already exists");
		return;
	}
	stmt = pgm_store(&m->stmt, name, text);
	stmt->schema = pgm_schema;
	stmt->types = pgm_u16(body + at);
	for (unsigned i = 0; i < stmt->types; i++)
		stmt->type[i] = bytes_get_u32(body + at + 2 + 4 * i);
	bytes_msg(&m->out, '1');
}

/* how many parameters; the first of them into arg.  -1: the message is broken */
static int pgm_parameters(const uint8_t *body, uint32_t len, uint32_t at, char *arg, size_t size)
{
	uint32_t n;

	if (len < at + 2 || len < at + 4 + 2 * pgm_u16(body + at))
		return -1;
	at += 2 + 2 * pgm_u16(body + at);
	n = pgm_u16(body + at);
	at += 2;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t size_of = len >= at + 4 ? bytes_get_u32(body + at) : UINT32_MAX;

		if (size_of > len - at - 4)
			return -1;
		if (i == 0)
			snprintf(arg, size, "%.*s", (int)size_of, (const char *)body + at + 4);
		at += 4 + size_of;
	}
	return (int)n;
}

static void pgm_bind(struct pgm *m, const uint8_t *body, uint32_t len)
{
	uint32_t at = 0;
	const char *name = pgm_string(body, len, &at);
	const char *of = name != NULL ? pgm_string(body, len, &at) : NULL;
	struct pgm_named *stmt, *portal;
	char arg[24] = "";
	int n = of != NULL ? pgm_parameters(body, len, at, arg, sizeof(arg)) : -1;

	if (n < 0) {
		m->garbage = "a broken Bind";
		return;
	}
	stmt = pgm_find(&m->stmt, of);
	if (stmt == NULL) {
		pgm_error_name(m, "26000", of, "does not exist");
		return;
	}
	/* PostgreSQL looks at the parameters first; a pooler that has to prepare it here first is told this first */
	if (m->tx == 'E' && (!pgm_ends_block(stmt->text) || n > 0)) {
		pgm_error(m, "25P02", "current transaction is aborted");
		return;
	}
	if ((unsigned)n != stmt->types) {
		pgm_error(m, "08P01", "bind message supplies another number of parameters");
		return;
	}
	if (!pgm_is_current(m, stmt))
		return;
	portal = pgm_store(&m->portal, name, stmt->text);
	portal->types = stmt->types;
	memcpy(portal->type, stmt->type, sizeof(portal->type));
	pgm_copy(portal->arg, arg, sizeof(portal->arg));
	bytes_msg(&m->out, '2');
}

static void pgm_describe(struct pgm *m, const uint8_t *body, uint32_t len)
{
	struct pgm_named *n;
	struct pgm_call c;
	uint32_t at;

	if (len < 2) {
		m->garbage = "a broken Describe";
		return;
	}
	n = pgm_find(body[0] == 'S' ? &m->stmt : &m->portal, (const char *)body + 1);
	if (n == NULL && body[0] == 'S') {
		pgm_error_name(m, "26000", (const char *)body + 1, "does not exist");
		return;
	}
	if (n == NULL) {
		pgm_error(m, "34000", "does not exist");
		return;
	}
	pgm_parse(n->text, &c);
	if (m->tx == 'E' && pgm_has_rows(&c)) {
		pgm_error(m, "25P02", "current transaction is aborted");
		return;
	}
	if (body[0] == 'S') {
		if (!pgm_is_current(m, n))
			return;
		pgm_copy(m->described, n->text, sizeof(m->described));
		at = bytes_begin(&m->out, 't');
		bytes_u16(&m->out, (uint16_t)n->types);
		for (unsigned i = 0; i < n->types; i++)
			bytes_u32(&m->out, n->type[i]);
		bytes_end(&m->out, at);
	}
	if (pgm_has_rows(&c))
		pgm_row_description(m);
	else
		bytes_msg(&m->out, 'n');
}

static void pgm_execute_message(struct pgm *m, const uint8_t *body, uint32_t len)
{
	uint32_t at = 0;
	const char *name = pgm_string(body, len, &at);
	struct pgm_named *portal;

	if (name == NULL || len - at != 4) {
		m->garbage = "a broken Execute";
		return;
	}
	portal = pgm_find(&m->portal, name);
	if (portal == NULL) {
		pgm_error(m, "34000", "portal does not exist");
		return;
	}
	m->max_rows = bytes_get_u32(body + at);
	pgm_copy(m->running, name, sizeof(m->running));
	m->todo_at = 0;
	m->todo_count = 1;
	pgm_copy(m->todo[0], portal->text[0] == ' ' ? "" : portal->text, PGM_TEXT);
}

static void pgm_close(struct pgm *m, const uint8_t *body, uint32_t len)
{
	if (len < 2) {
		m->garbage = "a broken Close";
		return;
	}
	pgm_drop(body[0] == 'S' ? &m->stmt : &m->portal, (const char *)body + 1);
	bytes_msg(&m->out, '3');
}

static void pgm_sync(struct pgm *m)
{
	m->is_skipping = false;
	m->is_extended = false;
	pgm_ready(m);
}

static void pgm_function(struct pgm *m)
{
	uint32_t at;

	m->is_extended = false;
	if (m->tx == 'E') {
		pgm_error(m, "25P02", "current transaction is aborted");
		return;
	}
	at = bytes_begin(&m->out, 'V');
	bytes_u32(&m->out, 0xFFFFFFFF);
	bytes_end(&m->out, at);
	pgm_ready(m);
}

/* the end of COPY FROM STDIN, good */
static void pgm_copy_done(struct pgm *m)
{
	m->is_copying = false;
	pgm_tag(m, "COPY", m->copy_sum);
	if (m->todo_at == m->todo_count) {
		m->todo_at = m->todo_count = 0;
		if (!m->is_extended)
			pgm_ready(m);
	}
}

void pgm_cancel_copy(struct pgm *m)
{
	pgm_error(m, CANCELLED, "canceling statement due to user request");
}

static void pgm_copy_message(struct pgm *m, char type, const uint8_t *body, uint32_t len)
{
	char owner[16], mine[16], text[64];

	switch (type) {
	case 'd':
		snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)body);
		pgm_owner(text, owner);
		pgm_owner(m->copy_token, mine);
		if (strcmp(owner, mine) != 0)
			m->garbage = "CopyData of somebody else";
		for (uint32_t i = 0; i < len; i++)
			m->copy_sum = (m->copy_sum * 31 + body[i]) & 0xFFFFFF;
		if (++m->copy_seen == m->copy_fails_at)
			pgm_error(m, "22P02", m->copy_token);
		break;
	case 'c':
		pgm_copy_done(m);
		break;
	case 'f':
		pgm_error(m, "57014", "COPY from stdin failed");
		break;
	case 'S':
		m->has_ignored_sync = true;
		break;
	case 'H':
		break;
	default:
		pgm_error(m, "08P01", "unexpected message type during COPY from stdin");
	}
}

void pgm_message(struct pgm *m, char type, const uint8_t *body, uint32_t len)
{
	CHECK(!pgm_is_busy(m) || m->is_copying);
	if (type == 'X') {
		m->is_over = true;
		return;
	}
	if (m->is_copying) {
		pgm_copy_message(m, type, body, len);
		return;
	}
	if (m->is_skipping && type != 'S') {
		m->is_unsure = m->is_unsure || type == 'Q' || (type == 'P' && len > 0 && body[0] == '\0') ||
			       (type == 'C' && len > 1 && body[0] == 'S' && body[1] == '\0');
		return;
	}
	if (strchr("PBDEC", type) != NULL)
		m->is_extended = true;
	switch (type) {
	case 'Q':
		if (len == 0 || body[len - 1] != 0)
			m->garbage = "a broken Query";
		else
			pgm_query(m, (const char *)body);
		break;
	case 'P':
		pgm_parse_message(m, body, len);
		break;
	case 'B':
		pgm_bind(m, body, len);
		break;
	case 'D':
		pgm_describe(m, body, len);
		break;
	case 'E':
		pgm_execute_message(m, body, len);
		break;
	case 'C':
		pgm_close(m, body, len);
		break;
	case 'H':
		m->wants_flush = true;
		break;
	case 'S':
		pgm_sync(m);
		break;
	case 'F':
		pgm_function(m);
		break;
	case 'd':
	case 'c':
	case 'f':
		break;
	default:
		m->garbage = "a message of unknown type";
	}
}
