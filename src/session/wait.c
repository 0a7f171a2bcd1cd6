/*
 * wait.c - a client that waits for a server.
 */
#include "session/wait.h"

#include "proto/reply.h"
#include "session/request.h"
#include "session/worker.h"

#include <stdio.h>

static bool wait_is_bouncer(const struct client *c)
{
	return c->worker->home.conf->profile == CONF_PROFILE_PGBOUNCER;
}

/* the wait counts as the query's time in PgBouncer only */
static uint64_t wait_query_timeout(const struct client *c)
{
	return wait_is_bouncer(c) ? c->limits->query_timeout : 0;
}

static uint64_t wait_sooner(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* when the wait ends */
static uint64_t wait_limit(const struct client *c)
{
	return wait_sooner(c->limits->query_wait_timeout, wait_query_timeout(c));
}

static bool wait_owes_notice(const struct client *c)
{
	uint64_t notify = c->limits->query_wait_notify, limit = wait_limit(c);

	return !c->was_notified && notify > 0 && (limit == 0 || notify < limit);
}

uint64_t wait_duration(const struct client *c)
{
	return wait_owes_notice(c) ? c->limits->query_wait_notify : wait_limit(c);
}

static void wait_notify(struct client *c)
{
	uint64_t limit = wait_limit(c);
	struct buf out;

	c->was_notified = true;
	buf_init(&out, 0);
	if (reply_notice(&out, "NOTICE", "00000",
			 "No server connection available in postgres backend, client being queued") == 0)
		conn_send(&c->conn, out.data, out.len, NULL);
	buf_fini(&out);
	/* the difference of two settings, not what is left to the microsecond: deadlines of one duration share a list */
	if (limit > 0)
		loop_arm(c->conn.loop, &c->deadline, limit - c->limits->query_wait_notify);
}

void wait_explain(const struct client *c, char *out, size_t size)
{
	const struct conf_limits *l = &c->pool->limits;
	struct share *share = c->pool->share;
	unsigned db, user, ignored, servers;

	hub_tally_database(share->hub, share->database, &db, &ignored);
	hub_tally_user(share->hub, share->user, &user, &ignored);
	servers = share_servers(share);
	if (atomic_load(&share->is_paused))
		snprintf(out, size, "the database is paused");
	else if (l->max_db_connections > 0 && db >= (uint64_t)l->max_db_connections)
		snprintf(out, size, "max_db_connections %u reached", db);
	else if (l->max_user_connections > 0 && user >= (uint64_t)l->max_user_connections)
		snprintf(out, size, "max_user_connections %u reached", user);
	else if (pool_cap(c->pool) > 0 && servers >= pool_cap(c->pool))
		snprintf(out, size, "all %u servers are busy (pool_size %u, max_overflow %u)", servers,
			 (unsigned)l->pool_size, (unsigned)l->max_overflow);
	else
		snprintf(out, size, "no server could be connected yet");
}

static void wait_sentence(const struct client *c, char *text, size_t size)
{
	char why[160];

	wait_explain(c, why, sizeof(why));
	snprintf(text, size, "query_wait_timeout: waited %.3g s for a server connection: %s",
		 (double)c->limits->query_wait_timeout / 1e6, why);
}

void wait_fail_login(struct client *c)
{
	char text[256];

	c->pool->stats.wait_timeouts++;
	if (wait_is_bouncer(c)) {
		client_fail(c, CLIENT_END_WAIT_TIMEOUT, NULL);
		return;
	}
	wait_sentence(c, text, sizeof(text));
	client_fail(c, CLIENT_END_WAIT_TIMEOUT, "%s", text);
}

void wait_on_deadline(struct client *c, uint64_t spent)
{
	uint64_t query = wait_query_timeout(c);
	char text[256];

	if (wait_owes_notice(c)) {
		wait_notify(c);
		return;
	}
	if (wait_is_bouncer(c) && query > 0 && spent >= query) {
		c->pool->stats.query_timeouts++;
		client_fail(c, CLIENT_END_QUERY_TIMEOUT, "query_timeout");
		return;
	}
	c->pool->stats.wait_timeouts++;
	if (wait_is_bouncer(c)) {
		client_fail(c, CLIENT_END_WAIT_TIMEOUT, NULL);
		return;
	}
	wait_sentence(c, text, sizeof(text));
	request_refuse(c, client_sqlstate(c, CLIENT_END_WAIT_TIMEOUT), text);
}
