/*
 * program.h - runs a program and takes what it prints: bounded in time and in size, without a shell.
 *
 * Helper threads only (errand.h): it waits.  The program gets /dev/null as its input, the
 * environment of this process without what may hold our own secrets, no other file of ours,
 * a process group of its own and no blocked signals.  At the deadline the whole group is killed.
 */
#ifndef NET_PROGRAM_H
#define NET_PROGRAM_H

#include "base/buf.h"

#define PROGRAM_EXTRA 4
#define PROGRAM_ERROR_MAX 160
#define PROGRAM_SAID_MAX 160

struct program {
	char *const *argv;	     /* argv[0] is the path; ends with NULL */
	const char *extra[PROGRAM_EXTRA]; /* "NAME=value", for the environment; NULL: none */
	size_t out_max;		     /* bytes of output; one more is an error */
	uint64_t until;		     /* monotonic microseconds */
};

/* 0: it has ended with status 0, and out (initialised by the caller, who wipes it) has all of its output.  -1: error is a
 * sentence without anything of the output; said is the first line that it wrote to stderr, printable ("": none). */
int program_run(const struct program *p, struct buf *out, char error[PROGRAM_ERROR_MAX], char said[PROGRAM_SAID_MAX]) FX_MUST_USE;

#endif
