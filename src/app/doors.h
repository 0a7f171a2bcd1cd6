/*
 * doors.h - the listening sockets of the process.
 *
 * Opened on the main thread at start, watched by the first worker's loop, closed there.
 */
#ifndef APP_DOORS_H
#define APP_DOORS_H

#include "conf/conf.h"
#include "net/listener.h"
#include "session/worker.h"

#define DOORS_MAX 64

struct doors {
	struct listener *door[DOORS_MAX];
	unsigned count;
	bool close_unix;       /* what doors_close was asked for */
	struct worker *keeper; /* the worker whose loop watches them */
};

/* 0, or -1 when one can't be opened (logged) or there would be none.  An address that is in use is tried again for two
 * seconds: who has it may be on its way out. */
int doors_open(struct doors *d, const struct conf *conf) FX_MUST_USE;
/* Hands them to the worker. */
void doors_start(struct doors *d, struct worker *keeper);
/* On the thread that closes them: what follows the configuration. */
void doors_reload(struct doors *d, const struct conf *conf);
/* Closes those for TCP (the console stays reachable on the Unix socket), or all. Returns when it is done. */
void doors_close(struct doors *d, bool unix_too);

#endif
