/*
 * startup.c - the first packet of a connection, read without storing it.
 */
#include "proto/startup.h"

#include "base/cursor.h"
#include "base/str.h"
#include "proto/wire.h"

#include "base/poison.h"

#define EXTENSION_PREFIX "_pq_."
#define TLS_HANDSHAKE    0x16

enum startup_peek startup_peek(const void *p, size_t n, size_t *need)
{
	const uint8_t *b = p;
	uint32_t length;

	*need = 4;
	/* 10000 is 0x2710: the first two bytes tell most strangers at once */
	if ((n >= 1 && b[0] != 0) || (n >= 2 && b[1] != 0))
		return STARTUP_BAD;
	if (n < 4)
		return STARTUP_MORE;
	length = (uint32_t)b[2] << 8 | b[3];
	if (length < STARTUP_LENGTH_MIN || length > STARTUP_LENGTH_MAX)
		return STARTUP_BAD;
	*need = length;
	return n < length ? STARTUP_MORE : STARTUP_WHOLE;
}

bool startup_is_tls(const void *p, size_t n)
{
	return n > 0 && *(const uint8_t *)p == TLS_HANDSHAKE;
}

static int fail(struct startup *out, const char *sqlstate, const char *error)
{
	out->error = error;
	(void)str_copy(out->sqlstate, sizeof(out->sqlstate), sqlstate);
	return -1;
}

static bool is_extension(const char *name)
{
	return str_starts_with(name, EXTENSION_PREFIX);
}

/* The parameters that are fields of their own; NULL for all others. */
static const char **field_of(struct startup *out, const char *name)
{
	if (strcmp(name, "user") == 0)
		return &out->user;
	if (strcmp(name, "database") == 0)
		return &out->database;
	if (strcmp(name, "options") == 0)
		return &out->options;
	if (strcmp(name, "replication") == 0)
		return &out->replication;
	return NULL;
}

static bool is_own_field(const char *name)
{
	struct startup any;

	return field_of(&any, name) != NULL;
}

/* Names and values up to the empty name, which must be the packet's last byte. */
static int parse_params(struct startup *out, struct cursor c)
{
	out->params = c.p;
	for (;;) {
		const char *name = cursor_cstr(&c), *value;
		const char **field;

		if (name != NULL && name[0] == '\0')
			break;
		value = name ? cursor_cstr(&c) : NULL;
		if (value == NULL)
			return fail(out, "08P01",
				"invalid startup packet layout: expected terminator as last byte");
		field = field_of(out, name);
		if (field != NULL && *field != NULL)
			return fail(out, "08P01", "invalid startup packet: parameter given twice");
		if (field != NULL)
			*field = value;
		else if (strcmp(name, "application_name") == 0)
			out->application_name = value;
		else if (is_extension(name))
			out->extensions++;
	}
	if (cursor_left(&c) > 0)
		return fail(out, "08P01", "invalid startup packet layout: expected terminator as last byte");
	out->params_len = (size_t)(c.p - 1 - out->params);
	return 0;
}

static int parse_login(struct startup *out, struct cursor c)
{
	if (parse_params(out, c) < 0)
		return -1;
	if (out->user == NULL || out->user[0] == '\0')
		return fail(out, "28000", "no username supplied");
	if (out->database == NULL || out->database[0] == '\0')
		out->database = out->user;
	/* 3.1 is reserved, nobody speaks it; of all that is newer than 3.2 we know nothing */
	out->protocol = out->minor >= 2 ? WIRE_PROTOCOL_3_2 : WIRE_PROTOCOL_3_0;
	out->needs_negotiation = out->protocol != WIRE_PROTOCOL(out->major, out->minor) || out->extensions > 0;
	return 0;
}

