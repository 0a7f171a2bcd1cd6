/*
 * tarry.c - logins from an address with wrong passwords behind it wait a moment.
 */
#include "session/tarry.h"

#include "session/admit.h"
#include "session/entry_impl.h"
#include "session/strangers.h"
#include "session/worker.h"

/* most of the time for a login is left for the login */
static uint64_t tarry_longest(const struct conf_settings *set)
{
	uint64_t share = set->client_login_timeout / 4;

	return share > 0 && set->auth_failure_delay > share ? share : set->auth_failure_delay;
}

static void tarry_on_due(struct timeout *t)
{
	struct client *c = container_of(t, struct login, tarry)->client;

	conn_resume(&c->conn);
	admit_again(c);
}

bool tarry_begin(struct client *c)
{
	struct strangers *strangers = c->worker->home.hub->strangers;
	uint64_t delay;

	/* whoever runs us must get in to see what is wrong */
	if (addr_is_own_uid(&c->peer))
		return false;
	delay = strangers_delay(strangers, &c->peer, tarry_longest(&c->worker->home.conf->set), loop_now(c->conn.loop));
	if (delay == 0)
		return false;
	strangers_count(strangers, STRANGERS_DELAYED, 1);
	strangers_count(strangers, STRANGERS_DELAYED_US, delay);
	timeout_init(&c->login->tarry, tarry_on_due);
	loop_arm(c->conn.loop, &c->login->tarry, delay);
	conn_pause(&c->conn, ENTRY_KEEP);
	return true;
}

void tarry_end(struct login *l)
{
	timeout_disarm(&l->tarry);
}

void tarry_failed(struct client *c)
{
	uint64_t now = loop_now(c->conn.loop), longest = tarry_longest(&c->worker->home.conf->set);
	unsigned failures = strangers_fail(c->worker->home.hub->strangers, &c->peer, now);
	char from[ADDR_TEXT_MAX];

	/* when it begins and when it has grown to its full length, not in between */
	if (longest == 0 || (failures != STRANGERS_FREE && failures != STRANGERS_FREE + 3))
		return;
	if (!log_limit_allows(&c->worker->noise, now, 20))
		return;
	addr_format(&c->peer, from, sizeof(from));
	log_write(LOG_WARNING, NULL, "%u wrong passwords from %s: logins from there wait up to %llu ms", failures, from,
		  (unsigned long long)(failures == STRANGERS_FREE ? longest / 8 : longest) / 1000);
}
