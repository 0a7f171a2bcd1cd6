/*
 * waits.h - what long queries wait for: the eyes of the monitoring login.
 *
 * The control thread.  Once a second the workers are asked for their long queries; for
 * each database and server that has some, PostgreSQL is asked about exactly these
 * backends, on a connection beside the pools (net/lookup).  Nothing is asked, and no
 * connection is open for long, while there is no long query.  Answers are kept for a
 * few seconds; whoever shows them never waits.
 */
#ifndef REPORT_WAITS_H
#define REPORT_WAITS_H

#include "report/waitplace.h"

struct waits;

/* Begins to look.  Borrows all.  lookup NULL: never knows anything. */
struct waits *waits_new(struct loop *control, struct worker **workers, unsigned n, struct lookup *lookup,
			const struct conf *(*conf)(void *owner), void *owner);
/* When no worker runs any more, lookup is freed and the control loop's mail is drained. */
void waits_free(struct waits *w);

/* Somebody looks at queries older than this, too: they are asked about for the next seconds. */
void waits_care(struct waits *w, uint64_t threshold_us);
/* What is known of the query that has run since then on this backend; NULL: nothing.  Lent until the next turn. */
const struct waitplace_row *waits_find(const struct waits *w, const struct machine *machine, uint32_t pid, uint64_t since);

#endif
