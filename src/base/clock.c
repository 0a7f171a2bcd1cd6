/*
 * clock.c - the two clocks of the system, and their form for people.
 */
#include "base/clock.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>
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

static void clock_remember(uint64_t second, struct clock_second *memo)
{
	char day[32], zone[16];
	int n = -1;

	if (clock_parts(second, day, zone))
		n = snprintf(memo->text, sizeof(memo->text), "%s.000 %s", day, zone);
	memo->second = second;
	memo->len = n > 0 && (size_t)n < sizeof(memo->text) ? (size_t)n : 0;
	memo->ms = memo->len > 0 ? strlen(day) + 1 : 0;
	memo->is_known = true;
}

size_t clock_format_log(uint64_t wall_us, struct clock_second *memo, char *out, size_t size)
{
	unsigned ms = (unsigned)(wall_us / 1000 % 1000);

	if (!memo->is_known || memo->second != wall_us / CLOCK_US_PER_SEC)
		clock_remember(wall_us / CLOCK_US_PER_SEC, memo);
	if (memo->len == 0 || memo->len >= size)
		return str_copy(out, size, "-") ? 1 : 0;
	memo->text[memo->ms] = (char)('0' + ms / 100);
	memo->text[memo->ms + 1] = (char)('0' + ms / 10 % 10);
	memo->text[memo->ms + 2] = (char)('0' + ms % 10);
	memcpy(out, memo->text, memo->len + 1);
	return memo->len;
}
