/*
 * process.c - start, reload, stop.
 *
 * The control thread.  A reload builds a whole new snapshot first; only when all
 * of it is good is it given to anybody.
 */
#include "app/process.h"

#include "app/daemonize.h"
#include "app/join.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vault.h"
#include "net/errand.h"
#include "net/ldaplink.h"
#include "net/lookup.h"
#include "pool/plan.h"
#include "pool/tlsset.h"
#include "session/strangers.h"
#include "session/witness.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define PROCESS_STOP_CHECK_US (UINT64_C(100) * 1000)
#define PROCESS_WORKERS_AUTO_MAX 16
#define PROCESS_ERRAND_THREADS 4 /* so many questions to the system may hang before others wait for them */
#define PROCESS_ERRANDS 1024
#define PROCESS_LOOKUP_IDLE_US (UINT64_C(15) * 1000000) /* a connection beside the pools stays open so long */

static void process_say(void *level, const char *line)
{
	log_write(*(enum log_level *)level, NULL, "%s", line);
}

static void process_log_report(const struct conf_report *r)
{
	enum log_level error = LOG_ERROR, warning = LOG_WARNING;

	conf_report_each(&r->errors, process_say, &error);
	conf_report_each(&r->warnings, process_say, &warning);
}

static int process_log_open(const struct process *p, const struct conf *conf, char *error, size_t size)
{
	const struct log_settings settings = {
		.file = conf->set.logfile,
		.to_stderr = !p->args->quiet && !p->args->daemon,
		.json = conf->set.log_format == CONF_LOG_JSON,
		.verbose = (int)conf->set.verbose,
	};

	return log_configure(&settings, error, size);
}

struct process_step {
	struct process *p;
	struct conf *conf;
};

static void process_reload_worker(struct worker *w, void *arg)
{
	struct process_step *step = arg;

	worker_reload(w, step->conf);
}

/* takes conf */
static void process_apply(struct process *p, struct conf *conf)
{
	struct process_step step = {.p = p, .conf = conf};
	struct conf *old = p->conf;

	resolve_set_ttl(p->hub.resolver, conf->set.dns_max_ttl, conf->set.dns_nxdomain_ttl);
	doors_reload(&p->doors, conf);
	p->conf = conf;
	join_call_all(p->worker, p->workers, process_reload_worker, &step);
	admin_reloaded(p->admin);
	conf_unref(old);
}

/* takes conf, gives it with its TLS files read; NULL: they can't be used, or conf was NULL */
static struct conf *process_with_tls(struct conf *conf, const struct conf *old, struct conf_report *report)
{
	if (conf == NULL || tlsset_make(conf, old, report) == 0)
		return conf;
	conf_unref(conf);
	return NULL;
}

static void process_check_vault(struct process *p)
{
	struct vault_usage usage;

	vault_get_usage(&usage);
	if (usage.unlocked == 0 || p->has_said_unlocked)
		return;
	p->has_said_unlocked = true;
	log_write(LOG_WARNING, NULL,
		  "%zu of %zu KiB of passwords and keys are not locked in memory and may be swapped out (ulimit -l, LimitMEMLOCK): %s",
		  usage.unlocked / 1024, usage.bytes / 1024, strerrordesc_np(usage.error));
}

int process_reload(struct process *p, struct buf *why)
{
	struct conf_report report;
	struct conf *conf;
	char error[512];

	conf_report_init(&report);
	conf = process_with_tls(conf_reload(p->conf, &report), p->conf, &report);
	process_log_report(&report);
	if (conf == NULL) {
		(void)buf_append_str(why, buf_text(&report.errors));
		log_write(LOG_ERROR, NULL, "RELOAD failed: the configuration in force stays as it was");
	} else if (process_log_open(p, conf, error, sizeof(error)) < 0) {
		log_write(LOG_ERROR, NULL, "RELOAD failed: %s", error);
		(void)buf_append_str(why, error);
		conf_unref(conf);
		conf = NULL;
	}
	conf_report_fini(&report);
	if (conf == NULL)
		return -1;
	process_apply(p, conf);
	process_check_vault(p);
	log_write(LOG_LOG, NULL, "configuration reloaded");
	return 0;
}

int process_set(struct process *p, const char *key, const char *value, struct buf *why)
{
	struct conf_report report;
	struct conf *conf;
	char error[512];

	conf_report_init(&report);
	conf = process_with_tls(conf_with_set(p->conf, key, value, true, &report), p->conf, &report);
	if (conf == NULL) {
		(void)buf_append_str(why, buf_text(&report.errors));
	} else if (process_log_open(p, conf, error, sizeof(error)) < 0) {
		(void)buf_append_str(why, error);
		conf_unref(conf);
		conf = NULL;
	}
	conf_report_fini(&report);
	if (conf == NULL)
		return -1;
	process_apply(p, conf);
	return 0;
}

