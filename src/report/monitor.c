/*
 * monitor.c - the last ten seconds and the last period of every pool.
 *
 * A pool that has just come into being is taken to have been unused before.  While all
 * workers rest nothing changes, so they are not woken: their last parts count again.
 */
#include "report/monitor.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/weight.h"
#include "report/gather.h"

#include <stdio.h>
#include <string.h>

#define MONITOR_TICK_US  (UINT64_C(1) * 1000000)
#define MONITOR_REST_TICKS 5 /* resting workers are asked so often at least: clients come and go unseen */
#define MONITOR_SLACK_US (UINT64_C(100) * 1000) /* a period may end so much early: ticks are a second apart */

struct monitor_second {
	struct stats stats;
	uint64_t use_ppm;
};

struct monitor_pool {
	struct share *share;
	struct monitor_second
		second[HEALTH_WINDOW_S]; /* a ring: the next to be overwritten is ten seconds old */
	struct stats newer, older;       /* at the last two ends of a period */
	enum health_status status;
};

struct monitor {
	struct loop *control;
	struct worker **workers;
	unsigned n;
	const struct monitor_ops *ops;
	void *owner;
	struct timeout tick;
	struct hash_map pools; /* struct monitor_pool by its share's address */
	struct sample *parts;	/* the workers' while is_looking */
	size_t parts_bytes;	/* what they pointed to when they were last joined */
	unsigned at; /* in the rings */
	bool is_looking;
	bool have_rested; /* all workers, when they were last asked, */
	unsigned stirs;	  /* with so many ends of rest before, all together */
	unsigned rest_ticks;
	struct stats console_newer, console_older;
	uint64_t stamp, duration; /* end and length of the last period */
	struct memory_use memory;
};

struct memory_use monitor_memory(const struct monitor *m)
{
	return m->memory;
}

static struct monitor_pool *monitor_find(const struct monitor *m, const struct share *share)
{
	return hash_map_get(&m->pools, &share, sizeof(share));
}

static struct monitor_pool *monitor_pool(struct monitor *m, struct share *share)
{
	struct monitor_pool *p = monitor_find(m, share);

	if (p == NULL) {
		p = mem_zalloc(sizeof(*p));
		p->share = share;
		(void)hash_map_put(&m->pools, &share, sizeof(share), p);
	}
	return p;
}

static unsigned monitor_in_use(const struct sample_pool *p)
{
	return p->active + p->tested + p->being_canceled;
}

static unsigned monitor_cap(const struct sample_pool *p)
{
	return p->limits.pool_size > 0 ? (unsigned)(p->limits.pool_size + p->limits.max_overflow) : 0;
}

static uint64_t monitor_failed(const struct stats *s)
{
	return s->errors + s->wait_timeouts + s->query_timeouts + s->idle_transaction_timeouts;
}

void monitor_health(struct monitor *m, const struct sample_pool *now, struct health *out)
{
	struct monitor_pool *p = monitor_pool(m, now->share);
	struct health_input in = {
		.cap = monitor_cap(now),
		.servers = now->servers,
		.waiting = now->waiting,
		.oldest_wait = now->oldest_wait,
		.pool_timeout = now->limits.query_wait_timeout,
		.long_queries = now->long_queries,
		.memory_used = m->memory.used,
		.memory_limit = m->memory.limit,
		.is_unreachable = now->is_failing && now->ready == 0,
		.is_paused = now->is_paused,
		.failure = now->failure,
	};
	struct stats d;

	stats_difference(&d, &now->stats, &p->second[m->at].stats);
	in.connects = d.servers_opened;
	in.connect_failures = d.connect_failures + d.login_failures;
	in.pings = d.pings;
	/* a ping may have been sent just before the window and have failed in it */
	in.ping_failures = d.ping_failures < d.pings ? d.ping_failures : d.pings;
	in.requests = d.query_count;
	in.errors = monitor_failed(&d);
	for (unsigned i = 0; i < HEALTH_WINDOW_S; i++)
		in.use_ppm += p->second[i].use_ppm;
	in.use_ppm /= HEALTH_WINDOW_S;
	health_judge(&in, out);
}

