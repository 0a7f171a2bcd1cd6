/*
 * admin.h - the console: commands of operators, and the eye that watches the pools.
 *
 * The control thread, but for what admin_console calls (the client's worker).  A
 * console client stays on its worker; its command comes here by mail, is parsed
 * and judged against its roles, collects from the workers what it needs, and is
 * answered through worker_answer.  Nothing here ever waits.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "conf/conf.h"
#include "session/worker.h"

struct admin;

enum admin_shutdown { ADMIN_SHUTDOWN_NOW, ADMIN_SHUTDOWN_WAIT_FOR_SERVERS, ADMIN_SHUTDOWN_WAIT_FOR_CLIENTS };

/* What only the process can do.  All on the control thread; none may wait for admin. */
struct admin_ops {
	/* 0: the new configuration is in force on all workers.  -1: the old one is, why holds sentences. */
	int (*reload)(void *app, struct buf *why);
	int (*set)(void *app, const char *key, const char *value, struct buf *why);
	/* The answer has been handed to the worker already. */
	void (*shutdown)(void *app, enum admin_shutdown how);
	bool (*is_stopping)(void *app);
	/* The snapshot in force, borrowed. */
	struct conf *(*conf)(void *app);
};

/* What every worker is made with; worker->console_owner is the struct admin. */
extern const struct worker_console admin_console;

/* Before the workers run.  Borrows everything; workers has hub->workers elements.  Sets their console_owner and begins
 * to watch the pools, once a second, on the control loop. */
struct admin *admin_new(struct loop *control, struct hub *hub, struct worker **workers,
	const struct admin_ops *ops, void *app);
/* When no worker runs any more and the mailboxes of all loops are drained. */
void admin_free(struct admin *a);

/* SIGUSR1, SIGUSR2: PAUSE and RESUME of everything; harmless when it is so already. */
void admin_pause_all(struct admin *a);
void admin_resume_all(struct admin *a);
/* The configuration has been swapped on all workers. */
void admin_reloaded(struct admin *a);

#endif
