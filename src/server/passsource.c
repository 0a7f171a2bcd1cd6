/*
 * passsource.c - passwords for servers that come from a file or a program.
 */
#include "server/passsource.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/argwords.h"
#include "net/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PASSSOURCE_RETRY_US (5 * CLOCK_US_PER_SEC) /* after a failure, as long as old ones are there */

struct passsource {
	_Atomic unsigned refs;
	char *file, *command, *name, *user, *database, *host;
	uint64_t ttl, deadline;
	struct lock lock; /* for all below */
	struct errand errand; /* under way while is_fetching */
	bool is_fetching;
	struct dlist waiting; /* struct passsource_ask */
	uint64_t generation;  /* 0: there was none yet */
	uint64_t good_until;
	struct credential pair[2];
	char error[PASSSOURCE_ERROR_MAX]; /* of the last attempt */
};

struct passsource_ask {
	struct mail mail;
	struct dlist link;
	struct loop *loop;
	void (*on_answer)(void *arg, const char *error); /* its loop's; NULL: forgotten */
	void *arg;
	struct passsource_ask **handle;
	char error[PASSSOURCE_ERROR_MAX];
};

static char *passsource_dup(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

struct passsource *passsource_new(const struct passsource_spec *spec)
{
	struct passsource *p = mem_zalloc(sizeof(*p));

	atomic_init(&p->refs, 1);
	p->file = passsource_dup(spec->file);
	p->command = passsource_dup(spec->command);
	p->name = passsource_dup(spec->name);
	p->user = passsource_dup(spec->user);
	p->database = passsource_dup(spec->database);
	p->host = passsource_dup(spec->host);
	p->ttl = spec->ttl;
	p->deadline = spec->deadline;
	lock_init(&p->lock);
	dlist_init(&p->waiting);
	return p;
}

struct passsource *passsource_ref(struct passsource *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void passsource_unref(struct passsource *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	mem_free(p->file);
	mem_free(p->command);
	mem_free(p->name);
	mem_free(p->user);
	mem_free(p->database);
	mem_free(p->host);
	credential_fini(&p->pair[0]);
	credential_fini(&p->pair[1]);
	lock_fini(&p->lock);
	mem_free(p);
}

static bool passsource_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool passsource_is_same(const struct passsource *a, const struct passsource *b)
{
	if (a == b)
		return true;
	return a != NULL && b != NULL && a->ttl == b->ttl && a->deadline == b->deadline &&
	       passsource_same_text(a->file, b->file) && passsource_same_text(a->command, b->command) &&
	       passsource_same_text(a->name, b->name) && passsource_same_text(a->user, b->user) &&
	       passsource_same_text(a->database, b->database) && passsource_same_text(a->host, b->host);
}

void passsource_expire(struct passsource *p)
{
	lock_take(&p->lock);
	p->good_until = 0;
	lock_drop(&p->lock);
}

uint64_t passsource_read(struct passsource *p, struct credential pair[2])
{
	uint64_t generation;

	lock_take(&p->lock);
	credential_copy(&pair[0], &p->pair[0]);
	credential_copy(&pair[1], &p->pair[1]);
	generation = p->generation;
	lock_drop(&p->lock);
	return generation;
}

static int passsource_read_file(struct passsource *p, struct buf *out, char *error)
{
	int fd = open(p->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	uint8_t data[4096];
	ssize_t n = -1;

	while (fd >= 0 && out->len <= PASSSOURCE_BYTES_MAX && (n = read(fd, data, sizeof(data))) > 0)
		if (buf_append(out, data, (size_t)n) < 0)
			break;
	if (fd < 0 || n < 0)
		snprintf(error, PASSSOURCE_ERROR_MAX, "password_file cannot be read: %s", strerrordesc_np(errno));
	secret_wipe(data, sizeof(data));
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static int passsource_run(struct passsource *p, struct buf *out, char *error)
{
	char why[PROGRAM_ERROR_MAX], said[PROGRAM_SAID_MAX];
	char user[1100], database[1100], host[1100];
	struct program program = {
		.extra = {user, database, host},
		.out_max = PASSSOURCE_BYTES_MAX,
		.until = clock_mono_us() + p->deadline,
	};
	const char *wrong;
	char **argv = argwords_new(p->command, &wrong);
	int rc;

	CHECK(argv != NULL); /* looked at when the configuration was loaded */
	snprintf(user, sizeof(user), "FYNIXPOOL_USER=%.1000s", p->user);
	snprintf(database, sizeof(database), "FYNIXPOOL_DATABASE=%.1000s", p->database);
	snprintf(host, sizeof(host), "FYNIXPOOL_HOST=%.1000s", p->host);
	program.argv = argv;
	rc = program_run(&program, out, why, said);
	mem_free(argv);
	if (rc < 0) {
		snprintf(error, PASSSOURCE_ERROR_MAX, "password_command %s", why);
		if (said[0] != '\0')
			log_write(LOG_WARNING, p->name, "password_command says: %s", said);
	}
	return rc;
}

/* The lines of text; pair needs no init.  NULL, or what is wrong with it. */
static const char *passsource_parse(struct buf *text, struct credential pair[2])
{
	const char *p = buf_text(text), *end = p + text->len, *why = NULL, *bad = NULL;

	pair[0] = pair[1] = (struct credential){.kind = CREDENTIAL_NONE};
	if (strlen(p) < text->len)
		return "has a NUL byte in it";
	for (unsigned i = 0; p < end && why == NULL; i++) {
		size_t n = strcspn(p, "\n"), next = n + 1;

		n -= n > 0 && p[n - 1] == '\r';
		if (n > 0 && i >= 2)
			why = "has more than two lines";
		else if (n > 0 && credential_parse(&pair[i], p, n, &bad) < 0)
			why = "has a malformed SCRAM secret in it";
		p += next;
	}
	if (why == NULL && pair[0].kind == CREDENTIAL_NONE)
		why = "has no password in its first line";
	if (why != NULL) {
		credential_fini(&pair[0]);
		credential_fini(&pair[1]);
	}
	return why;
}

/* What the file or the program says; -1: error has the sentence. */
static int passsource_fetch(struct passsource *p, struct credential pair[2], char error[PASSSOURCE_ERROR_MAX])
{
	const char *why;
	struct buf text;
	int rc = -1;

	pair[0] = pair[1] = (struct credential){.kind = CREDENTIAL_NONE};
	error[0] = '\0';
	buf_init(&text, 2 * PASSSOURCE_BYTES_MAX);
	/* once and for all: what grows leaves copies behind */
	if (buf_reserve(&text, PASSSOURCE_BYTES_MAX + 8192) < 0)
		snprintf(error, PASSSOURCE_ERROR_MAX, "out of memory");
	else
		rc = p->file != NULL ? passsource_read_file(p, &text, error) : passsource_run(p, &text, error);
	if (rc == 0) {
		why = text.len > PASSSOURCE_BYTES_MAX ? "is too long" : passsource_parse(&text, pair);
		if (why != NULL) {
			snprintf(error, PASSSOURCE_ERROR_MAX, "%s %s",
				 p->file != NULL ? "password_file" : "the output of password_command", why);
			rc = -1;
		}
	}
	buf_wipe(&text);
	return rc;
}

/* A helper: asks, and puts the answer in its place. */
static void passsource_work(struct errand *e)
{
	struct passsource *p = container_of(e, struct passsource, errand);
	struct credential pair[2];
	char error[PASSSOURCE_ERROR_MAX];
	bool has_changed = false;
	int rc = passsource_fetch(p, pair, error);

	if (rc < 0)
		/* a command may have secrets among its words */
		log_write(LOG_WARNING, p->name, "%s%s%.200s", error, p->file != NULL ? ": " : "", p->file != NULL ? p->file : "");
	lock_take(&p->lock);
	if (rc == 0) {
		has_changed = p->generation == 0 || !credential_is_equal(&p->pair[0], &pair[0]) ||
			      !credential_is_equal(&p->pair[1], &pair[1]);
		p->generation += has_changed;
		credential_fini(&p->pair[0]);
		credential_fini(&p->pair[1]);
		p->pair[0] = pair[0];
		p->pair[1] = pair[1];
	} else {
		(void)str_copy(p->error, sizeof(p->error), error);
	}
	p->good_until = clock_mono_us() + (rc == 0 ? p->ttl : PASSSOURCE_RETRY_US);
	lock_drop(&p->lock);
	if (has_changed)
		log_write(LOG_LOG, p->name, "has a password of password_%s", p->file != NULL ? "file" : "command");
}

static void passsource_deliver(struct loop *loop FX_UNUSED, struct mail *mail)
{
	struct passsource_ask *ask = container_of(mail, struct passsource_ask, mail);

	if (ask->on_answer != NULL) {
		*ask->handle = NULL;
		ask->on_answer(ask->arg, ask->error);
	}
	mem_free(ask);
}

/* Answers all who wait, and gives up the errand's reference.  posts: false at the end of the process. */
static void passsource_over(struct passsource *p, bool posts)
{
	struct dlist *link, waiting;

	dlist_init(&waiting);
	lock_take(&p->lock);
	p->is_fetching = false;
	while ((link = dlist_pop_front(&p->waiting)) != NULL) {
		struct passsource_ask *ask = container_of(link, struct passsource_ask, link);

		(void)str_copy(ask->error, sizeof(ask->error), p->generation == 0 ? p->error : "");
		dlist_push_back(&waiting, link);
	}
	lock_drop(&p->lock);
	while ((link = dlist_pop_front(&waiting)) != NULL) {
		struct passsource_ask *ask = container_of(link, struct passsource_ask, link);

		if (posts)
			loop_post(ask->loop, &ask->mail, passsource_deliver);
		else
			mem_free(ask);
	}
	passsource_unref(p);
}

static void passsource_done(struct errand *e)
{
	passsource_over(container_of(e, struct passsource, errand), true);
}

static void passsource_drop(struct errand *e)
{
	passsource_over(container_of(e, struct passsource, errand), false);
}

/* Under the lock.  Is what is known still good for who has seen that generation refused? */
static bool passsource_is_fresh(const struct passsource *p, uint64_t seen)
{
	if (p->generation == 0)
		return false;
	if (seen != 0)
		return p->generation != seen;
	return clock_mono_us() < p->good_until;
}

static struct passsource_ask *passsource_waiter(struct loop *loop, void (*on_answer)(void *arg, const char *error), void *arg,
						struct passsource_ask **handle)
{
	struct passsource_ask *ask = mem_zalloc(sizeof(*ask));

	ask->loop = loop;
	ask->on_answer = on_answer;
	ask->arg = arg;
	ask->handle = handle;
	dlist_init(&ask->link);
	return ask;
}

static void passsource_begin(struct passsource *p, struct errands *errands, struct loop *loop)
{
	p->errand = (struct errand){.work = passsource_work, .done = passsource_done, .drop = passsource_drop};
	passsource_ref(p);
	if (errand_give(errands, loop, &p->errand))
		return;
	lock_take(&p->lock);
	(void)str_copy(p->error, sizeof(p->error), "too many questions to the system wait for their answer");
	lock_drop(&p->lock);
	passsource_over(p, true);
}

enum passsource_answer passsource_ask(struct passsource *p, struct errands *errands, struct loop *loop, uint64_t seen,
				      void (*on_answer)(void *arg, const char *error), void *arg, struct passsource_ask **handle,
				      char error[PASSSOURCE_ERROR_MAX])
{
	struct passsource_ask *ask = errands != NULL ? passsource_waiter(loop, on_answer, arg, handle) : NULL;
	bool is_fresh, begins;

	error[0] = '\0';
	lock_take(&p->lock);
	is_fresh = passsource_is_fresh(p, seen);
	begins = !is_fresh && !p->is_fetching && errands != NULL;
	p->is_fetching = p->is_fetching || begins;
	if (!is_fresh && ask != NULL)
		dlist_push_back(&p->waiting, &ask->link);
	lock_drop(&p->lock);
	if (is_fresh) {
		mem_free(ask);
		return PASSSOURCE_READY;
	}
	if (ask != NULL) {
		*handle = ask;
		if (begins)
			passsource_begin(p, errands, loop);
		return PASSSOURCE_WAITS;
	}
	passsource_work(&p->errand);
	lock_take(&p->lock);
	if (p->generation == 0)
		(void)str_copy(error, PASSSOURCE_ERROR_MAX, p->error);
	lock_drop(&p->lock);
	return PASSSOURCE_READY;
}

void passsource_forget(struct passsource_ask **ask)
{
	if (*ask != NULL)
		(*ask)->on_answer = NULL;
	*ask = NULL;
}