static int parse_cancel(struct startup *out, struct cursor c)
{
	out->cancel_pid = cursor_u32(&c);
	out->cancel_key_len = cursor_left(&c);
	out->cancel_key = cursor_bytes(&c, out->cancel_key_len);
	if (c.bad || out->cancel_key_len < STARTUP_CANCEL_KEY_MIN ||
		out->cancel_key_len > STARTUP_CANCEL_KEY_MAX)
		return fail(out, "08P01", "bad cancel request");
	return 0;
}

/* Requests that are nothing but their code. */
static int parse_request(struct startup *out, enum startup_kind kind, struct cursor c)
{
	out->kind = kind;
	if (cursor_left(&c) > 0)
		return fail(out, "08P01", "invalid length of negotiation request");
	return 0;
}

int startup_parse(const void *p, size_t n, struct startup *out)
{
	struct cursor c = cursor_over(p, n);
	uint32_t length = cursor_u32(&c);
	uint32_t code = cursor_u32(&c);

	*out = (struct startup){.kind = STARTUP_UNSUPPORTED};
	if (c.bad || length != n || n < STARTUP_LENGTH_MIN || n > STARTUP_LENGTH_MAX)
		return fail(out, "08P01", "invalid length of startup packet");
	out->major = (uint16_t)(code >> 16);
	out->minor = (uint16_t)code;
	switch (code) {
	case WIRE_SSL_REQUEST:
		return parse_request(out, STARTUP_SSL, c);
	case WIRE_GSSENC_REQUEST:
		return parse_request(out, STARTUP_GSSENC, c);
	case WIRE_CANCEL_REQUEST:
		out->kind = STARTUP_CANCEL;
		return parse_cancel(out, c);
	default:
		if (out->major != 3)
			return 0;
		out->kind = STARTUP_LOGIN;
		return parse_login(out, c);
	}
}

/* One pair at *it; false at the end.  The layout was proved by startup_parse. */
static bool next_pair(const struct startup *s, size_t *it, const char **name, const char **value)
{
	struct cursor c;

	if (*it >= s->params_len)
		return false;
	c = cursor_over(s->params + *it, s->params_len - *it);
	*name = cursor_cstr(&c);
	*value = cursor_cstr(&c);
	CHECK(!c.bad);
	*it = (size_t)(c.p - s->params);
	return true;
}

bool startup_next(const struct startup *s, size_t *it, const char **name, const char **value)
{
	while (next_pair(s, it, name, value))
		if (!is_own_field(*name) && !is_extension(*name))
			return true;
	return false;
}

bool startup_next_extension(const struct startup *s, size_t *it, const char **name)
{
	const char *value;

	while (next_pair(s, it, name, &value))
		if (is_extension(*name))
			return true;
	return false;
}

/* PostgreSQL's booleans: on, off, 1, 0, and unique beginnings of true, false, yes, no. */
static bool read_bool(const char *text, bool *value)
{
	static const struct {
		const char *word;
		size_t least;
		bool value;
	} words[] = {
		{"true", 1, true},
		{"false", 1, false},
		{"yes", 1, true},
		{"no", 1, false},
		{"on", 2, true},
		{"off", 2, false},
		{"1", 1, true},
		{"0", 1, false},
	};
	size_t n = strlen(text);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char begin[8];

		if (n < words[i].least || n > strlen(words[i].word))
			continue;
		(void)str_copy(begin, n + 1, words[i].word);
		if (str_is_equal_nocase(text, begin)) {
			*value = words[i].value;
			return true;
		}
	}
	return false;
}

enum startup_replication startup_replication(const struct startup *s)
{
	bool on;

	if (s->replication == NULL)
		return STARTUP_REPLICATION_NONE;
	if (strcmp(s->replication, "database") == 0)
		return STARTUP_REPLICATION_LOGICAL;
	if (!read_bool(s->replication, &on))
		return STARTUP_REPLICATION_INVALID;
	return on ? STARTUP_REPLICATION_PHYSICAL : STARTUP_REPLICATION_NONE;
}
