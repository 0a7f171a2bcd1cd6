/*
 * doors.c - the listening sockets of the process.
 */
#include "app/doors.h"

#include "app/join.h"
#include "base/clock.h"
#include "base/log.h"
#include "pool/plan.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The kernel ends the ring of a process that was killed after the process, and the sockets that the ring watched with
 * it: milliseconds, or more on a busy machine. */
#define DOORS_PATIENCE_US UINT64_C(2000000)
#define DOORS_DEFER_SECONDS 45

static void doors_on_accept(struct listener *l, int fd, const struct addr *peer)
{
	worker_accept(l->owner, fd, peer);
}

static void doors_on_starved(struct listener *l FX_UNUSED, int err)
{
	log_write(LOG_WARNING, NULL, "cannot accept connections for a moment: %s", strerrordesc_np(err));
}

/* What happens to one that tries to open them. */
struct doors_try {
	const struct conf *conf;
	struct listener_options options;
	bool is_in_use; /* the one that failed */
	char error[512];
};

static int doors_add(struct doors *d, struct doors_try *t, struct listener *l)
{
	if (l == NULL) {
		t->is_in_use = errno == EADDRINUSE;
		return -1;
	}
	l->on_accept = doors_on_accept;
	l->on_starved = doors_on_starved;
	if (d->count == DOORS_MAX) {
		listener_free(l);
		snprintf(t->error, sizeof(t->error), "listen_addr: more than %d addresses", DOORS_MAX);
		return -1;
	}
	d->door[d->count++] = l;
	return 0;
}

static int doors_add_name(struct doors *d, struct doors_try *t, const char *name)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	bool is_any = strcmp(name, "*") == 0;
	struct addrinfo *list = NULL;
	char service[8];
	int rc, n = 0;

	snprintf(service, sizeof(service), "%u", (unsigned)t->conf->set.listen_port);
	rc = getaddrinfo(is_any ? NULL : name, service, &hints, &list);
	if (rc != 0) {
		snprintf(t->error, sizeof(t->error), "listen_addr: %s: %s", name, gai_strerror(rc));
		return -1;
	}
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		struct sockaddr_storage ss;
		struct listener *l;
		struct addr at;

		memset(&ss, 0, sizeof(ss));
		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
		addr_from_sockaddr(&at, &ss);
		l = listener_new_tcp(&at, &t->options, t->error, sizeof(t->error));
		/* a host without IPv6 still has "*" */
		if (l == NULL && is_any && at.family == ADDR_IPV6 && errno != EADDRINUSE)
			continue;
		if (doors_add(d, t, l) < 0) {
			freeaddrinfo(list);
			return -1;
		}
		n++;
	}
	freeaddrinfo(list);
	return n > 0 ? 0 : -1;
}

static int doors_open_tcp(struct doors *d, struct doors_try *t)
{
	const char *at = t->conf->set.listen_addr;
	char name[256];

	while (*at != '\0') {
		size_t n = strcspn(at, ", \t");

		if (n > 0 && n < sizeof(name)) {
			memcpy(name, at, n);
			name[n] = '\0';
			if (doors_add_name(d, t, name) < 0)
				return -1;
		}
		at += n;
		at += strspn(at, ", \t");
	}
	return 0;
}

/* TCP comes last: whoever gets in there finds all the others open. */
static int doors_open_all(struct doors *d, struct doors_try *t)
{
	const struct conf_settings *set = &t->conf->set;
	char path[512];

	if (set->unix_socket_dir[0] != '\0') {
		snprintf(path, sizeof(path), "%s/.s.PGSQL.%u", set->unix_socket_dir, (unsigned)set->listen_port);
		if (doors_add(d, t, listener_new_unix(path, &t->options, t->error, sizeof(t->error))) < 0)
			return -1;
	}
	if (doors_open_tcp(d, t) < 0)
		return -1;
	if (d->count == 0)
		snprintf(t->error, sizeof(t->error), "nothing to listen on: set listen_addr or unix_socket_dir");
	return d->count > 0 ? 0 : -1;
}

/* tcp_defer_accept: 1 is no more than yes */
static int doors_defer_seconds(const struct conf_settings *set)
{
	return set->tcp_defer_accept == 1 ? DOORS_DEFER_SECONDS : (int)set->tcp_defer_accept;
}

int doors_open(struct doors *d, const struct conf *conf)
{
	const struct conf_settings *set = &conf->set;
	const uint64_t until = clock_mono_us() + DOORS_PATIENCE_US;
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	struct doors_try t = {
		.conf = conf,
		.options = {
			.tuning = plan_tuning(set),
			.backlog = (int)set->listen_backlog,
			.reuse_port = set->so_reuseport,
			.defer_seconds = doors_defer_seconds(set),
			.unix_mode = (unsigned)set->unix_socket_mode,
			.unix_group = set->unix_socket_group,
		},
	};
	bool has_waited = false;

	for (;;) {
		*d = (struct doors){.count = 0};
		t.is_in_use = false;
		if (doors_open_all(d, &t) == 0)
			return 0;
		doors_close(d, true);
		if (!t.is_in_use || clock_mono_us() >= until)
			break;
		if (!has_waited)
			log_write(LOG_LOG, NULL, "%s; trying for %u s, another process may be about to end", t.error,
				  (unsigned)(DOORS_PATIENCE_US / CLOCK_US_PER_SEC));
		has_waited = true;
		(void)nanosleep(&pause, NULL);
	}
	log_write(LOG_FATAL, NULL, "%s", t.error);
	return -1;
}

static void doors_start_there(struct worker *w, void *arg)
{
	struct doors *d = arg;

	for (unsigned i = 0; i < d->count; i++) {
		d->door[i]->owner = w;
		if (listener_start(d->door[i], &w->loop) < 0)
			log_write(LOG_ERROR, NULL, "cannot watch a listening socket");
	}
}

void doors_start(struct doors *d, struct worker *keeper)
{
	d->keeper = keeper;
	join_call(keeper, doors_start_there, d);
}

void doors_reload(struct doors *d, const struct conf *conf)
{
	for (unsigned i = 0; i < d->count; i++)
		listener_defer(d->door[i], doors_defer_seconds(&conf->set));
}

static void doors_close_there(struct worker *w FX_UNUSED, void *arg)
{
	struct doors *d = arg;
	unsigned kept = 0;

	for (unsigned i = 0; i < d->count; i++) {
		struct listener *l = d->door[i];

		if (l->is_unix && !d->close_unix) {
			d->door[kept++] = l;
			continue;
		}
		listener_stop(l);
		listener_free(l);
	}
	d->count = kept;
}

void doors_close(struct doors *d, bool unix_too)
{
	d->close_unix = unix_too;
	if (d->keeper != NULL)
		join_call(d->keeper, doors_close_there, d);
	else
		doors_close_there(NULL, d);
}
