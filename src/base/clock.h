/*
 * clock.h - time.  Microseconds everywhere (uint64_t).  Any thread.
 *
 * Timeouts use the monotonic clock only; the wall clock is for people.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/check.h"

#define CLOCK_US_PER_SEC UINT64_C(1000000)
#define CLOCK_US_PER_MS UINT64_C(1000)

uint64_t clock_mono_us(void);
uint64_t clock_wall_us(void); /* since 1970 */
/* "YYYY-MM-DD HH:MM:SS TZ" in local time (PgBouncer's form in SHOW); out must hold 48 bytes */
void clock_format_wall(uint64_t wall_us, char *out, size_t size);
/* The second that was written last: its text is made once.  All zero at first. */
struct clock_second {
	uint64_t second;
	char text[48];
	size_t len, ms; /* len 0: there is no such time; where in text the milliseconds stand */
	bool is_known;
};
/* "YYYY-MM-DD HH:MM:SS.mmm TZ", the log's form; memo is the caller's alone.  Gives the length. */
size_t clock_format_log(uint64_t wall_us, struct clock_second *memo, char *out, size_t size);

#endif
