/*
 * reply.c - what we say as a server, rows in text format included.
 */
#include "proto/reply.h"

#include <inttypes.h>
#include <string.h>

#include "base/poison.h"

static size_t begin_auth(struct buf *out, enum wire_auth code)
{
	size_t at = wire_begin(out, BE_AUTHENTICATION);

	(void)buf_append_u32(out, (uint32_t)code);
	return at;
}

int reply_auth_ok(struct buf *out)
{
	return wire_end(out, begin_auth(out, AUTH_OK));
}

int reply_auth_cleartext(struct buf *out)
{
	return wire_end(out, begin_auth(out, AUTH_CLEARTEXT));
}

int reply_auth_md5(struct buf *out, const uint8_t salt[4])
{
	size_t at = begin_auth(out, AUTH_MD5);

	(void)buf_append(out, salt, 4);
	return wire_end(out, at);
}

int reply_auth_sasl(struct buf *out, const char *const *mechanisms)
{
	size_t at = begin_auth(out, AUTH_SASL);

	for (; *mechanisms != NULL; mechanisms++)
		(void)buf_append_cstr(out, *mechanisms);
	(void)buf_append_u8(out, 0);
	return wire_end(out, at);
}

int reply_auth_sasl_continue(struct buf *out, const void *data, size_t n)
{
	size_t at = begin_auth(out, AUTH_SASL_CONTINUE);

	(void)buf_append(out, data, n);
	return wire_end(out, at);
}

int reply_auth_sasl_final(struct buf *out, const void *data, size_t n)
{
	size_t at = begin_auth(out, AUTH_SASL_FINAL);

	(void)buf_append(out, data, n);
	return wire_end(out, at);
}

int reply_backend_key(struct buf *out, uint32_t pid, const void *key, size_t key_len)
{
	size_t at = wire_begin(out, BE_BACKEND_KEY_DATA);

	CHECK(key_len >= STARTUP_CANCEL_KEY_MIN && key_len <= STARTUP_CANCEL_KEY_MAX);
	(void)buf_append_u32(out, pid);
	(void)buf_append(out, key, key_len);
	return wire_end(out, at);
}

int reply_parameter(struct buf *out, const char *name, const char *value)
{
	size_t at = wire_begin(out, BE_PARAMETER_STATUS);

	(void)buf_append_cstr(out, name);
	(void)buf_append_cstr(out, value);
	return wire_end(out, at);
}

int reply_ready(struct buf *out, char transaction)
{
	size_t at = wire_begin(out, BE_READY_FOR_QUERY);

	(void)buf_append_u8(out, (uint8_t)transaction);
	return wire_end(out, at);
}

static void put_field(struct buf *out, char code, const char *text)
{
	if (text == NULL)
		return;
	(void)buf_append_u8(out, (uint8_t)code);
	(void)buf_append_cstr(out, text);
}

int reply_fields(struct buf *out, char type, const struct errfields *e)
{
	size_t at = wire_begin(out, type);

	CHECK(type == BE_ERROR_RESPONSE || type == BE_NOTICE_RESPONSE);
	put_field(out, 'S', e->severity);
	put_field(out, 'V', e->severity);
	put_field(out, 'C', e->sqlstate);
	put_field(out, 'M', e->message);
	put_field(out, 'D', e->detail);
	put_field(out, 'H', e->hint);
	(void)buf_append_u8(out, 0);
	return wire_end(out, at);
}

int reply_error(struct buf *out, const char *severity, const char *code, const char *message)
{
	return reply_fields(out, BE_ERROR_RESPONSE,
		&(struct errfields){.severity = severity, .sqlstate = code, .message = message});
}

int reply_notice(struct buf *out, const char *severity, const char *code, const char *message)
{
	return reply_fields(out, BE_NOTICE_RESPONSE,
		&(struct errfields){.severity = severity, .sqlstate = code, .message = message});
}

int reply_negotiate(struct buf *out, uint32_t version, const struct startup *s)
{
	size_t at = wire_begin(out, BE_NEGOTIATE_PROTOCOL_VERSION);
	const char *name;
	size_t it = 0;

	/* the documents say "minor version"; servers send, and libpq reads, the whole number */
	(void)buf_append_u32(out, version);
	(void)buf_append_u32(out, s->extensions);
	while (startup_next_extension(s, &it, &name))
		(void)buf_append_cstr(out, name);
	return wire_end(out, at);
}

