/*
 * pqlink.h - one libpq connection whose every step has a deadline.
 *
 * For helper threads (lookup.c) only: each call waits, though never longer than its
 * limit.  The only place that names libpq; without it pqlink_open always fails.  One
 * thread at a time.  Of the environment only PGHOSTADDR (with a Unix socket), PGSERVICE
 * and PGSSL* still speak: libpq has no value that overrules them.
 */
#ifndef NET_PQLINK_H
#define NET_PQLINK_H

#include "base/buf.h"

#define PQLINK_ROWS_MAX	 4096 /* an answer with more is an error */
#define PQLINK_BYTES_MAX ((size_t)1 << 20)

struct pqlink;

/* Borrowed until return. */
struct pqlink_where {
	const char *host;	 /* as configured: for TLS and for messages; the directory of a Unix socket */
	const char *hostaddr; /* numeric address; NULL: host is a directory.  Names are never looked up here */
	uint16_t port;
	const char *dbname, *user;
	const char *password; /* NULL: none */
	const char *application_name;
	const char *sslmode; /* libpq's words, and its meaning of these: */
	const char *sslrootcert, *sslcert, *sslkey, *sslcrl; /* NULL: none, and never what lies in a home directory */
	const char *options; /* "-c name=value ..." */
};

/* When a call gives up: at a moment (monotonic microseconds), and as soon as stop_fd (-1: none) can be read. */
struct pqlink_limit {
	uint64_t until;
	int stop_fd;
};

/* An answer as text. */
struct pqlink_rows {
	unsigned rows, columns;
	struct buf text;   /* where the cells are */
	const char **cell; /* row by row; NULL: null */
};

enum pqlink_result {
	PQLINK_OK,
	PQLINK_REFUSED, /* the server's error; the link can be used again */
	PQLINK_LOST,	/* the link is only good for pqlink_close */
};

/* NULL: error holds one line. */
struct pqlink *pqlink_open(const struct pqlink_where *where, const struct pqlink_limit *limit, char *error,
			   size_t size) FX_MUST_USE;
/* One statement.  sql is a constant of ours, everything else goes into params (text; NULL: null).  rows is initialised
 * here, whatever happens, and the caller's to end. */
enum pqlink_result pqlink_ask(struct pqlink *link, const char *sql, const char *const *param, unsigned params,
			      const struct pqlink_limit *limit, struct pqlink_rows *rows, char *error, size_t size);
/* Has the server ended it, as far as can be seen without waiting? */
bool pqlink_is_lost(struct pqlink *link);
/* Takes the link; says goodbye, waits for nothing.  NULL is fine. */
void pqlink_close(struct pqlink *link);

void pqlink_rows_init(struct pqlink_rows *r);
void pqlink_rows_fini(struct pqlink_rows *r);
static inline const char *pqlink_rows_cell(const struct pqlink_rows *r, unsigned row, unsigned column)
{
	return r->cell[(size_t)row * r->columns + column];
}

#endif
