/*
 * checks.h - what no single row can tell: settings that contradict each other,
 * that nothing acts on yet, or that would be unsafe to ignore.
 *
 * Control thread, once for each snapshot.
 */
#ifndef CONF_CHECKS_H
#define CONF_CHECKS_H

#include "conf/conf_state.h"

/* errors_only: for SET, where the operator has seen the warnings before. */
void checks_run(const struct conf *c, bool errors_only, struct conf_report *report);

/* Where a global setting was made; NULL and 0: nowhere. */
const char *checks_where(const struct conf *c, const char *key, int *line);

#endif