int reply_bare(struct buf *out, char type)
{
	return wire_end(out, wire_begin(out, type));
}

int reply_empty_query(struct buf *out)
{
	return reply_bare(out, BE_EMPTY_QUERY_RESPONSE);
}

int reply_command_complete(struct buf *out, const char *tag)
{
	size_t at = wire_begin(out, BE_COMMAND_COMPLETE);

	(void)buf_append_cstr(out, tag);
	return wire_end(out, at);
}

#define COLUMNS_MAX 1600 /* PostgreSQL's own limit */

/* pg_type: oid and typlen */
static const struct {
	uint32_t oid;
	uint16_t len;
} types[REPLY_TYPE_COUNT] = {
	[REPLY_TEXT] = {25, UINT16_MAX},
	[REPLY_INT4] = {23, 4},
	[REPLY_INT8] = {20, 8},
	[REPLY_NUMERIC] = {1700, UINT16_MAX},
	[REPLY_BYTEA] = {17, UINT16_MAX},
	[REPLY_BOOL] = {16, 1},
	[REPLY_FLOAT8] = {701, 8},
};

int reply_row_description(struct buf *out, const struct reply_column *columns, size_t count)
{
	size_t at = wire_begin(out, BE_ROW_DESCRIPTION);

	CHECK(count <= COLUMNS_MAX);
	(void)buf_append_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		CHECK(columns[i].type < REPLY_TYPE_COUNT);
		(void)buf_append_cstr(out, columns[i].name);
		(void)buf_append_u32(out, 0); /* no table */
		(void)buf_append_u16(out, 0); /* no column of it */
		(void)buf_append_u32(out, types[columns[i].type].oid);
		(void)buf_append_u16(out, types[columns[i].type].len);
		(void)buf_append_u32(out, UINT32_MAX); /* no type modifier */
		(void)buf_append_u16(out, 0);          /* text */
	}
	return wire_end(out, at);
}

size_t reply_row_begin(struct buf *out, size_t columns)
{
	size_t at = wire_begin(out, BE_DATA_ROW);

	CHECK(columns <= COLUMNS_MAX);
	(void)buf_append_u16(out, (uint16_t)columns);
	return at;
}

int reply_row_end(struct buf *out, size_t at)
{
	return wire_end(out, at);
}

void reply_put_null(struct buf *out)
{
	(void)buf_append_u32(out, UINT32_MAX);
}

void reply_put_bytes(struct buf *out, const void *p, size_t n)
{
	if (n > WIRE_LENGTH_MAX) {
		out->bad = true;
		return;
	}
	(void)buf_append_u32(out, (uint32_t)n);
	(void)buf_append(out, p, n);
}

void reply_put_text(struct buf *out, const char *text)
{
	if (text == NULL)
		reply_put_null(out);
	else
		reply_put_bytes(out, text, strlen(text));
}

void reply_put_format(struct buf *out, const char *fmt, ...)
{
	size_t at = out->len;
	va_list ap;

	if (buf_append_u32(out, 0) < 0)
		return;
	va_start(ap, fmt);
	(void)buf_vprintf(out, fmt, ap);
	va_end(ap);
	if (out->len - at - 4 > WIRE_LENGTH_MAX)
		out->bad = true;
	else
		buf_put_u32_at(out, at, (uint32_t)(out->len - at - 4));
}

void reply_put_int(struct buf *out, int64_t v)
{
	reply_put_format(out, "%" PRId64, v);
}

void reply_put_uint(struct buf *out, uint64_t v)
{
	reply_put_format(out, "%" PRIu64, v);
}

void reply_put_bool(struct buf *out, bool v)
{
	reply_put_bytes(out, v ? "t" : "f", 1);
}

void reply_put_bytea(struct buf *out, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	if (n > (WIRE_LENGTH_MAX - 2) / 2) {
		out->bad = true;
		return;
	}
	(void)buf_append_u32(out, (uint32_t)(n * 2 + 2));
	(void)buf_append(out, "\\x", 2);
	for (size_t i = 0; i < n; i++) {
		(void)buf_append_u8(out, (uint8_t)digits[b[i] >> 4]);
		(void)buf_append_u8(out, (uint8_t)digits[b[i] & 15]);
	}
}