void monitor_overall(struct monitor *m, const struct sample *now, struct health *out)
{
	const struct health_input alone = {.memory_used = m->memory.used, .memory_limit = m->memory.limit};
	struct health h;
	unsigned judged = 0;

	health_judge(&alone, out);
	for (size_t i = 0; i < now->count; i++) {
		const struct share *share = now->pool[i].share;
		int least;

		monitor_health(m, &now->pool[i], &h);
		if (h.score < 0)
			continue;
		judged++;
		for (unsigned c = 0; c < HEALTH_COMPONENT_COUNT; c++)
			if (h.component[c] < out->component[c])
				out->component[c] = h.component[c];
		least = h.score;
		if (least >= out->score)
			continue;
		out->score = least;
		out->status = h.status;
		out->worst = h.worst;
		if (least < HEALTH_HEALTHY)
			snprintf(out->sentence, sizeof(out->sentence), "%.60s/%.60s: %.250s", share->database,
				share->user, h.sentence);
	}
	if (judged == 0 && now->count > 0) {
		out->score = -1;
		out->status = HEALTH_STATUS_PAUSED;
		snprintf(out->sentence, sizeof(out->sentence),
			"all pools are paused: RESUME lets their clients go on");
	}
}

void monitor_period(struct monitor *m, const struct share *share, struct stats *add)
{
	const struct monitor_pool *p = share != NULL ? monitor_find(m, share) : NULL;
	struct stats d = {0};

	if (share == NULL)
		stats_difference(&d, &m->console_newer, &m->console_older);
	else if (p != NULL)
		stats_difference(&d, &p->newer, &p->older);
	stats_add(add, &d);
}

static uint64_t monitor_per_second(uint64_t count, uint64_t duration)
{
	return duration == 0 ? 0 : (uint64_t)((double)count * 1e6 / (double)duration);
}

void monitor_average(const struct monitor *m, const struct stats *period, struct stats *out)
{
#define COUNTER(id) out->id = monitor_per_second(period->id, m->duration);
#include "stats/counters.def"
#undef COUNTER
	out->xact_time = period->xact_count > 0 ? period->xact_time / period->xact_count : 0;
	out->query_time = period->query_count > 0 ? period->query_time / period->query_count : 0;
}

static void monitor_say(const struct sample_pool *p, const struct health *h, enum log_level level)
{
	char name[160], score[16] = "none";

	snprintf(name, sizeof(name), "%.64s/%.64s", p->share->database, p->share->user);
	if (h->score >= 0)
		snprintf(score, sizeof(score), "%d", h->score);
	log_write(level, name, "pool %s (score %s): %u of %u servers in use, %u clients, %u waiting; %s",
		health_status_word(h->status), score, monitor_in_use(p), monitor_cap(p), p->clients,
		p->waiting, h->sentence);
}

static void monitor_judge(struct monitor *m, const struct sample_pool *now, bool is_period)
{
	struct monitor_pool *p = monitor_pool(m, now->share);
	struct health h;

	monitor_health(m, now, &h);
	if (h.status != p->status)
		monitor_say(now, &h,
			h.status == HEALTH_STATUS_HEALTHY || h.status == HEALTH_STATUS_PAUSED ? LOG_LOG
											      : LOG_WARNING);
	else if (is_period && (now->clients > 0 || now->servers > 0))
		monitor_say(now, &h, LOG_LOG);
	p->status = h.status;
}

static void monitor_log_stats(struct monitor *m)
{
	struct stats sum = {0}, avg;
	struct hash_iter it = {0};
	struct hash_node *node;

	monitor_period(m, NULL, &sum);
	while ((node = hash_map_next(&m->pools, &it)) != NULL)
		monitor_period(m, ((struct monitor_pool *)node->value)->share, &sum);
	monitor_average(m, &sum, &avg);
	log_write(LOG_LOG, NULL,
		"stats: %llu xacts/s, %llu queries/s, %llu client parses/s, %llu server parses/s, %llu "
		"binds/s, "
		"in %llu B/s, out %llu B/s, xact %llu us, query %llu us, wait %llu us",
		(unsigned long long)avg.xact_count, (unsigned long long)avg.query_count,
		(unsigned long long)avg.client_parse_count, (unsigned long long)avg.server_parse_count,
		(unsigned long long)avg.bind_count, (unsigned long long)avg.bytes_received,
		(unsigned long long)avg.bytes_sent, (unsigned long long)avg.xact_time,
		(unsigned long long)avg.query_time, (unsigned long long)avg.wait_time);
}

static void monitor_end_period(struct monitor *m, const struct sample *now)
{
	uint64_t at = loop_now(m->control);

	m->duration = at - m->stamp;
	m->stamp = at;
	m->console_older = m->console_newer;
	memset(&m->console_newer, 0, sizeof(m->console_newer));
	m->ops->console(m->owner, &m->console_newer);
	for (size_t i = 0; i < now->count; i++) {
		struct monitor_pool *p = monitor_pool(m, now->pool[i].share);

		p->older = p->newer;
		p->newer = now->pool[i].stats;
	}
}

