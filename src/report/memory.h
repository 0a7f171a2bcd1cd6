/*
 * memory.h - how much memory this process uses, and how much it may use.
 *
 * Linux: /proc/self/statm, and the least of the machine's memory, the limits of our
 * control groups (v1 and v2) and RLIMIT_AS, RLIMIT_DATA.  The control thread: reads files.
 */
#ifndef REPORT_MEMORY_H
#define REPORT_MEMORY_H

#include "base/check.h"

struct memory_use {
	uint64_t used;  /* bytes in memory; 0: not known */
	uint64_t limit; /* bytes; 0: not known */
};

struct memory_use memory_read(void);
/* Only what is used: the limits are several files. */
uint64_t memory_used(void);

#endif
