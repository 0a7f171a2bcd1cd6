/*
 * threads.c - the worker threads.
 *
 * Started once, joined once, by the main thread.
 */
#include "app/process.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

static void *threads_main(void *arg)
{
	struct worker *w = arg;

	mem_library_keep();
	loop_run(&w->loop);
	mem_library_keep_nothing();
	return NULL;
}

/* All or none; the number of the one that can't be made, with errno, or that of all. */
static unsigned threads_make(struct process *p)
{
	for (unsigned i = 0; i < p->workers; i++) {
		int err;

		/* the counters of one worker share no cache line with another's */
		p->worker[i] = mem_aligned_zalloc(64, sizeof(struct worker));
		if (worker_init(p->worker[i], p->engine, &p->hub, i, p->worker, p->conf, &admin_console) == 0)
			continue;
		err = errno;
		mem_free(p->worker[i]);
		for (unsigned made = i; made-- > 0;) {
			worker_fini(p->worker[made]);
			mem_free(p->worker[made]);
		}
		errno = err;
		return i;
	}
	return p->workers;
}

int threads_start(struct process *p)
{
	unsigned made;

	while ((made = threads_make(p)) < p->workers) {
		int err = errno;

		p->engine = enginechoice_instead(p->conf, p->engine, err);
		if (p->engine != NULL)
			continue;
		log_write(LOG_FATAL, NULL, "cannot make the loop of worker %u: %s", made, strerrordesc_np(err));
		return -1;
	}
	p->admin = admin_new(&p->control, &p->hub, p->worker, process_admin_ops(), p);
	for (unsigned i = 0; i < p->workers; i++)
		p->worker[i]->console_owner = p->admin;
	for (unsigned i = 0; i < p->workers; i++) {
		int err = pthread_create(&p->thread[i], NULL, threads_main, p->worker[i]);

		if (err != 0) {
			log_write(LOG_FATAL, NULL, "cannot start worker %u: %s", i, strerrordesc_np(err));
			return -1;
		}
	}
	return 0;
}

void threads_join(struct process *p)
{
	for (unsigned i = 0; i < p->workers; i++) {
		loop_stop(&p->worker[i]->loop);
		(void)pthread_join(p->thread[i], NULL);
	}
}
