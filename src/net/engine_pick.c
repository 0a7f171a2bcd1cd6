/*
 * engine_pick.c - which engines there are here.
 *
 * See engine_pick.h.
 */
#include "net/engine_pick.h"

#include <stdio.h>

#include "config.h"

#ifdef HAVE_LIBURING
#include "net/uringprobe.h"

const struct engine_ops *engine_pick_uring(char *why, size_t size)
{
	return uringprobe_run(why, size) == 0 ? &engine_uring_ops : NULL;
}

#else

const struct engine_ops *engine_pick_uring(char *why, size_t size)
{
	snprintf(why, size, "built without liburing");
	return NULL;
}

#endif
