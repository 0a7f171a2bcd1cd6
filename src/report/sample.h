/*
 * sample.h - what all pools are doing at one moment, summed over the workers.
 *
 * Each worker takes its part on its own thread (sample_worker); the control thread
 * adds them up and reads what the shares know (sample_join).
 */
#ifndef REPORT_SAMPLE_H
#define REPORT_SAMPLE_H

#include "session/worker.h"

struct sample_pool {
	struct share *share; /* lives as long as the hub */
	unsigned clients;    /* logged in, or being let in; waiting ones included */
	unsigned waiting;
	unsigned active;                                         /* servers that clients ride */
	unsigned idle, tested, being_canceled, opening, closing; /* tested: pinged or cleaned */
	unsigned cancels, cancels_waiting;                       /* cancel requests under way, and behind those */
	unsigned long_queries;                                   /* at present */
	unsigned outdated;                                       /* servers that close when they are free */
	uint64_t parts;    /* workers whose part is in here, one bit each */
	uint64_t max_wait; /* longest wait that ended since the last sample with reset */
	struct conf_limits limits;
	struct stats stats;
	/* by sample_join, from the share: */
	unsigned servers; /* in any state */
	unsigned connecting, ready;
	uint64_t oldest_wait; /* microseconds that the oldest waiting client has waited */
	bool is_paused, is_disabled, is_failing;
	char failure[256];
};

struct sample {
	struct sample_pool *pool; /* by database and user after sample_join */
	size_t count, cap;
	unsigned console_clients; /* logged in on the console */
};

void sample_init(struct sample *s);
void sample_fini(struct sample *s);
/* The worker's thread: appends its part.  reset: max_wait begins anew. */
void sample_worker(struct worker *w, struct sample *out, bool reset);
/* Two shares of one (database, user): the second answers our own questions (askpool.h). */
bool sample_is_twin(const struct sample_pool *a, const struct sample_pool *b);
/* Adds what from is doing. */
void sample_fold(struct sample_pool *to, const struct sample_pool *from);
/* The control thread: empties the parts into to, which is empty. */
void sample_join(struct sample *to, struct sample *parts, unsigned n, uint64_t now);

#endif
