/*
 * identmatch.h - may this name of the system (or of a certificate) log in as that user.
 *
 * Any thread; no lock, no allocation, bounded time.  As PostgreSQL's pg_ident.conf:
 * any line of the map that fits permits it.
 */
#ifndef AUTH_IDENTMATCH_H
#define AUTH_IDENTMATCH_H

#include "conf/ident.h"

enum identmatch_answer { IDENTMATCH_NO, IDENTMATCH_YES, IDENTMATCH_UNKNOWN };

/* What the caller knows of the user's roles. */
struct identmatch_roles {
	/* Does the user belong to role (directly or not, itself included)?  NULL: not known. */
	enum identmatch_answer (*is_member)(void *arg, const char *role);
	void *arg;
};

enum identmatch_answer identmatch_is_member(const struct identmatch_roles *roles, const char *role);

/* map NULL: the names must be the same.  UNKNOWN (it would take roles that are not known) is to be taken for no. */
enum identmatch_answer identmatch_may(const struct ident *maps, const char *map, const char *system, const char *user,
				      const struct identmatch_roles *roles) FX_MUST_USE;

#endif
