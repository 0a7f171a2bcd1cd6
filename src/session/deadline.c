/*
 * deadline.c - how long a client may stay in its state.
 *
 * One deadline, armed by client_enter; which setting it is follows from the state.
 * It may be due too early (a later query of a pipeline, a setting that has grown):
 * then it is armed again for the rest.
 */
#include "session/deadline.h"

#include "session/strangers.h"
#include "session/wait.h"
#include "session/worker.h"

#define DEADLINE_STEP_MIN_US UINT64_C(1000)
#define DEADLINE_LINGER_US (UINT64_C(3) * 1000000) /* for the last words to be taken */

/* since when the deadline of this state counts */
static uint64_t deadline_began(const struct client *c)
{
	const struct server *s = c->lease.server;

	if (c->state != CLIENT_RUNNING || c->lease.state != LEASE_HELD)
		return c->state_since;
	/* in a pipeline each query has its own time */
	return c->request_since > c->state_since ? c->request_since
	       : s->request_since > c->state_since ? s->request_since : c->state_since;
}

/* 0: for ever */
static uint64_t deadline_duration(const struct client *c)
{
	switch (c->state) {
	case CLIENT_STARTUP:
	case CLIENT_AUTH:
	case CLIENT_WELCOME:
		return c->worker->home.conf->set.client_login_timeout;
	case CLIENT_IDLE:
	case CLIENT_LINKED:
		return c->limits->client_idle_timeout;
	case CLIENT_WAITING:
		return wait_duration(c);
	case CLIENT_ATTACHING:
		return c->limits->query_wait_timeout;
	case CLIENT_RUNNING:
		return c->limits->query_timeout;
	case CLIENT_INXACT:
		return c->limits->idle_transaction_timeout;
	case CLIENT_CLOSING:
		return DEADLINE_LINGER_US;
	case CLIENT_CANCEL:
		return c->worker->home.conf->set.cancel_wait_timeout;
	default:
		return 0;
	}
}

/* What is left, rounded down to a power of two: all who are asked to wait a little longer share few lists of
 * deadlines, and look again. */
static void deadline_arm_rest(struct client *c, uint64_t left)
{
	uint64_t step = DEADLINE_STEP_MIN_US;

	while (step <= left / 2)
		step *= 2;
	loop_arm(c->conn.loop, &c->deadline, step);
}

void deadline_arm(struct client *c)
{
	c->state_since = loop_now(c->conn.loop);
	loop_arm(c->conn.loop, &c->deadline, deadline_duration(c));
}

void deadline_rearm(struct client *c)
{
	uint64_t duration = deadline_duration(c);
	uint64_t spent = loop_now(c->conn.loop) - deadline_began(c);

	if (duration == 0)
		timeout_disarm(&c->deadline);
	else
		deadline_arm_rest(c, duration > spent ? duration - spent : 0);
}

void deadline_on_due(struct timeout *t)
{
	struct client *c = container_of(t, struct client, deadline);
	uint64_t duration = deadline_duration(c);
	uint64_t spent = loop_now(c->conn.loop) - deadline_began(c);

	if (duration == 0 || spent < duration) {
		deadline_rearm(c);
		return;
	}
	switch (c->state) {
	case CLIENT_STARTUP:
	case CLIENT_AUTH:
	case CLIENT_WELCOME:
		strangers_count(c->worker->home.hub->strangers, STRANGERS_TIMED_OUT, 1);
		client_fail(c, CLIENT_END_LOGIN_TIMEOUT, NULL);
		break;
	case CLIENT_IDLE:
	case CLIENT_LINKED:
		client_fail(c, CLIENT_END_IDLE_TIMEOUT, NULL);
		break;
	case CLIENT_INXACT:
		c->pool->stats.idle_transaction_timeouts++;
		client_fail(c, CLIENT_END_IDLE_TRANSACTION, NULL);
		break;
	case CLIENT_RUNNING:
		c->pool->stats.query_timeouts++;
		client_fail(c, CLIENT_END_QUERY_TIMEOUT, NULL);
		break;
	case CLIENT_WAITING:
		wait_on_deadline(c, spent);
		break;
	case CLIENT_ATTACHING:
		wait_fail_login(c);
		break;
	case CLIENT_CANCEL:
		client_close(c, CLIENT_END_CANCEL_TIMEOUT);
		break;
	default:
		client_close(c, CLIENT_END_RESET);
		break;
	}
}
