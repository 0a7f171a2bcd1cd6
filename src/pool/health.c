/*
 * health.c - the health score of a pool.  Formulas: see health.h and doc/health.md.
 */
#include "pool/health.h"

#include <stdio.h>
#include <string.h>

#define PPM UINT64_C(1000000)

static const char *const health_names[HEALTH_COMPONENT_COUNT] = {
#define HEALTH_COMPONENT(id, name) [HEALTH_##id] = name,
#include "pool/health.def"
#undef HEALTH_COMPONENT
};

static const char *const health_words[] = {
	[HEALTH_STATUS_HEALTHY] = "healthy",
	[HEALTH_STATUS_WARNING] = "warning",
	[HEALTH_STATUS_CRITICAL] = "critical",
	[HEALTH_STATUS_PAUSED] = "paused",
};

const char *health_component_name(enum health_component component)
{
	return health_names[component];
}

const char *health_status_word(enum health_status status)
{
	return health_words[status];
}

enum health_status health_status_of(int score)
{
	if (score < 0)
		return HEALTH_STATUS_PAUSED;
	if (score >= HEALTH_HEALTHY)
		return HEALTH_STATUS_HEALTHY;
	return score >= HEALTH_WARNING ? HEALTH_STATUS_WARNING : HEALTH_STATUS_CRITICAL;
}

/* from at x0 to to at x1, rounded to the nearest; x0 <= x <= x1 */
static int health_line(uint64_t x, uint64_t x0, uint64_t x1, int from, int to)
{
	double at = (double)(x - x0) / (double)(x1 - x0);

	return (int)(from + at * (to - from) + 0.5);
}

/* what is not perfect must not look perfect */
static int health_not_perfect(int score)
{
	return score > 99 ? 99 : score;
}

static int health_bands(uint64_t ppm)
{
	if (ppm <= 5 * PPM / 10)
		return 100;
	if (ppm <= 8 * PPM / 10)
		return health_line(ppm, 5 * PPM / 10, 8 * PPM / 10, 80, 50);
	if (ppm < PPM)
		return health_line(ppm, 8 * PPM / 10, PPM, 50, 0);
	return 0;
}

int health_utilisation(unsigned cap, uint64_t use_ppm)
{
	return cap == 0 ? 100 : health_bands(use_ppm);
}

int health_waiting(uint64_t oldest_wait, uint64_t pool_timeout)
{
	uint64_t most = pool_timeout > 0 ? pool_timeout : HEALTH_WAIT_DEFAULT_US;

	/* a wait of a blink is how a pool works: half a percent still rounds to 100 */
	if (oldest_wait >= most)
		return 0;
	return health_line(oldest_wait, 0, most, 100, 0);
}

int health_failures(uint64_t well, uint64_t failed)
{
	double share = (double)failed / ((double)well + (double)failed);

	if (failed == 0)
		return 100;
	if (share >= 0.2)
		return 0;
	return health_not_perfect((int)(100 - 500 * share + 0.5));
}

int health_long(unsigned long_queries, unsigned cap, unsigned servers)
{
	unsigned of = cap > 0 ? cap : servers;

	if (long_queries == 0)
		return 100;
	if (long_queries >= of)
		return 0;
	return health_not_perfect(health_line(long_queries, 0, of, 100, 0));
}

int health_memory(uint64_t used, uint64_t limit)
{
	if (limit == 0)
		return 100;
	return used >= limit ? 0 : health_bands((uint64_t)((double)used / (double)limit * (double)PPM));
}

