/*
 * settle.c - what a server does when all that has come is read.
 */
#include "server/settle.h"

#include "server/clean.h"
#include "server/login.h"

static void settle_active(struct server *s)
{
	/* a rider that has not said anything yet has only just mounted: a call for a former need is no end of its request */
	if (conn_written(&s->conn) == s->request_mark)
		return;
	if (server_is_quiet(s)) {
		s->rider_ops->on_quiet(s);
		return;
	}
	if (s->status == TRANSACTION_IDLE && expect_is_quiet(&s->expect) && conn_out_pending(&s->conn) > 0)
		conn_notify_empty(&s->conn);
	s->rider_ops->on_settled(s);
}

void settle_server(struct server *s)
{
	/* it has said farewell: nobody may be given it, even if its last byte has not come yet */
	if (s->has_spoken && (s->state == SERVER_ACTIVE || s->state == SERVER_IDLE)) {
		server_close(s, SERVER_END_FAREWELL);
		return;
	}
	switch (s->state) {
	case SERVER_LOGIN:
		login_settled(s);
		break;
	case SERVER_TESTING:
	case SERVER_CLEANING:
		clean_settled(s);
		break;
	case SERVER_ACTIVE:
		if (s->is_throttled && conn_out_pending(&s->conn) <= CONN_LOW && s->expect.count <= EXPECT_LOW) {
			s->is_throttled = false;
			s->rider_ops->on_room(s);
		}
		if (s->state == SERVER_ACTIVE)
			settle_active(s);
		break;
	default:
		break;
	}
}
