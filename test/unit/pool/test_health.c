/*
 * test_health.c - every component in every band, the edges of the bands, status words, sentences.
 */
#include "pool/health.h"
#include "test/unit/base/suite.h"

#include <string.h>

#define S UINT64_C(1000000)

START_TEST(utilisation_has_its_bands)
{
	static const struct {
		uint64_t ppm;
		int score;
	} rows[] = {
		{0, 100},
		{250000, 100},
		{499999, 100},
		{500000, 100}, /* the step is intended */
		{500001, 80},
		{600000, 70},
		{700000, 60},
		{790000, 51},
		{800000, 50},
		{800001, 50},
		{900000, 25},
		{950000, 13},
		{990000, 3},
		{999999, 0},
		{1000000, 0},
		{1500000, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(health_utilisation(50, rows[i].ppm) == rows[i].score, "u=%llu: %d, not %d",
			(unsigned long long)rows[i].ppm, health_utilisation(50, rows[i].ppm), rows[i].score);
	ck_assert_int_eq(health_utilisation(0, 990000), 100); /* no limit, nothing to exhaust */
}
END_TEST

START_TEST(utilisation_never_rises_with_use)
{
	int last = 100;

	for (uint64_t ppm = 0; ppm <= 1200000; ppm += 100) {
		int score = health_utilisation(10, ppm);

		ck_assert_int_le(score, last);
		ck_assert_int_ge(score, 0);
		last = score;
	}
}
END_TEST

START_TEST(waiting_falls_to_the_timeout)
{
	ck_assert_int_eq(health_waiting(0, 30 * S), 100);
	ck_assert_int_eq(health_waiting(1000, 30 * S), 100); /* a millisecond is how a pool works */
	ck_assert_int_eq(health_waiting(3 * S, 30 * S), 90);
	ck_assert_int_eq(health_waiting(6 * S, 30 * S), 80);
	ck_assert_int_eq(health_waiting(15 * S, 30 * S), 50);
	ck_assert_int_eq(health_waiting(15 * S + S, 30 * S), 47);
	ck_assert_int_eq(health_waiting(30 * S, 30 * S), 0);
	ck_assert_int_eq(health_waiting(300 * S, 30 * S), 0);
	/* for ever: against thirty seconds */
	ck_assert_int_eq(health_waiting(15 * S, 0), 50);
}
END_TEST

START_TEST(failures_cost_five_points_a_percent)
{
	ck_assert_int_eq(health_failures(0, 0), 100);
	ck_assert_int_eq(health_failures(1000000, 0), 100);
	ck_assert_int_eq(health_failures(999999, 1), 99); /* never perfect again */
	ck_assert_int_eq(health_failures(99, 1), 95);
	ck_assert_int_eq(health_failures(96, 4), 80);
	ck_assert_int_eq(health_failures(95, 5), 75);
	ck_assert_int_eq(health_failures(90, 10), 50);
	ck_assert_int_eq(health_failures(89, 11), 45);
	ck_assert_int_eq(health_failures(80, 20), 0);
	ck_assert_int_eq(health_failures(0, 1), 0);
	ck_assert_int_eq(health_failures(UINT64_C(1) << 50, 1), 99);
}
END_TEST

START_TEST(long_queries_count_against_the_pool)
{
	ck_assert_int_eq(health_long(0, 50, 3), 100);
	ck_assert_int_eq(health_long(1, 1000, 3), 99);
	ck_assert_int_eq(health_long(1, 10, 3), 90);
	ck_assert_int_eq(health_long(2, 10, 3), 80);
	ck_assert_int_eq(health_long(3, 10, 3), 70);
	ck_assert_int_eq(health_long(5, 10, 5), 50);
	ck_assert_int_eq(health_long(6, 10, 6), 40);
	ck_assert_int_eq(health_long(10, 10, 10), 0);
	ck_assert_int_eq(health_long(12, 10, 12), 0);
	ck_assert_int_eq(health_long(1, 0, 4), 75); /* no limit: of those that are open */
	ck_assert_int_eq(health_long(1, 0, 0), 0);
}
END_TEST

START_TEST(memory_has_the_bands_of_utilisation)
{
	const uint64_t mb = 1 << 20;

	ck_assert_int_eq(health_memory(500 * mb, 1000 * mb), 100);
	ck_assert_int_eq(health_memory(650 * mb, 1000 * mb), 65);
	ck_assert_int_eq(health_memory(900 * mb, 1000 * mb), 25);
	ck_assert_int_eq(health_memory(1000 * mb, 1000 * mb), 0);
	ck_assert_int_eq(health_memory(2000 * mb, 1000 * mb), 0);
	ck_assert_int_eq(health_memory(1, 0), 100); /* nobody knows */
}
END_TEST

START_TEST(status_has_its_edges)
{
	static const struct {
		int score;
		const char *word;
	} rows[] = {{100, "healthy"}, {80, "healthy"}, {79, "warning"}, {50, "warning"}, {49, "critical"},
		{0, "critical"}, {-1, "paused"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_str_eq(health_status_word(health_status_of(rows[i].score)), rows[i].word);
}
END_TEST

/* a pool at rest, with room for ten */
static struct health_input at_rest(void)
{
	return (struct health_input){.cap = 10,
		.servers = 4,
		.pool_timeout = 30 * S,
		.connects = 100,
		.pings = 100,
		.requests = 100,
		.memory_used = 1,
		.memory_limit = 100};
}

START_TEST(a_pool_at_rest_is_perfect)
{
	const struct health_input in = at_rest();
	struct health h;

	health_judge(&in, &h);
	ck_assert_int_eq(h.score, 100);
	ck_assert_int_eq(h.status, HEALTH_STATUS_HEALTHY);
	for (unsigned i = 0; i < HEALTH_COMPONENT_COUNT; i++)
		ck_assert_int_eq(h.component[i], 100);
	ck_assert_ptr_nonnull(strstr(h.sentence, "nothing to do"));
}
END_TEST

/* one component alone is lowered, in each band: it makes the score, it is named, and the sentence speaks of it */
START_TEST(the_lowest_component_is_the_score)
{
	static const struct {
		enum health_component which;
		int band; /* 0 warning, 1 critical */
		const char *says;
		struct health_input in; /* what is added to a pool at rest */
	} rows[] = {
		{HEALTH_UTILISATION, 0, "pool_size", {.use_ppm = 600000}},
		{HEALTH_UTILISATION, 1, "pool_size", {.use_ppm = 900000}},
		{HEALTH_WAITING, 0, "wait", {.oldest_wait = 10 * S}},
		{HEALTH_WAITING, 1, "wait", {.oldest_wait = 20 * S}},
		{HEALTH_CONNECT, 0, "connect", {.connect_failures = 8}},
		{HEALTH_CONNECT, 1, "connect", {.connect_failures = 20}},
		{HEALTH_PING, 0, "ping", {.ping_failures = 6}},
		{HEALTH_PING, 1, "ping", {.ping_failures = 50}},
		{HEALTH_ERRORS, 0, "timeout", {.errors = 8}},
		{HEALTH_ERRORS, 1, "timeout", {.errors = 20}},
		{HEALTH_LONG, 0, "KILL_QUERY", {.long_queries = 4}},
		{HEALTH_LONG, 1, "KILL_QUERY", {.long_queries = 7}},
		{HEALTH_MEMORY, 0, "memory", {.memory_used = 70}},
		{HEALTH_MEMORY, 1, "memory", {.memory_used = 90}},
	};
	unsigned seen = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct health_input *add = &rows[i].in;
		struct health_input in = at_rest();
		struct health h;

		in.use_ppm += add->use_ppm;
		in.oldest_wait += add->oldest_wait;
		in.connect_failures += add->connect_failures;
		in.ping_failures += add->ping_failures;
		in.errors += add->errors;
		in.long_queries += add->long_queries;
		in.memory_used += add->memory_used;
		health_judge(&in, &h);
		ck_assert_msg(h.worst == rows[i].which, "row %zu: %s", i, health_component_name(h.worst));
		ck_assert_int_eq(h.score, h.component[rows[i].which]);
		ck_assert_msg(h.status == (rows[i].band ? HEALTH_STATUS_CRITICAL : HEALTH_STATUS_WARNING),
			"row %zu: score %d", i, h.score);
		ck_assert_msg(strstr(h.sentence, rows[i].says) != NULL, "row %zu: %s", i, h.sentence);
		for (unsigned c = 0; c < HEALTH_COMPONENT_COUNT; c++)
			ck_assert(c == rows[i].which || h.component[c] == 100);
		seen |= 1u << rows[i].which;
	}
	ck_assert_uint_eq(seen, (1u << HEALTH_COMPONENT_COUNT) - 1);
}
END_TEST

START_TEST(unreachable_is_zero_and_says_why)
{
	struct health_input in = at_rest();
	struct health h;

	in.is_unreachable = true;
	in.failure = "connect failed: Connection refused";
	health_judge(&in, &h);
	ck_assert_int_eq(h.score, 0);
	ck_assert_int_eq(h.status, HEALTH_STATUS_CRITICAL);
	ck_assert_ptr_nonnull(strstr(h.sentence, "Connection refused"));
	in.failure = NULL;
	health_judge(&in, &h);
	ck_assert_int_eq(h.score, 0);
}
END_TEST

START_TEST(paused_has_no_score_whatever_else_is_wrong)
{
	struct health_input in = at_rest();
	struct health h;

	in.is_paused = true;
	in.is_unreachable = true;
	in.use_ppm = 1000000;
	health_judge(&in, &h);
	ck_assert_int_eq(h.score, -1);
	ck_assert_int_eq(h.status, HEALTH_STATUS_PAUSED);
	ck_assert_ptr_nonnull(strstr(h.sentence, "RESUME"));
}
END_TEST

START_TEST(sentences_of_absurd_figures_fit)
{
	struct health_input in = {.cap = UINT32_MAX,
		.use_ppm = UINT64_MAX,
		.waiting = UINT32_MAX,
		.oldest_wait = UINT64_MAX,
		.pool_timeout = UINT64_MAX,
		.connects = UINT32_MAX,
		.connect_failures = UINT32_MAX,
		.pings = UINT64_MAX / 2,
		.ping_failures = UINT64_MAX / 2,
		.requests = UINT64_MAX / 4,
		.errors = UINT64_MAX / 4,
		.long_queries = UINT32_MAX,
		.memory_used = UINT64_MAX,
		.memory_limit = UINT64_MAX};
	struct health h;

	health_judge(&in, &h);
	ck_assert_int_eq(h.score, 0);
	ck_assert_uint_lt(strlen(h.sentence), sizeof(h.sentence));
}
END_TEST

SUITE_MAIN("health", utilisation_has_its_bands, utilisation_never_rises_with_use,
	waiting_falls_to_the_timeout, failures_cost_five_points_a_percent,
	long_queries_count_against_the_pool, memory_has_the_bands_of_utilisation, status_has_its_edges,
	a_pool_at_rest_is_perfect, the_lowest_component_is_the_score, unreachable_is_zero_and_says_why,
	paused_has_no_score_whatever_else_is_wrong, sentences_of_absurd_figures_fit)
