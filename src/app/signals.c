/*
 * signals.c - signals as mail: one thread waits for them, so no handler ever runs.
 *
 * HUP reload, TERM wait for clients, INT wait for servers, QUIT at once,
 * USR1 pause, USR2 resume.
 */
#include "app/process.h"
#include "base/log.h"
#include "base/mem.h"

#include <signal.h>

struct signals_mail {
	struct mail mail;
	struct process *process;
	int number;
};

static void signals_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
}

static void signals_reload(struct process *p)
{
	struct buf why;

	log_write(LOG_LOG, NULL, "got SIGHUP, re-reading config");
	buf_init(&why, 0);
	(void)process_reload(p, &why);
	buf_fini(&why);
}

static void signals_deliver(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct signals_mail *m = container_of(mail, struct signals_mail, mail);
	struct process *p = m->process;

	switch (m->number) {
	case SIGHUP:
		signals_reload(p);
		break;
	case SIGTERM:
		log_write(LOG_LOG, NULL, "got SIGTERM, shutting down, waiting for all clients disconnect");
		process_stop(p, p->stop == PROCESS_RUNS ? PROCESS_WAITS_CLIENTS : PROCESS_ENDS);
		break;
	case SIGINT:
		log_write(LOG_LOG, NULL, "got SIGINT, shutting down, waiting for all servers connections to be released");
		process_stop(p, p->stop == PROCESS_RUNS ? PROCESS_WAITS_SERVERS : PROCESS_ENDS);
		break;
	case SIGQUIT:
		log_write(LOG_LOG, NULL, "got SIGQUIT, fast exit");
		process_stop(p, PROCESS_ENDS);
		break;
	case SIGUSR1:
		log_write(LOG_LOG, NULL, "got SIGUSR1, pausing all activity");
		admin_pause_all(p->admin);
		break;
	case SIGUSR2:
		if (p->stop != PROCESS_RUNS) {
			log_write(LOG_WARNING, NULL, "got SIGUSR2 while shutting down, ignoring");
			break;
		}
		log_write(LOG_LOG, NULL, "got SIGUSR2, continuing from PAUSE");
		admin_resume_all(p->admin);
		break;
	default:
		break;
	}
	mem_free(m);
}

static void *signals_main(void *arg)
{
	struct process *p = arg;
	sigset_t set;

	signals_set(&set);
	for (;;) {
		struct signals_mail *m;
		int number;

		if (sigwait(&set, &number) != 0)
			continue;
		m = mem_zalloc(sizeof(*m));
		m->process = p;
		m->number = number;
		loop_post(&p->control, &m->mail, signals_deliver);
	}
	return NULL;
}

void signals_block(void)
{
	sigset_t set;

	signals_set(&set);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void signals_end(struct process *p)
{
	(void)pthread_cancel(p->signal_thread);
	(void)pthread_join(p->signal_thread, NULL);
}

int signals_start(struct process *p)
{
	return pthread_create(&p->signal_thread, NULL, signals_main, p) == 0 ? 0 : -1;
}
