/*
 * build.h - from a list of items to a snapshot.
 *
 * Control thread.
 */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "conf/conf_state.h"

struct build_source {
	const char *conffile; /* NULL: the environment alone */
	struct conf_overrides overrides;
	bool is_first;          /* at start: in [pgbouncer] a missing auth_file is no error then */
	const struct conf *old; /* RELOAD, SET: START settings are taken over; NULL at start */
	bool keep_secrets;      /* SET: auth_file is read only when its name has changed */
};

/* Takes what is in items and leaves it empty. NULL when an error was reported. */
struct conf *build_conf(struct items *items, const struct build_source *source, struct conf_report *report);
void build_free(struct conf *c);

#endif
