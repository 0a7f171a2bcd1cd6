/*
 * varsql.c - the SQL that sets and resets a parameter, and the reading of a client's RESET.
 */
#include "session/varsql.h"

#include "base/str.h"

#include <string.h>

#define VARSQL_PART_MAX 63 /* NAMEDATALEN - 1 */

static bool varsql_is_start(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool varsql_is_part(uint8_t c)
{
	return varsql_is_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool varsql_is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool varsql_is_name(const char *name)
{
	size_t part = 0;

	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '.' && part > 0)
			part = 0;
		else if (part == 0 ? !varsql_is_start((uint8_t)*p) : !varsql_is_part((uint8_t)*p))
			return false;
		else if (++part > VARSQL_PART_MAX)
			return false;
	}
	return part > 0 && strlen(name) < VARSQL_NAME_SIZE;
}

static void varsql_quote(struct buf *sql, const char *value, size_t n)
{
	(void)buf_append_str(sql, "E'");
	for (size_t i = 0; i < n; i++) {
		uint8_t ch = (uint8_t)value[i];

		if (ch < 0x20 || ch >= 0x7f) {
			(void)buf_printf(sql, "\\x%02x", ch);
			continue;
		}
		if (ch == '\'' || ch == '\\')
			(void)buf_append_u8(sql, ch);
		(void)buf_append_u8(sql, ch);
	}
	(void)buf_append_str(sql, "'");
}

/* a name of a parameter may be a word of SQL: each part in quotes, but for those that are known to be none */
static void varsql_name(struct buf *sql, const char *name)
{
	static const char *const plain[] = {"client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings",
					    "application_name", "IntervalStyle"};

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (str_is_equal_nocase(name, plain[i])) {
			(void)buf_append_str(sql, plain[i]);
			return;
		}
	}
	(void)buf_append_u8(sql, '"');
	for (; *name != '\0'; name++) {
		if (*name == '.')
			(void)buf_append_str(sql, "\".\"");
		else
			(void)buf_append_u8(sql, (uint8_t)*name);
	}
	(void)buf_append_u8(sql, '"');
}

/* SET quotes each value given for one of these; extensions can have none */
static bool varsql_is_list(const char *name)
{
	return str_is_equal_nocase(name, "search_path") || str_is_equal_nocase(name, "temp_tablespaces") ||
	       str_is_equal_nocase(name, "session_preload_libraries");
}

/* One name of a list, as SplitIdentifierString reads it, appended as a constant.  NULL: the list is malformed. */
static const char *varsql_list_item(struct buf *sql, const char *p)
{
	const char *end = NULL;
	struct buf item;

	buf_init(&item, 0);
	if (*p == '"') {
		for (p++; *p != '\0'; p++) {
			if (*p == '"' && *++p != '"') {
				end = p;
				break;
			}
			(void)buf_append_u8(&item, (uint8_t)*p);
		}
	} else {
		for (end = p; *end != '\0' && *end != ',' && !varsql_is_blank(*end); end++)
			(void)buf_append_u8(&item, (uint8_t)(*end >= 'A' && *end <= 'Z' ? *end + 32 : *end));
		if (end == p)
			end = NULL;
	}
	varsql_quote(sql, (const char *)item.data, item.len);
	sql->bad |= item.bad;
	buf_fini(&item);
	return end;
}

/* the items of a list as constants; false: malformed, nothing was appended */
static bool varsql_list(struct buf *sql, const char *value)
{
	size_t before = sql->len;
	const char *p = value;

	while (p != NULL) {
		while (varsql_is_blank(*p))
			p++;
		p = varsql_list_item(sql, p);
		while (p != NULL && varsql_is_blank(*p))
			p++;
		if (p == NULL || *p != ',')
			break;
		(void)buf_append_u8(sql, ',');
		p++;
	}
	if (p != NULL && *p == '\0')
		return true;
	sql->len = before;
	return false;
}

/* the value goes to PostgreSQL as it is: not even a list is read by SET's rules */
static void varsql_config(struct buf *sql, const char *name, const char *value, const char *encoding, bool local)
{
	(void)buf_append_str(sql, "SELECT pg_catalog.set_config(");
	varsql_quote(sql, name, strlen(name));
	if (encoding != NULL) {
		(void)buf_append_str(sql, ",pg_catalog.convert_from(E'\\\\x");
		for (; *value != '\0'; value++)
			(void)buf_printf(sql, "%02x", (uint8_t)*value);
		(void)buf_append_str(sql, "'::pg_catalog.bytea,");
		varsql_quote(sql, encoding, strlen(encoding));
		(void)buf_append_str(sql, ")");
	} else {
		(void)buf_append_u8(sql, ',');
		varsql_quote(sql, value, strlen(value));
	}
	(void)buf_append_str(sql, local ? ",true);" : ",false);");
}

static bool varsql_is_ascii(const char *value)
{
	for (; *value != '\0'; value++)
		if ((uint8_t)*value >= 0x80)
			return false;
	return true;
}

