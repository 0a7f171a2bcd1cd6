/*
 * errand.h - work that may wait (for the system, for a directory), done by helper threads.
 *
 * Any loop gives an errand and goes on; a helper does the work and sends it home by
 * mail.  Bounded: so many helpers, so many errands waiting; one more is refused.  A
 * helper that comes back from no errand for too long is replaced, so many times.
 * Who gave it and has lost interest says so in the errand itself, on its own thread:
 * it comes home all the same.
 */
#ifndef NET_ERRAND_H
#define NET_ERRAND_H

#include "base/dlist.h"
#include "net/loop.h"

struct errands;

/* Embedded in what holds question and answer. */
struct errand {
	struct mail mail;
	struct dlist link;
	struct loop *loop;
	uint64_t begun; /* errand.c: monotonic microseconds */
	bool is_late;	/* errand.c: its helper has been replaced */
	/* A helper thread.  May wait; touches nothing but what the errand holds. */
	void (*work)(struct errand *e);
	/* The loop's thread, after the work.  Takes e. */
	void (*done)(struct errand *e);
	/* Any thread, instead of done: the process ends.  Takes e, and touches nothing else. */
	void (*drop)(struct errand *e);
};

#define ERRAND_LATE_MAX 64 /* helpers that were replaced and have not come back; then nobody is replaced any more */

/* Control thread.  No thread is started before the first errand.  patience: microseconds after which another helper takes
 * the place of one that is still at work; its errand comes home all the same, whenever that is.  0: never. */
struct errands *errand_new(unsigned threads, unsigned waiting, uint64_t patience) FX_MUST_USE;
/* Control thread, when the loops have stopped and before loop_fini; NULL is fine.  Does not wait for work that hangs:
 * false, somebody is still at it, and the process is not to take away what it uses. */
bool errand_free(struct errands *a);
/* The loop's thread.  Takes e (work, done and drop are set).  false: too many, or no thread; e is still the caller's. */
bool errand_give(struct errands *a, struct loop *loop, struct errand *e) FX_MUST_USE;

#endif
