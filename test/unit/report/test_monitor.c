/*
 * test_monitor.c - periods and averages, on a real loop without workers; memory of this process.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "report/monitor.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <sys/resource.h>

static struct {
	struct loop loop;
	struct conf *conf;
	struct stats console;
	struct timeout stop, feed;
} rig;

static const struct conf *rig_conf(void *owner FX_UNUSED)
{
	return rig.conf;
}

static void rig_console(void *owner FX_UNUSED, struct stats *out)
{
	stats_add(out, &rig.console);
}

static void rig_on_stop(struct timeout *t FX_UNUSED)
{
	loop_stop(&rig.loop);
}

/* twenty times a second: two queries in one transaction */
static void rig_on_feed(struct timeout *t)
{
	rig.console.query_count += 2;
	rig.console.xact_count += 1;
	rig.console.query_time += 600;
	rig.console.xact_time += 1000;
	rig.console.wait_time += 50;
	rig.console.bytes_sent += 1000;
	loop_arm(&rig.loop, t, 50000);
}

START_TEST(averages_cover_one_period)
{
	static const struct monitor_ops ops = {.conf = rig_conf, .console = rig_console};
	struct conf_report report;
	struct stats period = {0}, avg;
	struct monitor *m;
	FILE *f = fopen("monitor-test.ini", "w");

	ck_assert_ptr_nonnull(f);
	fputs("[fynixpool]\nstats_period=1\nlog_stats=0\nlisten_addr=127.0.0.1\nauth_type=trust\n", f);
	fclose(f);
	conf_report_init(&report);
	rig.conf = conf_load("monitor-test.ini", NULL, &report);
	ck_assert_msg(rig.conf != NULL, "%s", buf_text(&report.errors));
	conf_report_fini(&report);
	ck_assert_int_eq(loop_init(&rig.loop, &engine_ev_ops, 0, NULL), 0);
	m = monitor_new(&rig.loop, NULL, 0, &ops, NULL);
	monitor_period(m, NULL, &period);
	monitor_average(m, &period, &avg);
	ck_assert_uint_eq(avg.query_count, 0); /* no period has passed */
	timeout_init(&rig.stop, rig_on_stop);
	timeout_init(&rig.feed, rig_on_feed);
	loop_arm(&rig.loop, &rig.stop, 2500000);
	loop_arm(&rig.loop, &rig.feed, 50000);
	loop_run(&rig.loop);
	monitor_period(m, NULL, &period);
	monitor_average(m, &period, &avg);
	/* per second, with room for a busy machine; times are per query and per transaction, exactly */
	ck_assert_uint_ge(avg.query_count, 20);
	ck_assert_uint_le(avg.query_count, 42);
	ck_assert_uint_eq(avg.query_time, 300);
	ck_assert_uint_eq(avg.xact_time, 1000);
	ck_assert_uint_ge(avg.wait_time, 500);
	ck_assert_uint_le(avg.wait_time, 1050);
	ck_assert_uint_ge(avg.bytes_sent, 10000);
	ck_assert_uint_eq(period.query_count, 2 * period.xact_count);
	monitor_free(m);
	loop_fini(&rig.loop);
	conf_unref(rig.conf);
	(void)remove("monitor-test.ini");
}
END_TEST

START_TEST(memory_is_measured_and_its_limit_is_the_least)
{
	struct memory_use before = memory_read(), after;
	struct rlimit limit;
	rlim_t old;
	const size_t size = 64 << 20;
	volatile char *p;

	ck_assert_uint_gt(before.used, 100000);
	ck_assert_uint_gt(before.limit, before.used);
	p = mem_alloc(size);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	after = memory_read();
	ck_assert_uint_ge(after.used, before.used + size / 2);
	mem_free((void *)p);
	/* a limit of the data segment counts as well; put back at once, for a sanitizer lives beyond any limit */
	ck_assert_int_eq(getrlimit(RLIMIT_DATA, &limit), 0);
	old = limit.rlim_cur;
	limit.rlim_cur = UINT64_C(1) << 30;
	ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	after = memory_read();
	limit.rlim_cur = old;
	ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	ck_assert_uint_gt(after.limit, 0);
	ck_assert_uint_le(after.limit, UINT64_C(1) << 30);
}
END_TEST

SUITE_MAIN("monitor", averages_cover_one_period, memory_is_measured_and_its_limit_is_the_least)
