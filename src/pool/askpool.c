/*
 * askpool.c - pools of servers that answer our own questions.
 */
#include "pool/askpool.h"

#include "auth/rotation.h"
#include "base/log.h"
#include "base/mem.h"
#include "pool/plan.h"

struct pool *askpool_get(struct home *home, const char *database, const char *user)
{
	return pool_of(home, hub_share(home->hub, database, user, true));
}

void askpool_limit(struct conf_limits *limits)
{
	if (limits->pool_size == 0 || limits->pool_size > ASKPOOL_SIZE)
		limits->pool_size = ASKPOOL_SIZE;
	limits->max_overflow = 0;
	limits->min_pool_size = 0;
	limits->reserve_pool_size = 0;
	limits->pool_mode = CONF_POOL_TRANSACTION;
}

struct target *askpool_target(const struct conf *conf, const struct conf_database *db, const char *database,
			      const char *user)
{
	struct target *t = plan_target(conf, db, database, user);
	struct credential pair[2];
	const char *error = NULL;

	/* password= in the line of the database is that of user=, who may be another */
	credential_fini(&t->credential);
	credential_fini(&t->second);
	if (rotation_read(conf_find_secret(conf, user), pair, &error) < 0)
		log_write(LOG_WARNING, t->name, "stored secret cannot be used: %s", error);
	t->credential = pair[0];
	t->second = pair[1];
	t->extra = mem_zalloc(sizeof(*t->extra));
	params_init(t->extra);
	/* what the statement calls means PostgreSQL's own, whatever else the database holds */
	CHECK(params_set(t->extra, "search_path", "pg_catalog") == 0);
	/* ... also when a function that it called has left something behind */
	mem_free(t->reset_query);
	t->reset_query = mem_strdup("DISCARD ALL");
	return t;
}
