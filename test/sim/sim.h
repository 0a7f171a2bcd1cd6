/*
 * sim.h - the simulator's core: fake time, one seed, one queue of events, a trace.
 *
 * Everything runs in one thread of one process.  Whatever happens is an event at a
 * moment of fake time; events of the same moment happen in a seeded order.  A broken
 * promise calls sim_fail, which prints seed and trace and ends the process.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/check.h"
#include "base/rnd.h"

struct loop;

struct sim_event {
	uint64_t at;
	uint32_t order; /* among events of one moment */
	uint32_t index; /* place in the heap + 1, 0: not queued */
	void (*fire)(struct sim_event *);
	bool is_background; /* does not keep the world from being at rest (deadlines) */
};

/* What the fake network does in this seed. */
struct sim_weather {
	uint64_t latency_us;	/* base delay of a segment */
	uint64_t jitter_us;	/* and up to so much more */
	uint32_t window;	/* bytes on their way and unread in one direction */
	uint32_t max_segment;	/* bytes that arrive together at most */
	uint32_t max_read;	/* bytes that one read takes at most */
	uint32_t turn_delay_us; /* from readiness to the loop's turn, at most */
	bool rst_drops_data;	/* a reset throws away what had arrived */
};

struct sim {
	uint64_t seed;
	struct rnd rnd;
	uint64_t now;
	uint64_t steps;
	uint64_t digest; /* of the trace: the same seed gives the same digest */
	bool is_verbose;
	struct loop *current; /* whose turn it is: the "thread" */
	uint32_t starve_one_in; /* allocations that fail; 0: none */
	bool in_setup;	      /* several threads' objects may be touched */
	struct sim_weather weather;
	struct sim_event **heap;
	uint32_t count, cap;
	uint32_t foreground; /* queued events that are not background */
};

extern struct sim sim;

void sim_start(uint64_t seed, bool verbose);
void sim_finish(void);
/* Fires the next event; false when there is none. */
bool sim_step(void);
void sim_at(struct sim_event *e, uint64_t at);
void sim_after(struct sim_event *e, uint64_t delay);
void sim_cancel(struct sim_event *e);
static inline bool sim_is_queued(const struct sim_event *e)
{
	return e->index != 0;
}
/* The world is at rest: nothing will happen before a deadline. */
static inline bool sim_is_quiet(void)
{
	return sim.foreground == 0;
}

/* uniform in [0, n) */
static inline uint32_t sim_rnd(uint32_t n)
{
	return (uint32_t)rnd_below(&sim.rnd, n);
}
/* true once in n times */
static inline bool sim_one_in(uint32_t n)
{
	return sim_rnd(n) == 0;
}

/* Prints the state of things after the trace of a failure; may be NULL. */
extern void (*sim_describe)(void);
void sim_trace(const char *fmt, ...) FX_PRINTF(1, 2);
/* Prints seed and the last events; does not return. */
void sim_fail(const char *fmt, ...) FX_PRINTF(1, 2) FX_NORETURN;
/* Called by the handler of SIGABRT and the like: the same without ending. */
void sim_print_trace(void);

#endif