static void process_refuse_logins(struct worker *w, void *arg)
{
	const struct process *p = arg;

	w->is_closing = true;
	w->is_draining = p->stop == PROCESS_WAITS_SERVERS;
	if (w->is_draining)
		worker_dismiss_waiting(w);
}

static unsigned process_clients(struct process *p)
{
	static const char *const consoles[] = {"fynixpool", "pgbouncer"};
	struct hub_counts counts;
	unsigned console = 0;

	hub_count(&p->hub, &counts);
	for (size_t i = 0; i < ARRAY_LEN(consoles); i++) {
		unsigned servers, clients;

		hub_tally_database(&p->hub, consoles[i], &servers, &clients);
		console += clients;
	}
	return counts.clients - counts.logins - console;
}

static void process_add_servers(struct share *share, void *arg)
{
	*(unsigned *)arg += share->servers;
}

static void process_on_stop_check(struct timeout *t)
{
	struct process *p = container_of(t, struct process, stop_check);
	unsigned left = 0;

	if (p->stop == PROCESS_WAITS_CLIENTS)
		left = process_clients(p);
	else if (p->stop == PROCESS_WAITS_SERVERS)
		hub_each_share(&p->hub, process_add_servers, &left);
	if (left == 0)
		process_stop(p, PROCESS_ENDS);
	else
		loop_arm(&p->control, &p->stop_check, PROCESS_STOP_CHECK_US);
}

void process_stop(struct process *p, enum process_stop how)
{
	if (p->stop == PROCESS_ENDS)
		return;
	p->stop = how;
	if (how == PROCESS_ENDS) {
		loop_stop(&p->control);
		return;
	}
	doors_close(&p->doors, false);
	join_call_all(p->worker, p->workers, process_refuse_logins, p);
	if (how == PROCESS_WAITS_SERVERS)
		admin_pause_all(p->admin);
	loop_arm(&p->control, &p->stop_check, PROCESS_STOP_CHECK_US);
}

static int process_op_reload(void *app, struct buf *why)
{
	return process_reload(app, why);
}

static int process_op_set(void *app, const char *key, const char *value, struct buf *why)
{
	return process_set(app, key, value, why);
}

static void process_op_shutdown(void *app, enum admin_shutdown how)
{
	struct process *p = app;

	if (how == ADMIN_SHUTDOWN_WAIT_FOR_CLIENTS)
		process_stop(p, PROCESS_WAITS_CLIENTS);
	else if (how == ADMIN_SHUTDOWN_WAIT_FOR_SERVERS)
		process_stop(p, PROCESS_WAITS_SERVERS);
	else
		process_stop(p, PROCESS_ENDS);
}

static bool process_op_is_stopping(void *app)
{
	const struct process *p = app;

	return p->stop != PROCESS_RUNS;
}

static struct conf *process_op_conf(void *app)
{
	struct process *p = app;

	return p->conf;
}

const struct admin_ops *process_admin_ops(void)
{
	static const struct admin_ops ops = {
		.reload = process_op_reload,
		.set = process_op_set,
		.shutdown = process_op_shutdown,
		.is_stopping = process_op_is_stopping,
		.conf = process_op_conf,
	};

	return &ops;
}

static unsigned process_worker_count(const struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->set.worker_threads > 0)
		return (unsigned)conf->set.worker_threads;
	if (cores < 1)
		cores = 1;
	return cores > PROCESS_WORKERS_AUTO_MAX ? PROCESS_WORKERS_AUTO_MAX : (unsigned)cores;
}

static void process_check_files(const struct conf *conf)
{
	unsigned long files = daemonize_raise_files();

	if (files > 0 && files < (unsigned long)conf->set.max_client_conn + 100)
		log_write(LOG_WARNING, NULL,
			  "the limit of open files is %lu: max_client_conn=%lld and the servers do not fit (ulimit -n)",
			  files, (long long)conf->set.max_client_conn);
}

static int process_prepare(struct process *p, const struct conf_report *found)
{
	const struct conf_settings *set = &p->conf->set;
	char error[512];

	if (daemonize_become(set->user) < 0)
		return -1;
	if (p->args->daemon && (set->pidfile[0] == '\0' || set->logfile[0] == '\0')) {
		log_write(LOG_FATAL, NULL, "-d needs pidfile and logfile in the configuration");
		return -1;
	}
	if (p->args->daemon && daemonize_fork() < 0)
		return -1;
	daemonize_close_up(set->allow_core_dump);
	if (process_log_open(p, p->conf, error, sizeof(error)) < 0) {
		log_write(LOG_FATAL, NULL, "%s", error);
		return -1;
	}
	if (p->args->quiet || p->args->daemon)
		process_log_report(found);
	p->engine = enginechoice_make(p->conf);
	if (p->engine == NULL)
		return -1;
	if (daemonize_write_pid(set->pidfile) < 0)
		return -1;
	process_check_files(p->conf);
	process_check_vault(p);
	return 0;
}

