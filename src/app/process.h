/*
 * process.h - the whole: workers, control loop, doors, and its life from start to stop.
 *
 * The main thread becomes the control thread.  Everything else of the process is
 * reached from here, by message.
 */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

#include "admin/admin.h"
#include "app/args.h"
#include "app/doors.h"

#include <pthread.h>

enum process_stop { PROCESS_RUNS, PROCESS_WAITS_CLIENTS, PROCESS_WAITS_SERVERS, PROCESS_ENDS };

struct process {
	struct loop control;
	struct conf *conf; /* the snapshot in force; the control thread's reference */
	struct hub hub;
	unsigned workers;
	const struct engine_ops *engine; /* of the workers */
	struct worker *worker[HUB_WORKERS_MAX];
	pthread_t thread[HUB_WORKERS_MAX];
	pthread_t signal_thread;
	struct admin *admin;
	struct doors doors;
	struct timeout stop_check;
	enum process_stop stop;
	bool has_said_unlocked; /* that secrets could not be locked in memory */
	const struct args *args;
};

/* Runs until it is told to stop; gives the exit status.  found: what was said of conf; it goes into the log when nobody has
 * seen it on stderr. */
int process_run(const struct args *args, struct conf *conf, const struct conf_report *found);

/* The control thread: SIGHUP and RELOAD; SET; SHUTDOWN and the signals. */
int process_reload(struct process *p, struct buf *why);
int process_set(struct process *p, const char *key, const char *value, struct buf *why);
void process_stop(struct process *p, enum process_stop how);

const struct admin_ops *process_admin_ops(void);

/* enginechoice.c: io_engine as it can be here.  NULL: not at all, it was said why. */
const struct engine_ops *enginechoice_make(const struct conf *conf) FX_MUST_USE;
/* enginechoice.c: with this one the loop of a worker could not be made (errno).  NULL: there is no other to try. */
const struct engine_ops *enginechoice_instead(const struct conf *conf, const struct engine_ops *engine, int err)
	FX_MUST_USE;
/* threads.c */
int threads_start(struct process *p) FX_MUST_USE;
void threads_join(struct process *p);
/* signals.c: blocks them in all threads that come after, and begins the thread that waits for them. */
void signals_block(void);
int signals_start(struct process *p) FX_MUST_USE;
void signals_end(struct process *p);

#endif
