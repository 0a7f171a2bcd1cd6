/*
 * version.h - who we say we are.
 *
 * With a [pgbouncer] section: a version of PgBouncer first, whose layout our tables have, because
 * exporters and drivers read a number there; our own in brackets.  Any thread.
 */
#ifndef REPORT_VERSION_H
#define REPORT_VERSION_H

#include "conf/conf.h"

#define VERSION_PGBOUNCER "1.25.0" /* the PgBouncer whose tables these are */

/* SHOW VERSION: "fynixpool 0.1.0", "PgBouncer 1.25.0 (fynixpool 0.1.0)" */
const char *version_text(enum conf_profile profile);
/* server_version of the console's greeting: "0.1.0/bouncer", "1.25.0/bouncer" */
const char *version_greeting(enum conf_profile profile);

#endif
