/*
 * check.c - the end of the process when we find a bug of our own.
 *
 * Called from CHECK, in any thread.  Must not allocate or lock.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *what)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "fynixpool: internal error at %s:%d: %s\n", file, line, what);

	if (n > 0 && write(STDERR_FILENO, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1) < 0)
		_exit(134);
	abort();
}
