/*
 * The order of a turn: events are handled as the kernel gave them, those of dialled conns first, and whoever is gone
 * by then is left out.
 */
#include "rig.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS 150 /* more than libev takes from the kernel at first, and than the lists have room for */

static struct loop loop;
static struct rig_conn conns[CONNS];
static int peers[CONNS];
static unsigned seen[CONNS], seen_count;

static unsigned number(struct rig_conn *r)
{
	return (unsigned)(r - conns);
}

static void note(struct rig_conn *r, struct chunk *chunk FX_UNUSED, const uint8_t *data FX_UNUSED, size_t n FX_UNUSED)
{
	ck_assert_uint_lt(seen_count, CONNS);
	seen[seen_count++] = number(r);
}

static void add(unsigned i)
{
	rig_init(&conns[i]);
	conns[i].in_bytes = note;
	peers[i] = rig_pair(&conns[i], &loop);
}

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	seen_count = 0;
	for (unsigned i = 0; i < CONNS; i++)
		add(i);
	rig_turns(&loop, 3);
}

static void teardown(void)
{
	for (unsigned i = 0; i < CONNS; i++) {
		rig_fini(&conns[i]);
		close(peers[i]);
	}
	loop_fini(&loop);
}

static void poke(unsigned i)
{
	ck_assert_int_eq(send(peers[i], "x", 1, 0), 1);
}

/* order: a permutation of the first n numbers */
static void shuffle(unsigned *order, unsigned n, uint32_t seed)
{
	for (unsigned i = 0; i < n; i++)
		order[i] = i;
	for (unsigned i = n - 1; i > 0; i--) {
		unsigned j, t;

		seed = seed * 1664525 + 1013904223;
		j = (seed >> 8) % (i + 1);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
}

START_TEST(first_come_first_served)
{
	unsigned order[60];

	for (uint32_t round = 0; round < 20; round++) {
		shuffle(order, 60, round);
		seen_count = 0;
		for (unsigned i = 0; i < 60; i++)
			poke(order[i]);
		rig_turn(&loop);
		ck_assert_uint_eq(seen_count, 60);
		for (unsigned i = 0; i < 60; i++)
			ck_assert_msg(seen[i] == order[i], "round %u: place %u has %u instead of %u", round, i, seen[i],
				      order[i]);
		/* the kernel looks again at what it has reported, and puts the next arrivals behind it */
		rig_turns(&loop, 2);
	}
}
END_TEST

START_TEST(all_of_a_crowd)
{
	for (unsigned round = 0; round < 3; round++) {
		seen_count = 0;
		for (unsigned i = 0; i < CONNS; i++)
			poke(i);
		rig_turns(&loop, 5);
		ck_assert_uint_eq(seen_count, CONNS);
		for (unsigned i = 0; i < CONNS; i++)
			ck_assert_uint_eq(seen[i], i);
	}
}
END_TEST

START_TEST(dialled_before_accepted)
{
	/* as a server's connection is, without the connecting */
	for (unsigned i = 20; i < 40; i++) {
		conn_detach(&conns[i].conn);
		conns[i].conn.is_dialled = true;
		ck_assert_int_eq(conn_attach(&conns[i].conn, &loop), 0);
	}
	rig_turns(&loop, 2);
	for (unsigned i = 0; i < 40; i++)
		poke(i);
	rig_turn(&loop);
	ck_assert_uint_eq(seen_count, 40);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_uint_eq(seen[i], (i + 20) % 40);
}
END_TEST

static void close_others(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	note(r, chunk, data, n);
	for (unsigned i = 0; i < 20; i++)
		if (&conns[i] != r && i % 3 != 0)
			conn_close(&conns[i].conn);
}

START_TEST(one_that_was_closed_meanwhile_is_left_out)
{
	conns[0].in_bytes = close_others;
	for (unsigned i = 0; i < 20; i++)
		poke(i);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(seen_count, 7);
	for (unsigned i = 0; i < 7; i++)
		ck_assert_uint_eq(seen[i], i * 3);
}
END_TEST

static void reopen_next(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	unsigned next = number(r) + 1;

	note(r, chunk, data, n);
	/* the same struct is another connection now, for which nothing has happened */
	rig_fini(&conns[next]);
	close(peers[next]);
	add(next);
}

START_TEST(what_happened_to_its_predecessor_is_forgotten)
{
	conns[0].in_bytes = reopen_next;
	for (unsigned i = 0; i < 3; i++)
		poke(i);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(seen_count, 2);
	ck_assert_uint_eq(seen[0], 0);
	ck_assert_uint_eq(seen[1], 2);
	poke(1);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(seen_count, 3);
	ck_assert_uint_eq(seen[2], 1);
	ck_assert_uint_eq(conns[1].closed, 0);
}
END_TEST

static void move_others(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct loop *other = r->arg;

	note(r, chunk, data, n);
	conn_detach(&conns[1].conn);
	ck_assert_int_eq(conn_attach(&conns[1].conn, other), 0);
	conn_pause(&conns[2].conn, 0);
}

START_TEST(one_that_has_moved_or_paused_meanwhile_has_its_bytes_later)
{
	struct loop other;

	ck_assert_int_eq(loop_init(&other, rig_engine(), 1, NULL), 0);
	conns[0].in_bytes = move_others;
	conns[0].arg = &other;
	for (unsigned i = 0; i < 4; i++)
		poke(i);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(seen_count, 2);
	ck_assert_uint_eq(seen[0], 0);
	ck_assert_uint_eq(seen[1], 3);
	rig_turn(&other);
	ck_assert_uint_eq(seen_count, 3);
	ck_assert_uint_eq(seen[2], 1);
	conn_resume(&conns[2].conn);
	rig_turn(&loop);
	ck_assert_uint_eq(seen_count, 4);
	ck_assert_uint_eq(seen[3], 2);
	conn_close(&conns[1].conn);
	loop_fini(&other);
}
END_TEST

SUITE_MAIN_WITH("order", setup, teardown, first_come_first_served, all_of_a_crowd, dialled_before_accepted,
		one_that_was_closed_meanwhile_is_left_out, what_happened_to_its_predecessor_is_forgotten,
		one_that_has_moved_or_paused_meanwhile_has_its_bytes_later)
