/*
 * pgscript.h - how PostgreSQL answers, for the test of the expectation queue: a small server of its own, written from
 * the protocol's description and knowing nothing of expect.c.
 *
 * Messages go in one by one, replies come out with the message that they answer.
 */
#ifndef TEST_UNIT_SERVER_PGSCRIPT_H
#define TEST_UNIT_SERVER_PGSCRIPT_H

#include "base/rnd.h"

#include <stdbool.h>
#include <stdint.h>

#define PGSCRIPT_REPLIES 4096

struct pgscript_message {
	uint8_t type;
	bool ours;
	bool is_probe; /* nothing asynchronous comes with its answer */
	unsigned no;
};

struct pgscript_reply {
	uint8_t type;
	struct pgscript_message to;
	bool in_copy_error; /* an error inside COPY FROM STDIN */
};

struct pgscript {
	struct rnd *rnd;
	uint64_t seed;	   /* what happens to a message depends on this and its number alone; 0: on rnd */
	unsigned error_in; /* an error in one of so many steps; 0: never */
	bool is_skipping, has_batch, in_copy, is_dead;
	struct pgscript_message copy_of; /* the message whose COPY runs */
	unsigned statements;		 /* of that Query, still to come */
	unsigned first, visible, last; /* what is behind visible waits for a flush */
	struct pgscript_reply out[PGSCRIPT_REPLIES];
};

void pgscript_init(struct pgscript *p, struct rnd *rnd);
/* The server reads one message. */
void pgscript_take(struct pgscript *p, struct pgscript_message m);
/* The next reply that is on its way; false: none. */
bool pgscript_next(struct pgscript *p, struct pgscript_reply *out);

#endif
