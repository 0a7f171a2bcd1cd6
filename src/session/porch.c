/*
 * porch.c - who may stand before the door.
 */
#include "session/porch.h"

#include "base/log.h"
#include "net/listener.h"
#include "proto/reply.h"
#include "session/strangers.h"
#include "session/worker.h"

#include <limits.h>
#include <stdio.h>

/* a share of few clients would let people who log in at the same time lock each other out */
#define PORCH_MIN	     16
#define PORCH_OF_ADDRESS_MIN 8

unsigned porch_max(const struct conf_settings *set)
{
	uint64_t share = (uint64_t)set->max_client_conn * (uint64_t)set->max_unauthenticated_percent / 100;

	if (set->max_unauthenticated_percent >= 100)
		return 0;
	return share < PORCH_MIN ? PORCH_MIN : (unsigned)share;
}

unsigned porch_max_of_address(const struct conf_settings *set)
{
	uint64_t all = porch_max(set), share;

	if (set->max_unauthenticated_address_percent >= 100)
		return 0;
	if (all == 0)
		all = (uint64_t)set->max_client_conn;
	share = all * (uint64_t)set->max_unauthenticated_address_percent / 100;
	return share < PORCH_OF_ADDRESS_MIN ? PORCH_OF_ADDRESS_MIN : (unsigned)share;
}

static void porch_refuse(struct worker *w, int fd, const struct addr *peer, enum hub_answer answer)
{
	const struct conf *conf = w->home.conf;
	char text[128], from[ADDR_TEXT_MAX];
	struct buf out;

	strangers_count(w->home.hub->strangers,
			answer == HUB_LOGINS_FULL ? STRANGERS_REFUSED_ALL : STRANGERS_REFUSED_ADDRESS, 1);
	snprintf(text, sizeof(text), "no more connections allowed (%s)", hub_limit_name(answer));
	if (conf->set.log_pooler_errors && log_limit_allows(&w->noise, loop_now(&w->loop), 20)) {
		addr_format(peer, from, sizeof(from));
		log_write(LOG_WARNING, NULL, "refused before login, from %s: %s", from, text);
	}
	buf_init(&out, 0);
	(void)reply_error(&out, "FATAL", conf->profile == CONF_PROFILE_PGBOUNCER ? "08P01" : "53300", text);
	listener_refuse_with(fd, out.data, out.bad ? 0 : out.len);
	buf_fini(&out);
}

bool porch_enter(struct worker *acceptor, int fd, const struct addr *peer, uint16_t *place, enum hub_answer *answer)
{
	const struct conf_settings *set = &acceptor->home.conf->set;
	struct hub *hub = acceptor->home.hub;
	/* whoever runs us must get in to see what is wrong */
	bool is_exempt = addr_is_own_uid(peer);

	*answer = HUB_ADDRESS_FULL;
	if (strangers_enter(hub->strangers, peer, is_exempt ? 0 : porch_max_of_address(set), loop_now(&acceptor->loop), place)) {
		*answer = hub_take_client(hub, is_exempt ? UINT_MAX : (unsigned)set->max_client_conn, is_exempt ? 0 : porch_max(set));
		if (*answer != HUB_LOGINS_FULL)
			return true;
		hub_give_client(hub, true, false);
		strangers_leave(hub->strangers, *place);
	}
	porch_refuse(acceptor, fd, peer, *answer);
	return false;
}
