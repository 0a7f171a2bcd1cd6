/*
 * frontend.c - what we say as a client of PostgreSQL.
 */
#include "proto/frontend.h"

#include <string.h>

#include "base/poison.h"

int frontend_startup(struct buf *out, uint32_t protocol, const struct frontend_param *params, size_t count)
{
	size_t at = wire_begin_untyped(out);

	(void)buf_append_u32(out, protocol);
	for (size_t i = 0; i < count; i++) {
		if (params[i].value == NULL)
			continue;
		(void)buf_append_cstr(out, params[i].name);
		(void)buf_append_cstr(out, params[i].value);
	}
	(void)buf_append_u8(out, 0);
	return wire_end_untyped(out, at);
}

int frontend_ssl_request(struct buf *out)
{
	size_t at = wire_begin_untyped(out);

	(void)buf_append_u32(out, WIRE_SSL_REQUEST);
	return wire_end_untyped(out, at);
}

int frontend_cancel(struct buf *out, uint32_t pid, const void *key, size_t key_len)
{
	size_t at = wire_begin_untyped(out);

	(void)buf_append_u32(out, WIRE_CANCEL_REQUEST);
	(void)buf_append_u32(out, pid);
	(void)buf_append(out, key, key_len);
	return wire_end_untyped(out, at);
}

int frontend_password(struct buf *out, const void *password, size_t n)
{
	size_t at = wire_begin(out, FE_PASSWORD);

	(void)buf_append(out, password, n);
	(void)buf_append_u8(out, 0);
	return wire_end(out, at);
}

int frontend_sasl_initial(struct buf *out, const char *mechanism, const void *data, size_t n)
{
	size_t at = wire_begin(out, FE_PASSWORD);

	if (n > WIRE_LENGTH_MAX)
		out->bad = true;
	(void)buf_append_cstr(out, mechanism);
	(void)buf_append_u32(out, (uint32_t)n);
	(void)buf_append(out, data, n);
	return wire_end(out, at);
}

int frontend_sasl_response(struct buf *out, const void *data, size_t n)
{
	size_t at = wire_begin(out, FE_PASSWORD);

	(void)buf_append(out, data, n);
	return wire_end(out, at);
}

int frontend_query(struct buf *out, const char *sql)
{
	size_t at = wire_begin(out, FE_QUERY);

	(void)buf_append_cstr(out, sql);
	return wire_end(out, at);
}

int frontend_parse(struct buf *out, const char *statement, const char *sql)
{
	size_t at = wire_begin(out, FE_PARSE);

	(void)buf_append_cstr(out, statement);
	(void)buf_append_cstr(out, sql);
	(void)buf_append_u16(out, 0); /* the server finds the parameters' types */
	return wire_end(out, at);
}

int frontend_bind(
	struct buf *out, const char *portal, const char *statement, const char *const *values, size_t count)
{
	size_t at = wire_begin(out, FE_BIND);

	if (count > UINT16_MAX)
		out->bad = true;
	(void)buf_append_cstr(out, portal);
	(void)buf_append_cstr(out, statement);
	(void)buf_append_u16(out, 0); /* all parameters are text */
	(void)buf_append_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		size_t n = values[i] ? strlen(values[i]) : 0;

		if (n > WIRE_LENGTH_MAX)
			out->bad = true;
		(void)buf_append_u32(out, values[i] ? (uint32_t)n : UINT32_MAX);
		(void)buf_append(out, values[i], n);
	}
	(void)buf_append_u16(out, 0); /* all results are text */
	return wire_end(out, at);
}

static int say_kind(struct buf *out, char type, char kind, const char *name)
{
	size_t at = wire_begin(out, type);

	CHECK(kind == 'S' || kind == 'P');
	(void)buf_append_u8(out, (uint8_t)kind);
	(void)buf_append_cstr(out, name);
	return wire_end(out, at);
}

int frontend_describe(struct buf *out, char kind, const char *name)
{
	return say_kind(out, FE_DESCRIBE, kind, name);
}

int frontend_close(struct buf *out, char kind, const char *name)
{
	return say_kind(out, FE_CLOSE, kind, name);
}

int frontend_execute(struct buf *out, const char *portal, uint32_t max_rows)
{
	size_t at = wire_begin(out, FE_EXECUTE);

	(void)buf_append_cstr(out, portal);
	(void)buf_append_u32(out, max_rows);
	return wire_end(out, at);
}

int frontend_sync(struct buf *out)
{
	return wire_end(out, wire_begin(out, FE_SYNC));
}

int frontend_flush(struct buf *out)
{
	return wire_end(out, wire_begin(out, FE_FLUSH));
}

int frontend_terminate(struct buf *out)
{
	return wire_end(out, wire_begin(out, FE_TERMINATE));
}

int frontend_copy_fail(struct buf *out, const char *why)
{
	size_t at = wire_begin(out, FE_COPY_FAIL);

	(void)buf_append_cstr(out, why);
	return wire_end(out, at);
}

int frontend_ask(struct buf *out, const char *sql, const char *const *values, size_t count)
{
	size_t start = out->len;

	if (frontend_parse(out, "", sql) < 0 || frontend_bind(out, "", "", values, count) < 0 ||
		frontend_describe(out, 'P', "") < 0 || frontend_execute(out, "", 0) < 0 ||
		frontend_sync(out) < 0) {
		out->len = start;
		return -1;
	}
	return 0;
}
