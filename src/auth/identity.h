/*
 * identity.h - who a client is, after the proof.
 *
 * Made once, by the login that has just verified the proof (or, for pools that are
 * kept without clients, from configuration), and immutable from then on.  Pools,
 * limits and every shared map are keyed by it.  Any thread: the count is atomic,
 * nothing else ever changes.
 */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include "base/check.h"

#define IDENTITY_ADMIN 1u
#define IDENTITY_STATS 2u

struct identity;

/* Copies the names; gives one reference.  NULL when there is no memory.  The only maker. */
struct identity *identity_new(const char *user, const char *database, unsigned roles) FX_MUST_USE;
struct identity *identity_ref(struct identity *id); /* gives id */
void identity_unref(struct identity *id);           /* takes the reference; NULL is fine */

const char *identity_user(const struct identity *id);     /* lent with the reference */
const char *identity_database(const struct identity *id); /* lent with the reference */
unsigned identity_roles(const struct identity *id);
bool identity_has(const struct identity *id, unsigned role); /* admin has stats too */
/* Same user and same database (roles are not compared). */
bool identity_is_equal(const struct identity *a, const struct identity *b);

#endif