void varsql_set(struct buf *sql, const char *name, const char *value, const char *encoding, enum varsql_where where)
{
	size_t before = sql->len;

	if (encoding != NULL && varsql_is_ascii(value))
		encoding = NULL;
	if (encoding != NULL || (varsql_is_list(name) && where == VARSQL_AT_REST)) {
		varsql_config(sql, name, value, encoding, where == VARSQL_LOCAL);
		return;
	}
	(void)buf_append_str(sql, where == VARSQL_LOCAL ? "SET LOCAL " : "SET ");
	varsql_name(sql, name);
	(void)buf_append_u8(sql, '=');
	if (!varsql_is_list(name)) {
		varsql_quote(sql, value, strlen(value));
	} else if (value[0] == '\0') {
		varsql_quote(sql, "", 0);
	} else if (!varsql_list(sql, value)) {
		/* PostgreSQL shall say what is wrong with it */
		sql->len = before;
		varsql_config(sql, name, value, NULL, where == VARSQL_LOCAL);
		return;
	}
	(void)buf_append_u8(sql, ';');
}

void varsql_reset(struct buf *sql, const char *name)
{
	(void)buf_append_str(sql, "RESET ");
	varsql_name(sql, name);
	(void)buf_append_u8(sql, ';');
}

/* --- what a client has reset --- */

struct varsql_text {
	const char *p, *end;
};

static void varsql_skip(struct varsql_text *t)
{
	while (t->p < t->end) {
		if (varsql_is_blank(*t->p)) {
			t->p++;
		} else if (t->end - t->p >= 2 && t->p[0] == '-' && t->p[1] == '-') {
			const char *nl = memchr(t->p, '\n', (size_t)(t->end - t->p));

			t->p = nl != NULL ? nl + 1 : t->end;
		} else if (t->end - t->p >= 2 && t->p[0] == '/' && t->p[1] == '*') {
			const char *close = memmem(t->p + 2, (size_t)(t->end - t->p - 2), "*/", 2);

			t->p = close != NULL ? close + 2 : t->end;
		} else {
			return;
		}
	}
}

/* the next word, without its quotes; "" when there is none */
static void varsql_word(struct varsql_text *t, char *word)
{
	size_t n = 0;
	char quote = 0;

	varsql_skip(t);
	for (; t->p < t->end && n + 1 < VARSQL_NAME_SIZE; t->p++) {
		if (*t->p == '"')
			quote = (char)(quote ^ '"');
		else if (quote != 0 || *t->p == '.' || varsql_is_part((uint8_t)*t->p))
			word[n++] = *t->p;
		else
			break;
	}
	word[n] = '\0';
}

static bool varsql_is_over(struct varsql_text *t)
{
	varsql_skip(t);
	while (t->p < t->end && *t->p == ';') {
		t->p++;
		varsql_skip(t);
	}
	return t->p == t->end;
}

/* the name of a parameter, in all the spellings that SET and RESET know */
static void varsql_read_name(struct varsql_text *t, char *name)
{
	char word[VARSQL_NAME_SIZE];
	struct varsql_text after;

	varsql_word(t, name);
	after = *t;
	varsql_word(&after, word);
	if (str_is_equal_nocase(name, "time") && str_is_equal_nocase(word, "zone")) {
		(void)str_copy(name, VARSQL_NAME_SIZE, "TimeZone");
		*t = after;
	} else if (str_is_equal_nocase(name, "session") && str_is_equal_nocase(word, "authorization")) {
		(void)str_copy(name, VARSQL_NAME_SIZE, "session_authorization");
		*t = after;
	}
}

static enum varsql_reset varsql_read_set(struct varsql_text *t, char *name)
{
	char word[VARSQL_NAME_SIZE];
	struct varsql_text start = *t;
	bool is_local;

	varsql_word(t, word);
	is_local = str_is_equal_nocase(word, "local");
	if (!is_local && !str_is_equal_nocase(word, "session"))
		*t = start;
	start = *t;
	varsql_read_name(t, name);
	if (str_is_equal_nocase(name, "authorization"))
		(void)str_copy(name, VARSQL_NAME_SIZE, "session_authorization");
	varsql_skip(t);
	if (t->p < t->end && *t->p == '=') {
		t->p++;
	} else {
		start = *t;
		varsql_word(t, word);
		if (!str_is_equal_nocase(word, "to"))
			*t = start;
	}
	varsql_word(t, word);
	if (!str_is_equal_nocase(word, "default") &&
	    !(str_is_equal_nocase(word, "local") && str_is_equal_nocase(name, "TimeZone")))
		return VARSQL_RESET_UNKNOWN;
	if (!varsql_is_over(t))
		return VARSQL_RESET_UNKNOWN;
	return is_local ? VARSQL_RESET_LOCAL : VARSQL_RESET_ONE;
}

enum varsql_reset varsql_read_reset(const char *text, size_t n, char *name)
{
	struct varsql_text t = {text, text + n};
	char verb[VARSQL_NAME_SIZE];

	varsql_word(&t, verb);
	if (str_is_equal_nocase(verb, "set"))
		return varsql_read_set(&t, name);
	if (!str_is_equal_nocase(verb, "reset"))
		return VARSQL_RESET_UNKNOWN;
	varsql_read_name(&t, name);
	if (name[0] == '\0' || !varsql_is_over(&t))
		return VARSQL_RESET_UNKNOWN;
	return str_is_equal_nocase(name, "all") ? VARSQL_RESET_ALL : VARSQL_RESET_ONE;
}