static struct resolver *process_resolver(const struct conf *conf)
{
	const struct resolve_options options = {
		.ttl = conf->set.dns_max_ttl,
		.nxttl = conf->set.dns_nxdomain_ttl,
		.deadline = conf->set.server_connect_timeout,
	};

	return resolve_new(&options);
}

static int process_start(struct process *p)
{
	p->workers = process_worker_count(p->conf);
	hub_init(&p->hub, p->workers);
	p->hub.resolver = process_resolver(p->conf);
	p->hub.strangers = strangers_new();
	p->hub.tuning = plan_tuning(&p->conf->set);
	p->hub.errands = errand_new(PROCESS_ERRAND_THREADS, PROCESS_ERRANDS, 0);
	p->hub.witnesses = errand_new(WITNESS_THREADS, WITNESS_WAITING, WITNESS_PATIENCE_US);
	p->hub.derivers = errand_new(DERIVE_THREADS, DERIVE_WAITING, 0);
	ldaplink_begin();
	p->hub.lookup = lookup_new(PROCESS_LOOKUP_IDLE_US, NULL);
	if (p->hub.lookup == NULL)
		log_write(LOG_WARNING, NULL, "no descriptor for connections beside the pools: monitor_user has no effect");
	if (loop_init(&p->control, &engine_ev_ops, p->workers, p) < 0 || threads_start(p) < 0 || signals_start(p) < 0)
		return -1;
	timeout_init(&p->stop_check, process_on_stop_check);
	doors_start(&p->doors, p->worker[0]);
	log_write(LOG_LOG, NULL, "process up: fynixpool %s, %u workers, %s, listening on port %lld", PACKAGE_VERSION,
		  p->workers, p->engine->name, (long long)p->conf->set.listen_port);
	daemonize_ready();
	return 0;
}

static void process_empty_worker(struct worker *w, void *arg FX_UNUSED)
{
	worker_empty(w);
}

/* mail that was under way when the threads ended; it may cause more */
static void process_drain_mail(struct process *p)
{
	unsigned n;

	do {
		n = mailbox_drain(&p->control.mailbox, &p->control);
		for (unsigned i = 0; i < p->workers; i++)
			n += mailbox_drain(&p->worker[i]->loop.mailbox, &p->worker[i]->loop);
	} while (n > 0);
}

/* false: helpers are left over */
static bool process_end(struct process *p)
{
	bool all_gone;

	join_call_all(p->worker, p->workers, process_empty_worker, NULL);
	signals_end(p);
	/* a server on its way between two workers arrives in the first round */
	join_call_all(p->worker, p->workers, process_empty_worker, NULL);
	threads_join(p);
	resolve_free(p->hub.resolver);
	all_gone = errand_free(p->hub.errands);
	all_gone &= errand_free(p->hub.witnesses);
	all_gone &= errand_free(p->hub.derivers);
	lookup_free(p->hub.lookup);
	process_drain_mail(p);
	for (unsigned i = 0; i < p->workers; i++)
		worker_empty(p->worker[i]);
	process_drain_mail(p);
	admin_free(p->admin);
	for (unsigned i = 0; i < p->workers; i++) {
		worker_fini(p->worker[i]);
		mem_free(p->worker[i]);
	}
	timeout_disarm(&p->stop_check);
	loop_fini(&p->control);
	hub_fini(&p->hub);
	strangers_free(p->hub.strangers);
	log_write(LOG_LOG, NULL, "process down");
	daemonize_remove_pid(p->conf->set.pidfile);
	conf_unref(p->conf);
	mem_free(p);
	return all_gone;
}

int process_run(const struct args *args, struct conf *conf, const struct conf_report *found)
{
	struct process *p = mem_zalloc(sizeof(*p));

	p->args = args;
	p->conf = conf;
	if (process_prepare(p, found) < 0) {
		conf_unref(conf);
		mem_free(p);
		return 1;
	}
	/* before anybody can know that we are there */
	signals_block();
	if (doors_open(&p->doors, conf) < 0) {
		doors_close(&p->doors, true);
		daemonize_remove_pid(conf->set.pidfile);
		conf_unref(conf);
		mem_free(p);
		return 1;
	}
	if (process_start(p) < 0) {
		/* threads may be running on what is there: it goes with the process */
		doors_close(&p->doors, true);
		daemonize_remove_pid(conf->set.pidfile);
		log_close();
		_exit(1);
	}
	loop_run(&p->control);
	doors_close(&p->doors, true);
	if (!process_end(p)) {
		/* libraries would take away at exit what a helper that hangs in them still uses */
		log_close();
		_exit(0);
	}
	return 0;
}
