/*
 * health.h - how well a pool does: one number, and a sentence that says what to do.
 *
 * Pure functions; any thread.  Every component is 0 (worst) to 100; the score is the
 * lowest of them.  >= 80 healthy, 50..79 warning, < 50 critical.
 *
 *   utilisation  u = servers in use / (pool_size + max_overflow), averaged over the last 10 s:
 *                u <= 0.5: 100; 0.5..0.8: 80 falling to 50; 0.8..1: 50 falling to 0 (linear in each band; the
 *                step at 0.5 is intended); no limit: 100
 *   waiting      100 * (1 - oldest wait / pool_timeout); without a pool_timeout against 30 s
 *   connect      of all attempts to connect and log in of the last 10 s, the share f that failed: 100 - 500 f
 *   ping         the same of the pings
 *   errors       the same of the requests: those that ended in a timeout or an error of ours, against all
 *   long_queries 100 * (1 - n / (pool_size + max_overflow)), n = long queries at present; no limit: against the
 *                servers that are open
 *   memory       as utilisation, of the memory this process uses against what it may use; one for all pools
 *
 * Figures are rounded to the nearest whole number, but failures and long queries never up to 100.  A pool whose
 * PostgreSQL can't be reached (the last attempt failed and no server is left) scores 0, a paused one has no score.
 */
#ifndef POOL_HEALTH_H
#define POOL_HEALTH_H

#include "base/check.h"

#define HEALTH_WINDOW_S        10
#define HEALTH_HEALTHY         80
#define HEALTH_WARNING         50
#define HEALTH_WAIT_DEFAULT_US (UINT64_C(30) * 1000000)

enum health_component {
#define HEALTH_COMPONENT(id, name) HEALTH_##id,
#include "pool/health.def"
#undef HEALTH_COMPONENT
	HEALTH_COMPONENT_COUNT
};

enum health_status {
	HEALTH_STATUS_HEALTHY,
	HEALTH_STATUS_WARNING,
	HEALTH_STATUS_CRITICAL,
	HEALTH_STATUS_PAUSED
};

struct health_input {
	unsigned cap;                        /* pool_size + max_overflow; 0: no limit */
	uint64_t use_ppm;                    /* u in millionths; may be above 1000000 (reserve) */
	unsigned servers;                    /* open now */
	unsigned waiting;                    /* clients that wait now */
	uint64_t oldest_wait, pool_timeout;  /* microseconds; pool_timeout 0: none */
	uint64_t connects, connect_failures; /* of the last 10 s; connects are those that went well */
	uint64_t pings, ping_failures;       /* pings: all */
	uint64_t requests, errors;           /* requests: those that went well */
	unsigned long_queries;
	uint64_t memory_used, memory_limit; /* bytes; memory_limit 0: not known */
	bool is_unreachable, is_paused;
	const char *failure; /* why it can't be reached; NULL: not known */
};

struct health {
	int score; /* -1: none (paused) */
	enum health_status status;
	int component[HEALTH_COMPONENT_COUNT];
	enum health_component worst;
	char sentence[400];
};

/* One component each. */
int health_utilisation(unsigned cap, uint64_t use_ppm);
int health_waiting(uint64_t oldest_wait, uint64_t pool_timeout);
int health_failures(uint64_t well, uint64_t failed);
int health_long(unsigned long_queries, unsigned cap, unsigned servers);
int health_memory(uint64_t used, uint64_t limit);

void health_judge(const struct health_input *in, struct health *out);
enum health_status health_status_of(int score);
const char *health_status_word(enum health_status status);
const char *health_component_name(enum health_component component);

#endif
