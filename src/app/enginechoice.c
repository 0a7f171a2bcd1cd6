/*
 * enginechoice.c - the engine that the workers run on: the setting, and what the machine lets us have.
 *
 * Once, at start, before the workers.  The control thread's loop is libev's in any case.
 */
#include "app/process.h"
#include "base/log.h"
#include "net/engine_pick.h"

#include <stdio.h>
#include <string.h>

static const struct engine_ops *enginechoice_libev(const char *why)
{
	log_write(LOG_LOG, NULL, "io_engine = auto takes libev, not io_uring: %s", why);
	return &engine_ev_ops;
}

const struct engine_ops *enginechoice_make(const struct conf *conf)
{
	const struct engine_ops *uring;
	char why[256];

	if (conf->set.io_engine == CONF_ENGINE_LIBEV)
		return &engine_ev_ops;
	uring = engine_pick_uring(why, sizeof(why));
	if (uring != NULL)
		return uring;
	if (conf->set.io_engine == CONF_ENGINE_URING) {
		log_write(LOG_FATAL, NULL, "io_engine = uring can't be had here: %s", why);
		return NULL;
	}
	return enginechoice_libev(why);
}

const struct engine_ops *enginechoice_instead(const struct conf *conf, const struct engine_ops *engine, int err)
{
	char why[256];

	if (engine == &engine_ev_ops || conf->set.io_engine != CONF_ENGINE_AUTO)
		return NULL;
	/* one ring could be had, as many as there are workers can't: memory that may be locked, descriptors */
	snprintf(why, sizeof(why), "no more rings for the workers: %s", strerrordesc_np(err));
	return enginechoice_libev(why);
}
