/*
 * version.c - who we say we are.
 */
#include "report/version.h"

#include "config.h"

const char *version_text(enum conf_profile profile)
{
	if (profile == CONF_PROFILE_PGBOUNCER)
		return "PgBouncer " VERSION_PGBOUNCER " (fynixpool " PACKAGE_VERSION ")";
	return "fynixpool " PACKAGE_VERSION;
}

const char *version_greeting(enum conf_profile profile)
{
	return profile == CONF_PROFILE_PGBOUNCER ? VERSION_PGBOUNCER "/bouncer" : PACKAGE_VERSION "/bouncer";
}
