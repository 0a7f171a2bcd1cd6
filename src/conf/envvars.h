/*
 * envvars.h - the environment as the lowest layer of the configuration.
 *
 * Control thread, before any thread could change the environment.  Understood:
 * DB_POOL_SIZE, DB_MAX_OVERFLOW, DB_POOL_RECYCLE, DB_POOL_PRE_PING, DB_POOL_TIMEOUT,
 * DATABASE_URL,
 * and FYNIXPOOL_<SETTING> in capitals for every global setting.  An empty
 * variable counts as absent.
 */
#ifndef CONF_ENVVARS_H
#define CONF_ENVVARS_H

#include "conf/items.h"

/* has_file: then a DATABASE_URL that we can't use is only a warning, for it may be meant for somebody
 * else. */
void envvars_add(struct items *l, bool has_file, struct conf_report *report);

#endif
