/*
 * startup.h - the first packet of a connection: StartupMessage, SSLRequest,
 * GSSENCRequest, CancelRequest.
 *
 * "Message Formats", StartupMessage and its neighbours.  Called by session's login
 * with bytes that have arrived, in any pieces.  No state, no allocation, no copy:
 * all texts are lent from the packet and live as long as it does.  Any thread.
 */
#ifndef PROTO_STARTUP_H
#define PROTO_STARTUP_H

#include "base/check.h"

#define STARTUP_LENGTH_MIN     8
#define STARTUP_LENGTH_MAX     10000
#define STARTUP_CANCEL_KEY_MIN 4
#define STARTUP_CANCEL_KEY_MAX 256 /* protocol 3.2; 3.0 has exactly 4 */

enum startup_peek {
	STARTUP_WHOLE, /* the packet is there: *need is its length */
	STARTUP_MORE,  /* wait until *need bytes are there */
	STARTUP_BAD,   /* this can't become a packet of ours: answer an error and close */
};

/* Looks at the first n bytes of a connection.  Believes nothing but the first four bytes, and
 * says STARTUP_BAD as soon as those that are there can't be a length of 8..10000 (HTTP, SSH and
 * a TLS ClientHello are told by their first byte).  *need is never above STARTUP_LENGTH_MAX. */
enum startup_peek startup_peek(const void *p, size_t n, size_t *need) FX_MUST_USE;
/* A TLS record of type handshake: direct TLS (no SSLRequest before it). */
bool startup_is_tls(const void *p, size_t n);

enum startup_kind {
	STARTUP_LOGIN,  /* StartupMessage of protocol 3.x */
	STARTUP_SSL,    /* SSLRequest */
	STARTUP_GSSENC, /* GSSENCRequest */
	STARTUP_CANCEL,
	STARTUP_UNSUPPORTED, /* another protocol: only major and minor are set */
};

struct startup {
	enum startup_kind kind;
	uint16_t major, minor;

	/* STARTUP_LOGIN */
	const char *user;             /* never NULL, never "" */
	const char *database;         /* as sent; the user's name when absent or empty */
	const char *options;          /* NULL: absent; read it with startopt.h */
	const char *application_name; /* NULL: absent */
	const char *replication;      /* NULL: absent; as sent, see startup_replication */
	uint32_t extensions;          /* number of _pq_.* parameters */
	uint32_t protocol;            /* what we speak with it: WIRE_PROTOCOL_3_0 or 3_2, never newer than asked for */
	bool needs_negotiation;       /* another one than asked for, or extensions: NegotiateProtocolVersion is due, once */

	/* STARTUP_CANCEL */
	uint32_t cancel_pid;
	const uint8_t *cancel_key;
	size_t cancel_key_len; /* 4..256 */

	/* when startup_parse failed */
	const char *error; /* a sentence for the client, constant */
	char sqlstate[6];

	/* for startup_next */
	const uint8_t *params;
	size_t params_len;
};

/* Parses one whole packet of n bytes (as said by startup_peek).  Borrows p for as long as out is
 * used.  -1: out->error and out->sqlstate say what is wrong, nothing else of out may be used.
 * Errors: wrong length, key data of a wrong size, no terminator, name without value, bytes after
 * the terminator, no user, and user, database, options or replication given twice. */
int startup_parse(const void *p, size_t n, struct startup *out) FX_MUST_USE;

/* Walks the parameters: start with *it = 0; false at the end.
 * startup_next: all but user, database, options, replication and _pq_.*, in the order sent
 * (application_name is among them; a later pair of the same name overrides the earlier).
 * startup_next_extension: the names of the _pq_.* parameters. */
bool startup_next(const struct startup *s, size_t *it, const char **name, const char **value);
bool startup_next_extension(const struct startup *s, size_t *it, const char **name);

enum startup_replication {
	STARTUP_REPLICATION_NONE,
	STARTUP_REPLICATION_PHYSICAL,
	STARTUP_REPLICATION_LOGICAL,
	STARTUP_REPLICATION_INVALID,
};
/* replication=database is logical, else PostgreSQL's boolean words. */
enum startup_replication startup_replication(const struct startup *s);

#endif
