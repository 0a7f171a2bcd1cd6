/*
 * wire.h - the vocabulary of PostgreSQL's protocol 3, and the frame of one message.
 *
 * "Frontend/Backend Protocol", Message Formats.  FE_ is what a client sends, BE_
 * what a server sends.  Any thread; no state.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include "base/buf.h"

enum wire_frontend {
	FE_BIND = 'B',
	FE_CLOSE = 'C',
	FE_COPY_DATA = 'd',
	FE_COPY_DONE = 'c',
	FE_COPY_FAIL = 'f',
	FE_DESCRIBE = 'D',
	FE_EXECUTE = 'E',
	FE_FLUSH = 'H',
	FE_FUNCTION_CALL = 'F',
	FE_PARSE = 'P',
	FE_PASSWORD = 'p', /* also SASLInitialResponse, SASLResponse, GSSResponse */
	FE_QUERY = 'Q',
	FE_SYNC = 'S',
	FE_TERMINATE = 'X',
};

enum wire_backend {
	BE_AUTHENTICATION = 'R',
	BE_BACKEND_KEY_DATA = 'K',
	BE_BIND_COMPLETE = '2',
	BE_CLOSE_COMPLETE = '3',
	BE_COMMAND_COMPLETE = 'C',
	BE_COPY_BOTH_RESPONSE = 'W',
	BE_COPY_DATA = 'd',
	BE_COPY_DONE = 'c',
	BE_COPY_IN_RESPONSE = 'G',
	BE_COPY_OUT_RESPONSE = 'H',
	BE_DATA_ROW = 'D',
	BE_EMPTY_QUERY_RESPONSE = 'I',
	BE_ERROR_RESPONSE = 'E',
	BE_FUNCTION_CALL_RESPONSE = 'V',
	BE_NEGOTIATE_PROTOCOL_VERSION = 'v',
	BE_NO_DATA = 'n',
	BE_NOTICE_RESPONSE = 'N',
	BE_NOTIFICATION_RESPONSE = 'A',
	BE_PARAMETER_DESCRIPTION = 't',
	BE_PARAMETER_STATUS = 'S',
	BE_PARSE_COMPLETE = '1',
	BE_PORTAL_SUSPENDED = 's',
	BE_READY_FOR_QUERY = 'Z',
	BE_ROW_DESCRIPTION = 'T',
};

/* The first Int32 of an Authentication message. */
enum wire_auth {
	AUTH_OK = 0,
	AUTH_KERBEROS_V5 = 2,
	AUTH_CLEARTEXT = 3,
	AUTH_MD5 = 5,
	AUTH_SCM = 6,
	AUTH_GSS = 7,
	AUTH_GSS_CONTINUE = 8,
	AUTH_SSPI = 9,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12,
};

/* The Int32 after the length of a packet that begins a connection. */
#define WIRE_CANCEL_REQUEST         UINT32_C(80877102)
#define WIRE_SSL_REQUEST            UINT32_C(80877103)
#define WIRE_GSSENC_REQUEST         UINT32_C(80877104)
#define WIRE_PROTOCOL(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define WIRE_PROTOCOL_3_0           WIRE_PROTOCOL(3, 0)
#define WIRE_PROTOCOL_3_2           WIRE_PROTOCOL(3, 2)

/* ReadyForQuery's byte */
enum wire_transaction {
	TRANSACTION_IDLE = 'I',
	TRANSACTION_OPEN = 'T',
	TRANSACTION_FAILED = 'E',
};

/* The length word counts itself and not the type byte; no message of ours may pass this. */
#define WIRE_LENGTH_MAX ((size_t)0x3fffffff)
#define WIRE_HEADER_LEN 5 /* type byte and length word */

/* Starts a message: type byte and a length word to be patched.  Gives the offset for wire_end.
 * Between the two the caller appends the body with buf_append_*, without looking at errors. */
size_t wire_begin(struct buf *b, char type);
/* Ends it: patches the length.  When anything since wire_begin failed (b->bad) or the message is
 * longer than WIRE_LENGTH_MAX, the buffer is cut back to where the message began, b->bad is set
 * and the answer is -1: a message is appended whole or not at all. */
int wire_end(struct buf *b, size_t at);

/* The same for packets without a type byte: StartupMessage, CancelRequest, SSLRequest. */
size_t wire_begin_untyped(struct buf *b);
int wire_end_untyped(struct buf *b, size_t at);

/* Is the byte a message type that a client (a server) of protocol 3 may send at all? */
bool wire_is_frontend(uint8_t type);
bool wire_is_backend(uint8_t type);
/* "Query", "DataRow"...; "unknown" for a byte that is none.  For log lines. */
const char *wire_frontend_name(uint8_t type);
const char *wire_backend_name(uint8_t type);

#endif
