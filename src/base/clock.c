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

static void clock_format(uint64_t wall_us, bool millis, char *out, size_t size)
{
	time_t sec = (time_t)(wall_us / CLOCK_US_PER_SEC);
	struct tm tm;
	char day[32], zone[16];

	if (localtime_r(&sec, &tm) == NULL || strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm) == 0 ||
	    strftime(zone, sizeof(zone), "%Z", &tm) == 0) {
		snprintf(out, size, "-");
		return;
	}
	if (millis)
		snprintf(out, size, "%s.%03u %s", day, (unsigned)(wall_us / 1000 % 1000), zone);
	else
		snprintf(out, size, "%s %s", day, zone);
}

void clock_format_wall(uint64_t wall_us, char *out, size_t size)
{
	clock_format(wall_us, false, out, size);
}

void clock_format_log(uint64_t wall_us, char *out, size_t size)
{
	clock_format(wall_us, true, out, size);
}