static void health_say_component(const struct health_input *in, struct health *h)
{
	char *out = h->sentence;
	size_t size = sizeof(h->sentence);
	uint64_t most = in->pool_timeout > 0 ? in->pool_timeout : HEALTH_WAIT_DEFAULT_US;

	switch (h->worst) {
	case HEALTH_UTILISATION:
		snprintf(out, size,
			"%.0f%% of %u servers were in use over the last %u s: raise pool_size or "
			"max_overflow, or shorten transactions",
			(double)in->use_ppm / 1e4, in->cap, HEALTH_WINDOW_S);
		break;
	case HEALTH_WAITING:
		snprintf(out, size,
			"%u client%s, the oldest for %.1f s of %.0f s: free servers (SHOW LONG_QUERIES, SHOW "
			"POOLS_EXTENDED) or raise the limit that holds them",
			in->waiting, in->waiting == 1 ? " waits" : "s wait", (double)in->oldest_wait / 1e6,
			(double)most / 1e6);
		break;
	case HEALTH_CONNECT:
		snprintf(out, size,
			"%llu of %llu attempts to connect or log in failed in the last %u s: check "
			"PostgreSQL's log, its max_connections and the password",
			(unsigned long long)in->connect_failures,
			(unsigned long long)(in->connects + in->connect_failures), HEALTH_WINDOW_S);
		break;
	case HEALTH_PING:
		snprintf(out, size,
			"%llu of %llu pings failed in the last %u s: idle servers die, look for a restart, a "
			"failover or a firewall that drops idle connections",
			(unsigned long long)in->ping_failures, (unsigned long long)in->pings,
			HEALTH_WINDOW_S);
		break;
	case HEALTH_ERRORS:
		snprintf(out, size,
			"%llu of %llu requests ended in a timeout or lost their server in the last %u s: see "
			"the log for the reasons",
			(unsigned long long)in->errors, (unsigned long long)(in->requests + in->errors),
			HEALTH_WINDOW_S);
		break;
	case HEALTH_LONG:
		snprintf(out, size,
			"%u %s longer than long_query_time: SHOW LONG_QUERIES tells more, KILL_QUERY ends "
			"one",
			in->long_queries, in->long_queries == 1 ? "query has run" : "queries have run");
		break;
	default:
		snprintf(out, size,
			"fynixpool uses %llu MB of the %llu MB it may have: lower max_client_conn or give it "
			"more memory",
			(unsigned long long)(in->memory_used >> 20),
			(unsigned long long)(in->memory_limit >> 20));
		break;
	}
}

static void health_say(const struct health_input *in, struct health *h)
{
	if (in->is_paused)
		snprintf(
			h->sentence, sizeof(h->sentence), "paused on purpose: RESUME lets its clients go on");
	else if (in->is_unreachable)
		snprintf(h->sentence, sizeof(h->sentence),
			"PostgreSQL can't be reached, make it reachable: %s",
			in->failure != NULL && in->failure[0] != '\0' ? in->failure
								      : "the last attempt failed");
	else if (h->score >= HEALTH_HEALTHY)
		snprintf(h->sentence, sizeof(h->sentence), "all is well, nothing to do");
	else
		health_say_component(in, h);
}

void health_judge(const struct health_input *in, struct health *out)
{
	int *c = out->component;

	c[HEALTH_UTILISATION] = health_utilisation(in->cap, in->use_ppm);
	c[HEALTH_WAITING] = health_waiting(in->oldest_wait, in->pool_timeout);
	c[HEALTH_CONNECT] = in->is_unreachable ? 0 : health_failures(in->connects, in->connect_failures);
	c[HEALTH_PING] = health_failures(in->pings - in->ping_failures, in->ping_failures);
	c[HEALTH_ERRORS] = health_failures(in->requests, in->errors);
	c[HEALTH_LONG] = health_long(in->long_queries, in->cap, in->servers);
	c[HEALTH_MEMORY] = health_memory(in->memory_used, in->memory_limit);
	out->worst = (enum health_component)0;
	for (unsigned i = 1; i < HEALTH_COMPONENT_COUNT; i++)
		if (c[i] < c[out->worst])
			out->worst = (enum health_component)i;
	out->score = in->is_paused ? -1 : c[out->worst];
	out->status = health_status_of(out->score);
	health_say(in, out);
}
