/*
 * tlslate.c - handshakes of clients that have to wait for a later turn.
 *
 * The queue is worked off by a deadline that is due in the next turn, at least one step each time.
 */
#include "net/tlslate.h"

#include "net/loop.h"
#include "net/tls_impl.h"

static bool tlslate_turn_is_long(struct loop *loop)
{
	return loop->engine->now(loop) - loop->now >= TLSLATE_TURN_US;
}

/* One that has waited. */
static void tlslate_one(struct loop *loop, struct tls *t)
{
	struct conn *c = t->conn;
	struct buf bytes = t->late;

	buf_init(&t->late, 0);
	c->is_late = false;
	c->loop->engine->interest(c);
	if (!c->has_ended && !c->must_end) {
		loop->active = c;
		tls_step(c, NULL, bytes.data, bytes.len);
		loop->active = NULL;
	}
	buf_fini(&bytes);
}

static void tlslate_on_turn(struct timeout *timer)
{
	struct loop *loop = container_of(timer, struct loop, late_turn);
	struct dlist *link;

	while ((link = dlist_pop_front(&loop->late)) != NULL) {
		tlslate_one(loop, container_of(link, struct tls, late_link));
		if (tlslate_turn_is_long(loop))
			break;
	}
	if (!dlist_is_empty(&loop->late))
		loop_arm(loop, timer, 1);
}

void tlslate_init(struct loop *loop)
{
	dlist_init(&loop->late);
	timeout_init(&loop->late_turn, tlslate_on_turn);
}

bool tlslate_takes(struct conn *c, const uint8_t *data, size_t n)
{
	struct loop *loop = c->loop;
	struct tls *t = c->tls;

	/* who waits already goes first */
	if (dlist_is_empty(&loop->late) && !tlslate_turn_is_long(loop))
		return false;
	if (buf_append(&t->late, data, n) < 0) {
		conn_end_later(c, CONN_END_RESET);
		return true;
	}
	/* the kernel may have given us more already */
	if (c->is_late)
		return true;
	c->is_late = true;
	loop->engine->interest(c);
	dlist_push_back(&loop->late, &t->late_link);
	if (!timeout_is_armed(&loop->late_turn))
		loop_arm(loop, &loop->late_turn, 1);
	return true;
}

void tlslate_forget(struct tls *t)
{
	dlist_remove(&t->late_link);
	buf_fini(&t->late);
}
