/*
 * clock.c - the two clocks of the system, and their form for people.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	CHECK(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * CLOCK_US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
	return clock_read(CLOCK_REALTIME);
}

/* false: there is no such time */
static bool clock_parts(uint64_t second, char day[32], char zone[16])
{
	time_t sec = (time_t)second;
	struct tm tm;

	return localtime_r(&sec, &tm) != NULL && strftime(day, 32, "%Y-%m-%d %H:%M:%S", &tm) > 0 &&
	       strftime(zone, 16, "%Z", &tm) > 0;
}

void clock_format_wall(uint64_t wall_us, char *out, size_t size)
{
	char day[32], zone[16];

	if (clock_parts(wall_us / CLOCK_US_PER_SEC, day, zone))
		snprintf(out, size, "%s %s", day, zone);
	else
		snprintf(out, size, "-");
}

void clock_format_log(uint64_t wall_us, struct clock_second *memo, char *out, size_t size)
{
	uint64_t second = wall_us / CLOCK_US_PER_SEC;

	if (!memo->is_known || memo->second != second) {
		memo->second = second;
		memo->is_known = clock_parts(second, memo->day, memo->zone);
	}
	if (memo->is_known)
		snprintf(out, size, "%s.%03u %s", memo->day, (unsigned)(wall_us / 1000 % 1000), memo->zone);
	else
		snprintf(out, size, "-");
}
