/*
 * args.h - the command line: PgBouncer's letters, and our auth-test.
 */
#ifndef APP_ARGS_H
#define APP_ARGS_H

#include "base/check.h"

enum args_action { ARGS_RUN, ARGS_TEST, ARGS_AUTH_TEST, ARGS_EXIT };

struct args {
	enum args_action action;
	int status;	  /* ARGS_EXIT: the exit status */
	bool daemon, quiet;
	int verbose;
	const char *user; /* NULL: not given */
	const char *file; /* NULL: the environment alone */
	struct {
		const char *user, *database;
		const char *address; /* numeric; NULL: the Unix socket */
		bool is_tls;
	} auth; /* ARGS_AUTH_TEST */
};

/* Prints help, version or the complaint itself. */
void args_parse(struct args *a, int argc, char **argv);

#endif
