/*
 * seat.c - a newcomer asks the worker of whoever is silent longest for his seat.
 *
 * The seat goes from one to the other by mail, and the count in the hub stays as it is: nobody else can take it in between.
 * Each worker tells with one number how long its most silent login is so, so that accepting and logging in take no lock
 * for this.  Who is silent is judged in the handler of a mail: by then the loop has delivered every byte that had come
 * when its clock was read.
 */
#include "session/seat.h"

#include "base/clock.h"
#include "base/mem.h"
#include "session/admit.h"
#include "session/entry_impl.h"
#include "session/strangers.h"
#include "session/worker.h"

#define SEAT_STEP_US (8 * CLOCK_US_PER_MS)

struct seat_ask {
	struct mail mail;
	struct worker *from;
	uint64_t client; /* its handle there */
	uint64_t grace;	 /* as it is for who asks: during a RELOAD settings differ */
	bool is_given;
};

static struct login *seat_first(struct worker *w)
{
	struct dlist *first = dlist_first(&w->silent);

	return first != NULL ? container_of(first, struct login, silent) : NULL;
}

static void seat_tell(struct worker *w)
{
	const struct login *l = seat_first(w);

	atomic_store_explicit(&w->silent_since, l != NULL ? l->silent_since : 0, memory_order_relaxed);
}

void seat_turn(struct client *c)
{
	uint64_t now = loop_now(c->conn.loop);

	if (!c->has_seat || c->login == NULL)
		return;
	if (dlist_is_linked(&c->login->silent))
		dlist_remove(&c->login->silent);
	c->login->silent_since = now > 0 ? now : 1;
	dlist_push_back(&c->worker->silent, &c->login->silent);
	seat_tell(c->worker);
}

void seat_busy(struct client *c)
{
	if (c->login == NULL || !dlist_is_linked(&c->login->silent))
		return;
	dlist_remove(&c->login->silent);
	seat_tell(c->worker);
}

void seat_leave(struct client *c)
{
	seat_busy(c);
	if (c->has_seat)
		hub_give_seat(c->worker->home.hub);
	c->has_seat = false;
}

void seat_refuse(struct client *c)
{
	client_fail(c, CLIENT_END_TOO_MANY, "no more connections allowed (%s)", hub_limit_name(HUB_CLIENTS_FULL));
}

static const struct conf_settings *seat_settings(const struct worker *w)
{
	return &w->home.conf->set;
}

static bool seat_is_free(struct client *c)
{
	c->has_seat = hub_take_seat(c->worker->home.hub, (unsigned)seat_settings(c->worker)->max_client_conn);
	return c->has_seat;
}

/* The worker with the most silent login of all, and since when it is so; NULL: everybody has logged in, or waits for us. */
static struct worker *seat_most_silent(const struct worker *asking, uint64_t *since)
{
	struct worker *most = NULL;

	*since = UINT64_MAX;
	if (seat_settings(asking)->stalled_login_grace == 0)
		return NULL;
	for (unsigned i = 0; i < asking->home.hub->workers; i++) {
		uint64_t told = atomic_load_explicit(&asking->all[i]->silent_since, memory_order_relaxed);

		if (told == 0 || told >= *since)
			continue;
		*since = told;
		most = asking->all[i];
	}
	return most;
}

bool seat_may_come(struct client *c)
{
	uint64_t since;

	return c->has_seat || seat_is_free(c) || seat_most_silent(c->worker, &since) != NULL;
}

static void seat_got(struct client *c)
{
	c->has_seat = true;
	conn_resume(&c->conn);
	admit_begin(c);
}

static void seat_try(struct client *c);

static void seat_on_answer(struct loop *loop, struct mail *mail)
{
	struct seat_ask *a = container_of(mail, struct seat_ask, mail);
	struct client *c = worker_client(worker_of(loop), a->client);
	bool is_given = a->is_given;

	mem_free(a);
	if (c != NULL && c->state == CLIENT_AUTH && is_given)
		seat_got(c);
	else if (c != NULL && c->state == CLIENT_AUTH)
		seat_try(c);
	else if (is_given)
		hub_give_seat(worker_of(loop)->home.hub);
}

/* On the worker of the silent. */
static void seat_on_ask(struct loop *loop, struct mail *mail)
{
	struct seat_ask *a = container_of(mail, struct seat_ask, mail);
	struct worker *w = worker_of(loop);
	struct login *l = seat_first(w);

	if (l != NULL && loop_now(loop) >= l->silent_since + a->grace) {
		struct client *c = l->client;

		a->is_given = true;
		seat_busy(c);
		c->has_seat = false;
		strangers_count(w->home.hub->strangers, STRANGERS_UNSEATED, 1);
		client_fail(c, CLIENT_END_STALLED, NULL);
	}
	loop_post(&a->from->loop, &a->mail, seat_on_answer);
}

static void seat_ask(struct client *c, struct worker *of, uint64_t grace)
{
	struct seat_ask *a = mem_alloc(sizeof(*a));

	*a = (struct seat_ask){.from = c->worker, .client = c->handle, .grace = grace};
	loop_post(&of->loop, &a->mail, seat_on_ask);
}

static void seat_on_due(struct timeout *t)
{
	seat_try(container_of(t, struct login, tarry)->client);
}

/* Powers of two, rounded down, so that all who wait share few lists of deadlines; then it looks again. */
static void seat_wait(struct client *c, uint64_t left)
{
	uint64_t step = SEAT_STEP_US;

	while (step <= left / 2)
		step *= 2;
	timeout_init(&c->login->tarry, seat_on_due);
	loop_arm(c->conn.loop, &c->login->tarry, step);
}

static void seat_try(struct client *c)
{
	uint64_t grace = seat_settings(c->worker)->stalled_login_grace, now = loop_now(c->conn.loop), since;
	struct worker *w;

	if (seat_is_free(c)) {
		seat_got(c);
		return;
	}
	w = seat_most_silent(c->worker, &since);
	if (w != NULL && since + grace <= now)
		seat_ask(c, w, grace);
	else if (w != NULL && now < c->login->seat_until)
		seat_wait(c, (since + grace < c->login->seat_until ? since + grace : c->login->seat_until) - now);
	else
		seat_refuse(c);
}

void seat_begin(struct client *c)
{
	if (c->has_seat) {
		admit_begin(c);
		return;
	}
	/* whoever is silent now has moved or is due by then */
	c->login->seat_until = loop_now(c->conn.loop) + seat_settings(c->worker)->stalled_login_grace;
	conn_pause(&c->conn, ENTRY_KEEP);
	seat_try(c);
}
