/*
 * enginechoice.c - the engine that the workers run on: the setting, and what the machine lets us have.
 *
 * Once, at start, before the workers.  The control thread's loop is libev's in any case.
 */
#include "app/process.h"
#include "base/log.h"
#include "net/engine_pick.h"

/* io_uring where it was not asked for by name */
#define ENGINECHOICE_AUTO false

const struct engine_ops *enginechoice_make(const struct conf *conf)
{
	const struct engine_ops *uring;
	char why[256];

	if (conf->set.io_engine == CONF_ENGINE_LIBEV || (conf->set.io_engine == CONF_ENGINE_AUTO && !ENGINECHOICE_AUTO))
		return &engine_ev_ops;
	uring = engine_pick_uring(why, sizeof(why));
	if (uring != NULL)
		return uring;
	if (conf->set.io_engine == CONF_ENGINE_URING) {
		log_write(LOG_FATAL, NULL, "io_engine = uring can't be had here: %s", why);
		return NULL;
	}
	log_write(LOG_LOG, NULL, "io_engine = auto takes libev, not io_uring: %s", why);
	return &engine_ev_ops;
}
