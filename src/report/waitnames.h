/*
 * waitnames.h - which of our clients ride the servers with these process ids.
 *
 * Filled and started on the control thread, answered by the workers, given back on the
 * control thread.
 */
#ifndef REPORT_WAITNAMES_H
#define REPORT_WAITNAMES_H

#include "report/machine.h"
#include "session/worker.h"

#define WAITNAMES_MAX  64 /* more stay without a name */
#define WAITNAMES_TEXT 176

struct waitnames_one {
	uint32_t pid;
	_Atomic bool is_taken; /* one worker writes, should two have this pid */
	char text[WAITNAMES_TEXT]; /* "C-42 joe@10.0.0.7:5123" */
};

struct waitnames {
	struct machine machine;
	struct waitnames_one one[WAITNAMES_MAX];
	unsigned n;
	void (*done)(void *arg, struct waitnames *names); /* takes names */
	void *arg;
};

struct waitnames *waitnames_new(const struct machine *machine, void (*done)(void *arg, struct waitnames *names), void *arg);
void waitnames_free(struct waitnames *names);
void waitnames_add(struct waitnames *names, uint32_t pid);
/* Takes names, gives it to done, never before this returns. */
void waitnames_start(struct waitnames *names, struct loop *control, struct worker **workers, unsigned n);
/* arg: struct waitnames.  NULL: not one of ours, or nobody rides it. */
const char *waitnames_get(void *arg, uint32_t pid);

#endif
