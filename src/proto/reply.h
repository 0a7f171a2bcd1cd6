/*
 * reply.h - everything we say ourselves as a server.
 *
 * "Message Formats", the backend's half.  Each function appends one whole message to
 * out, or nothing: then out->bad is set and the answer is -1 (see wire_end), so a
 * caller may append several and look at out->bad once.  Texts are borrowed until
 * return.  Any thread.
 */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "proto/errfields.h"
#include "proto/startup.h"
#include "proto/wire.h"

int reply_auth_ok(struct buf *out);
int reply_auth_cleartext(struct buf *out);
int reply_auth_md5(struct buf *out, const uint8_t salt[4]);
int reply_auth_sasl(struct buf *out, const char *const *mechanisms); /* NULL ends the list */
int reply_auth_sasl_continue(struct buf *out, const void *data, size_t n);
int reply_auth_sasl_final(struct buf *out, const void *data, size_t n);

int reply_backend_key(struct buf *out, uint32_t pid, const void *key, size_t key_len); /* 3.0: 4 bytes */
int reply_parameter(struct buf *out, const char *name, const char *value);
int reply_ready(struct buf *out, char transaction); /* one of enum wire_transaction */

/* code such as "08P01" */
int reply_error(struct buf *out, const char *severity, const char *code, const char *message);
int reply_notice(struct buf *out, const char *severity, const char *code, const char *message);
/* with detail and hint, where not NULL; type is BE_ERROR_RESPONSE or BE_NOTICE_RESPONSE */
int reply_fields(struct buf *out, char type, const struct errfields *e);

/* NegotiateProtocolVersion: version as WIRE_PROTOCOL_*, with the _pq_.* names of s. */
int reply_negotiate(struct buf *out, uint32_t version, const struct startup *s);

/* A message that is only its type: ParseComplete, BindComplete, CloseComplete, NoData,
 * PortalSuspended, EmptyQueryResponse, CopyDone. */
int reply_bare(struct buf *out, char type);
int reply_empty_query(struct buf *out);
int reply_command_complete(struct buf *out, const char *tag);

enum reply_type {
	REPLY_TEXT,
	REPLY_INT4,
	REPLY_INT8,
	REPLY_NUMERIC,
	REPLY_BYTEA,
	REPLY_BOOL,
	REPLY_FLOAT8,
	REPLY_TYPE_COUNT
};

struct reply_column {
	const char *name;
	enum reply_type type;
};

/* RowDescription: all columns in text format, of no table.  count at most 1600. */
int reply_row_description(struct buf *out, const struct reply_column *columns, size_t count);

/* DataRow: begin, one reply_put_* for each column, end. */
size_t reply_row_begin(struct buf *out, size_t columns);
void reply_put_null(struct buf *out);
void reply_put_text(struct buf *out, const char *text); /* NULL: SQL NULL */
void reply_put_bytes(struct buf *out, const void *p, size_t n);
void reply_put_int(struct buf *out, int64_t v);
void reply_put_uint(struct buf *out, uint64_t v);
void reply_put_bool(struct buf *out, bool v);                   /* t, f */
void reply_put_bytea(struct buf *out, const void *p, size_t n); /* hex form */
void reply_put_format(struct buf *out, const char *fmt, ...) FX_PRINTF(2, 3);
int reply_row_end(struct buf *out, size_t at);

#endif
