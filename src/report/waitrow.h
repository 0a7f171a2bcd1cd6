/*
 * waitrow.h - what PostgreSQL says of one backend: what it waits for, and behind whom.
 *
 * Values and pure functions; any thread.
 */
#ifndef REPORT_WAITROW_H
#define REPORT_WAITROW_H

#include "base/buf.h"

#define WAITROW_BLOCKERS_MAX 16 /* more are shown as "..." */

/* The one statement of the monitoring login; its parameter is waitrow_pids' text.  pg_blocking_pids stops the lock manager
 * for a moment, so only those are asked about that do wait for a lock. */
extern const char waitrow_sql[];
/* Columns of its answer. */
enum waitrow_column { WAITROW_PID, WAITROW_TYPE, WAITROW_EVENT, WAITROW_STATE, WAITROW_BLOCKERS, WAITROW_COLUMNS };

struct waitrow {
	uint32_t pid;
	bool is_hidden; /* the login may not see other roles' sessions */
	bool is_locked; /* waits for a lock */
	char type[48], event[64]; /* "": waits for nothing */
	uint32_t blocker[WAITROW_BLOCKERS_MAX]; /* 0: a prepared transaction */
	unsigned blockers;
	bool has_more;
};

/* "{1,2,3}" */
void waitrow_pids(struct buf *out, const uint32_t *pid, size_t n);
/* cell: WAITROW_COLUMNS texts, NULL = null.  -1: not what PostgreSQL would say. */
int waitrow_parse(struct waitrow *row, const char *const *cell) FX_MUST_USE;
/* "4711 (C-42 joe@10.0.0.7:5123), 4712".  name gives the text in brackets, or NULL. */
void waitrow_blocked_by(const struct waitrow *row, const char *(*name)(void *arg, uint32_t pid), void *arg,
			struct buf *out);

#endif
