/*
 * msgname.h - which statement or portal an extended-query message names, told from
 * the first bytes of its body.
 *
 * "Message Formats": Parse, Bind, Describe, Close, Execute.  For session, which reads
 * headers only and must not wait for whole messages.  Any thread, no allocation.
 */
#ifndef PROTO_MSGNAME_H
#define PROTO_MSGNAME_H

#include "base/check.h"

enum msgname_answer {
	MSGNAME_NONE,    /* this message names no such thing */
	MSGNAME_UNNAMED, /* it names the unnamed one */
	MSGNAME_NAMED,   /* it names one, see *name */
	MSGNAME_MORE,    /* more bytes of the body are needed */
	MSGNAME_BAD,     /* the body ends before the name does, or kind is neither 'S' nor 'P' */
};

/* type: FE_PARSE, FE_BIND, FE_DESCRIBE, FE_CLOSE, FE_EXECUTE (others: MSGNAME_NONE).
 * body: the first have bytes after the length word, of len in all.
 * With name == NULL only the first byte of the name is needed and MSGNAME_NAMED comes as soon as
 * it is there; else *name is lent from body and the whole name with its NUL must be there. */
enum msgname_answer msgname_statement(
	uint8_t type, const void *body, size_t have, size_t len, const char **name) FX_MUST_USE;
enum msgname_answer msgname_portal(
	uint8_t type, const void *body, size_t have, size_t len, const char **name) FX_MUST_USE;

#endif
