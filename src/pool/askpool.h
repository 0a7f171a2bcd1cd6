/*
 * askpool.h - pools of servers that answer our own questions (auth_query), never a client's.
 *
 * The worker's thread, or any for what takes a snapshot.  Such a pool is one of (database,
 * auth_user) beside that of the clients of the same name: it goes the same way (hosts, TLS, login)
 * and counts in the same limits, but its sessions begin with a pinned search_path, nothing of a
 * client is ever set in them, and they are reset after each question.
 */
#ifndef POOL_ASKPOOL_H
#define POOL_ASKPOOL_H

#include "pool/pool.h"

#define ASKPOOL_SIZE 4 /* servers; fewer where pool_size is smaller */

/* As pool_get. */
struct pool *askpool_get(struct home *home, const char *database, const char *user);
/* For keeper: what is different. */
void askpool_limit(struct conf_limits *limits);
struct target *askpool_target(const struct conf *conf, const struct conf_database *db, const char *database,
			      const char *user);

#endif
