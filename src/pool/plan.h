/*
 * plan.h - from the configuration to the target of a pool's servers.
 *
 * Any thread; no state.
 */
#ifndef POOL_PLAN_H
#define POOL_PLAN_H

#include "conf/conf.h"
#include "server/target.h"

/* database: the name the client asked for (db may be the entry *); user: who logs in to the server.  Gives a reference. */
struct target *plan_target(const struct conf *conf, const struct conf_database *db, const char *database,
			   const char *user);
/* The maker's: a client has shown these; they are put beside the secret that they are of. */
void plan_take_keys(struct target *t, const struct credential_keys *keys);
bool plan_knows_keys(const struct target *t, const struct credential_keys *keys);
/* The options of TCP sockets, of servers and clients alike. */
struct listener_tuning plan_tuning(const struct conf_settings *set);
/* Do they lead to the same place as the same user?  (Startup parameters don't matter.) */
bool plan_is_same_place(const struct target *a, const struct target *b);
/* Do servers of a serve for b as well?  (Learnt keys don't matter.) */
bool plan_is_same(const struct target *a, const struct target *b);

#endif