static void monitor_look(struct monitor *m, const struct sample *now)
{
	const struct conf_settings *set = &m->ops->conf(m->owner)->set;
	bool is_period = loop_now(m->control) - m->stamp + MONITOR_SLACK_US >= set->stats_period;

	/* limits seldom change, and reading them is most of the work of an idle second */
	if (m->at == 0)
		m->memory = memory_read();
	else
		m->memory.used = memory_used();
	for (size_t i = 0; i < now->count; i++) {
		const struct sample_pool *p = &now->pool[i];
		struct monitor_second *s = &monitor_pool(m, p->share)->second[m->at];
		unsigned cap = monitor_cap(p);

		/* the oldest second goes, then the health is judged of the ten that are left */
		s->use_ppm = cap > 0 ? (uint64_t)monitor_in_use(p) * 1000000 / cap : 0;
		s->stats = p->stats;
	}
	m->at = (m->at + 1) % HEALTH_WINDOW_S;
	if (is_period)
		monitor_end_period(m, now);
	for (size_t i = 0; i < now->count; i++)
		monitor_judge(m, &now->pool[i], is_period && set->log_stats);
	if (is_period && set->log_stats)
		monitor_log_stats(m);
}

static void monitor_part(struct worker *w, unsigned i, void *arg)
{
	struct monitor *m = arg;

	sample_worker(w, &m->parts[i], true);
}

static void monitor_joined(void *arg)
{
	struct monitor *m = arg;
	struct sample now;

	sample_init(&now);
	sample_join(&now, m->parts, m->n, loop_now(m->control));
	m->parts_bytes = 0;
	for (unsigned i = 0; i < m->n; i++)
		m->parts_bytes += mem_cost(m->parts[i].pool);
	monitor_look(m, &now);
	sample_fini(&now);
	m->is_looking = false;
}

static const struct gather_ops monitor_gather = {.part = monitor_part, .joined = monitor_joined};

/* Is what the workers said last still true? */
static bool monitor_may_rest(struct monitor *m)
{
	bool did_rest = m->have_rested;
	unsigned before = m->stirs;

	m->stirs = 0;
	m->have_rested = true;
	for (unsigned i = 0; i < m->n; i++) {
		m->stirs += atomic_load(&m->workers[i]->home.stirs);
		m->have_rested &= atomic_load(&m->workers[i]->home.is_resting);
	}
	if (did_rest && m->have_rested && m->stirs == before && ++m->rest_ticks < MONITOR_REST_TICKS)
		return true;
	m->rest_ticks = 0;
	return false;
}

static void monitor_on_tick(struct timeout *t)
{
	struct monitor *m = container_of(t, struct monitor, tick);

	loop_arm(m->control, &m->tick, MONITOR_TICK_US);
	if (m->is_looking)
		return; /* a worker is very busy */
	m->is_looking = true;
	if (monitor_may_rest(m)) {
		monitor_joined(m);
		return;
	}
	for (unsigned i = 0; i < m->n; i++)
		sample_fini(&m->parts[i]);
	gather_start(m->control, m->workers, m->n, &monitor_gather, m);
}

struct monitor *monitor_new(
	struct loop *control, struct worker **workers, unsigned n, const struct monitor_ops *ops, void *owner)
{
	struct monitor *m = mem_zalloc(sizeof(*m));

	m->control = control;
	m->workers = workers;
	m->n = n;
	m->ops = ops;
	m->owner = owner;
	m->parts = mem_zalloc(n * sizeof(struct sample));
	m->stamp = loop_now(control);
	m->memory = memory_read();
	hash_map_init(&m->pools);
	timeout_init(&m->tick, monitor_on_tick);
	loop_arm(control, &m->tick, MONITOR_TICK_US);
	return m;
}

void monitor_free(struct monitor *m)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	timeout_disarm(&m->tick);
	while ((node = hash_map_next(&m->pools, &it)) != NULL)
		mem_free(node->value);
	hash_map_fini(&m->pools);
	for (unsigned i = 0; i < m->n; i++)
		sample_fini(&m->parts[i]);
	mem_free(m->parts);
	mem_free(m);
}

void monitor_weigh(const struct monitor *m, struct weight *to)
{
	struct hash_iter it = {0};
	struct hash_node *node;

	weight_object(to, WEIGHT_STATISTICS, m);
	weight_block(to, WEIGHT_STATISTICS, m->parts);
	while ((node = hash_map_next(&m->pools, &it)) != NULL) {
		weight_block(to, WEIGHT_STATISTICS, node);
		weight_object(to, WEIGHT_STATISTICS, node->value);
	}
	weight_bytes(to, WEIGHT_STATISTICS, 0, m->parts_bytes);
}
