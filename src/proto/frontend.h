/*
 * frontend.h - everything we say ourselves as a client of PostgreSQL.
 *
 * "Message Formats", the frontend's half.  As in reply.h: one whole message or
 * nothing, out->bad tells.  SQL given here is a constant of ours, values go in
 * as bound parameters only.  Any thread.
 */
#ifndef PROTO_FRONTEND_H
#define PROTO_FRONTEND_H

#include "proto/wire.h"

struct frontend_param {
	const char *name, *value;
};

/* StartupMessage; protocol as WIRE_PROTOCOL_3_0.  Pairs with a NULL value are left out. */
int frontend_startup(struct buf *out, uint32_t protocol, const struct frontend_param *params, size_t count);
int frontend_ssl_request(struct buf *out);
int frontend_cancel(struct buf *out, uint32_t pid, const void *key, size_t key_len);

int frontend_password(struct buf *out, const void *password, size_t n); /* adds the NUL */
int frontend_sasl_initial(struct buf *out, const char *mechanism, const void *data, size_t n);
int frontend_sasl_response(struct buf *out, const void *data, size_t n);

int frontend_query(struct buf *out, const char *sql);
int frontend_parse(struct buf *out, const char *statement, const char *sql);
/* All parameters in text format (a NULL pointer is SQL NULL), results in text format. */
int frontend_bind(
	struct buf *out, const char *portal, const char *statement, const char *const *values, size_t count);
int frontend_describe(struct buf *out, char kind, const char *name); /* kind 'S' or 'P' */
int frontend_close(struct buf *out, char kind, const char *name);    /* kind 'S' or 'P' */
int frontend_execute(struct buf *out, const char *portal, uint32_t max_rows);
int frontend_sync(struct buf *out);
int frontend_flush(struct buf *out);
int frontend_terminate(struct buf *out);
int frontend_copy_fail(struct buf *out, const char *why);
/* Parse, Bind, Describe, Execute and Sync for one statement with bound values. */
int frontend_ask(struct buf *out, const char *sql, const char *const *values, size_t count);

#endif
