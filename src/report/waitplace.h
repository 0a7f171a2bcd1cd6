/*
 * waitplace.h - one database entry on one server, and what PostgreSQL said last of its long queries.
 *
 * The control thread.  Asks one question at a time; after a failure it keeps still for a
 * while, for the server may be full, and says so once.
 */
#ifndef REPORT_WAITPLACE_H
#define REPORT_WAITPLACE_H

#include "conf/conf.h"
#include "net/lookup.h"
#include "report/longlist.h"
#include "report/waitrow.h"

struct waitplace_row {
	uint32_t pid;
	uint64_t since;
	bool is_long, is_answered, is_told;
	struct waitrow row;
	char who[LONGLIST_WHO];
	char blocked_by[512]; /* "": nobody */
};

struct waitplace {
	struct dlist link; /* the owner's */
	struct loop *control;
	struct worker **workers;
	unsigned n;
	char *database;
	struct machine machine;
	struct lookup_ask ask;
	struct waitplace_row *next; /* to be asked about, or asked about */
	size_t nexts, nexts_cap;
	struct waitplace_row *row; /* the last answer */
	size_t rows;
	struct target *target; /* of one of next; a reference, while a question is made */
	const struct target_host *host;
	bool is_naming;
	uint64_t used_at, answered_at, retry_at, said_at;
	char said[384];
};

/* Borrows the workers. */
struct waitplace *waitplace_new(struct loop *control, struct worker **workers, unsigned n, const char *database,
				const struct machine *machine);
/* Not while it is busy, unless lookup is freed and all mail is drained. */
void waitplace_free(struct waitplace *place);

/* Waits for an answer: nothing can be added or asked. */
bool waitplace_is_busy(const struct waitplace *place);
void waitplace_clear(struct waitplace *place);
void waitplace_add(struct waitplace *place, const struct longlist_item *item);
/* Asks about what was added since waitplace_clear, if anything was, if the configuration has a login for it and no failure
 * is too fresh. */
void waitplace_ask(struct waitplace *place, struct lookup *lookup, const struct conf *conf);
/* NULL: nothing is known, or not any more. */
const struct waitplace_row *waitplace_find(const struct waitplace *place, uint32_t pid, uint64_t since);

#endif
