/*
 * admin_impl.h - the console's own memory, shared by the files of this room.
 *
 * The control thread, but for logins.
 */
#ifndef ADMIN_ADMIN_IMPL_H
#define ADMIN_ADMIN_IMPL_H

#include "admin/admin.h"
#include "report/gather.h"
#include "report/report.h"

struct admin {
	struct loop *control;
	struct hub *hub;
	struct worker **workers;
	unsigned n;
	const struct admin_ops *ops;
	void *app;
	struct monitor *monitor;
	struct waits *waits;
	struct dlist open;       /* struct command */
	struct stats console;    /* what the console itself has done, without logins */
	_Atomic uint64_t logins; /* written by the workers */
};

static inline struct conf *admin_conf(struct admin *a)
{
	return a->ops->conf(a->app);
}

/* With the logins. */
void admin_console_stats(struct admin *a, struct stats *out);
/* Tells the workers of a pause or its end; NULL: all databases. */
void admin_order_pause(struct admin *a, const char *database);
void admin_order_resume(struct admin *a, const char *database);

#endif
