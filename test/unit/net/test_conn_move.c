/*
 * Conns that move between loops in different threads while their peers go on talking: no byte lost, none twice, no
 * object touched by two threads (that is the thread sanitizer's to say).
 */
#include "rig.h"

#include "base/mem.h"
#include "base/rnd.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPS 3
#define TRAVELLERS 8
#define ROUNDS 400 /* questions that each peer asks */

/* answers each byte with the same byte, and then goes to another loop */
struct traveller {
	struct mail mail;
	struct conn conn;
	unsigned moves;
	struct rnd rnd;
};

static struct loop loops[LOOPS];
static pthread_t threads[LOOPS];
static struct traveller travellers[TRAVELLERS];
static int peers[TRAVELLERS];
static atomic_uint gone;

static void arrive(struct loop *loop, struct mail *mail)
{
	struct traveller *t = container_of(mail, struct traveller, mail);

	ck_assert_int_eq(conn_attach(&t->conn, loop), 0);
}

static void go(struct traveller *t)
{
	unsigned to = (unsigned)rnd_below(&t->rnd, LOOPS);

	t->moves++;
	conn_detach(&t->conn);
	/* not ours any more when this returns */
	loop_post(&loops[to], &t->mail, arrive);
}

static size_t on_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct traveller *t = container_of(c, struct traveller, conn);

	conn_send(c, data, n, chunk);
	conn_flush(c);
	/* in the callback, or later from on_drained */
	if (conn_out_pending(c) == 0 && rnd_below(&t->rnd, 2) == 0)
		go(t);
	else
		conn_notify_empty(c);
	return n;
}

static void on_drained(struct conn *c)
{
	struct traveller *t = container_of(c, struct traveller, conn);

	if (rnd_below(&t->rnd, 2) == 0)
		go(t);
}

static void on_closed(struct conn *c, enum conn_end end, int err)
{
	(void)end, (void)err;
	conn_close(c);
	atomic_fetch_add(&gone, 1);
}

static const struct conn_ops ops = {.on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

START_TEST(answers_come_while_moving)
{
	uint8_t room[64], answer[64];

	for (unsigned i = 0; i < LOOPS; i++)
		ck_assert_int_eq(loop_init(&loops[i], rig_engine(), i, NULL), 0);
	for (unsigned i = 0; i < TRAVELLERS; i++) {
		int sv[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
		rnd_seed(&travellers[i].rnd, i);
		peers[i] = sv[1];
		ck_assert_int_eq(conn_open(&travellers[i].conn, &loops[i % LOOPS], sv[0], &ops), 0);
	}
	for (unsigned i = 0; i < LOOPS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run, &loops[i]), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t n = 1 + round % sizeof(room);

		rig_fill(room, n, round);
		for (unsigned i = 0; i < TRAVELLERS; i++)
			ck_assert_int_eq(send(peers[i], room, n, MSG_NOSIGNAL), (ssize_t)n);
		for (unsigned i = 0; i < TRAVELLERS; i++) {
			size_t have = 0;

			while (have < n) {
				ssize_t got = recv(peers[i], answer + have, n - have, MSG_DONTWAIT);

				ck_assert_int_ne(got, 0);
				if (got > 0)
					have += (size_t)got;
				else
					sched_yield();
			}
			ck_assert_mem_eq(answer, room, n);
		}
	}
	for (unsigned i = 0; i < TRAVELLERS; i++)
		close(peers[i]);
	while (atomic_load(&gone) < TRAVELLERS)
		sched_yield();
	for (unsigned i = 0; i < LOOPS; i++)
		loop_stop(&loops[i]);
	for (unsigned i = 0; i < LOOPS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < TRAVELLERS; i++)
		ck_assert_uint_gt(travellers[i].moves, ROUNDS / 4);
	for (unsigned i = 0; i < LOOPS; i++)
		loop_fini(&loops[i]);
}
END_TEST

/* A conn that has gone to another loop leaves nothing behind that spins or speaks when its peer does. */
START_TEST(the_old_loop_rests)
{
	struct loop one, two;
	struct rig_conn r;
	int peer;

	ck_assert_int_eq(loop_init(&one, rig_engine(), 0, NULL), 0);
	ck_assert_int_eq(loop_init(&two, rig_engine(), 1, NULL), 0);
	rig_init(&r);
	peer = rig_pair(&r, &one);
	rig_turn(&one);
	conn_detach(&r.conn);
	ck_assert_int_eq(send(peer, "a", 1, 0), 1);
	ck_assert_uint_le(rig_nap(&one, 50), 8);
	ck_assert_int_eq(conn_attach(&r.conn, &two), 0);
	rig_turn(&two);
	ck_assert_str_eq(buf_text(&r.got), "a");
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(send(peer, "b", 1, 0), 1);
		ck_assert_uint_le(rig_nap(&one, 10), 8);
		rig_turn(&two);
	}
	ck_assert_str_eq(buf_text(&r.got), "abbbbb");
	/* and back again, with the fd still known to the first one's epoll or not */
	conn_detach(&r.conn);
	ck_assert_int_eq(conn_attach(&r.conn, &one), 0);
	ck_assert_int_eq(send(peer, "c", 1, 0), 1);
	rig_turn(&one);
	ck_assert_str_eq(buf_text(&r.got), "abbbbbc");
	/* the fd's number serves another conn of the first loop when it was closed on the second */
	conn_detach(&r.conn);
	ck_assert_int_eq(conn_attach(&r.conn, &two), 0);
	rig_turn(&two);
	conn_close(&r.conn);
	close(peer);
	r.got.len = 0;
	peer = rig_pair(&r, &one);
	ck_assert_int_eq(send(peer, "new", 3, 0), 3);
	rig_turns(&one, 2);
	ck_assert_str_eq(buf_text(&r.got), "new");
	rig_fini(&r);
	close(peer);
	loop_fini(&one);
	loop_fini(&two);
}
END_TEST

static void farewell_is_first(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)chunk;
	ck_assert_uint_eq(n, 3);
	ck_assert_mem_eq(data, "bye", 3);
	ck_assert_uint_eq(conn_written(&r->conn), 0);
}

/* What has come on the old loop and was not told there is told on the new one before anything is written. */
START_TEST(a_farewell_goes_along)
{
	struct loop one, two;
	struct rig_conn r;
	int peer;

	ck_assert_int_eq(loop_init(&one, rig_engine(), 0, NULL), 0);
	ck_assert_int_eq(loop_init(&two, rig_engine(), 1, NULL), 0);
	rig_init(&r);
	r.in_bytes = farewell_is_first;
	peer = rig_pair(&r, &one);
	rig_turns(&one, 2);
	ck_assert_int_eq(send(peer, "bye", 3, 0), 3);
	conn_detach(&r.conn);
	ck_assert_int_eq(conn_attach(&r.conn, &two), 0);
	conn_send(&r.conn, "question", 8, NULL);
	rig_turn(&two);
	ck_assert_str_eq(buf_text(&r.got), "bye");
	/* and an end */
	r.in_bytes = NULL;
	conn_detach(&r.conn);
	close(peer);
	ck_assert_int_eq(conn_attach(&r.conn, &one), 0);
	conn_send(&r.conn, "question", 8, NULL);
	rig_turn(&one);
	ck_assert_int_eq(r.closed, 1);
	conn_close(&r.conn);
	rig_fini(&r);
	loop_fini(&one);
	loop_fini(&two);
}
END_TEST

SUITE_MAIN("conn_move", answers_come_while_moving, the_old_loop_rests, a_farewell_goes_along)
