/*
 * What conn.h promises, clause by clause, on the libev engine over socket pairs.
 */
#include "rig.h"

#include "base/mem.h"
#include "test/unit/base/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop loop;
static struct rig_conn a, b;
static int peer, peer2;

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	rig_init(&a);
	rig_init(&b);
	peer = rig_pair(&a, &loop);
	peer2 = rig_pair(&b, &loop);
}

static void teardown(void)
{
	rig_fini(&a);
	rig_fini(&b);
	if (peer >= 0)
		close(peer);
	close(peer2);
	loop_fini(&loop);
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)strlen(text));
}

static void got(struct rig_conn *r, const char *text)
{
	ck_assert_str_eq(buf_text(&r->got), text);
}

static void peer_got(int fd, const char *text)
{
	char room[256];
	ssize_t n = rig_read(fd, room, sizeof(room) - 1);

	ck_assert_int_ge(n, 0);
	room[n] = '\0';
	ck_assert_str_eq(room, text);
}

static void peer_is_at_end(int fd)
{
	char byte;

	ck_assert_int_eq(rig_read(fd, &byte, 1), 0);
}

static void peer_got_nothing(int fd)
{
	char byte;

	ck_assert_int_eq(rig_read(fd, &byte, 1), -1);
}

/* fills the way to the peer until conn is blocked; returns how many bytes were queued in all */
static uint64_t block(struct rig_conn *r)
{
	static uint8_t page[16384];
	uint64_t at = conn_queued(&r->conn);

	for (int i = 0; i < 1000 && !r->conn.is_blocked; i++) {
		rig_fill(page, sizeof(page), at);
		conn_send(&r->conn, page, sizeof(page), NULL);
		at += sizeof(page);
		conn_flush(&r->conn);
	}
	ck_assert(r->conn.is_blocked);
	ck_assert_uint_gt(conn_out_pending(&r->conn), 0);
	return at;
}

/* reads all that comes while the loop turns, checks that it is the stream from at on */
static uint64_t drain(int fd, struct rig_conn *r, uint64_t at)
{
	static uint8_t room[65536];
	unsigned quiet = 0;

	while (quiet < 3) {
		ssize_t n = rig_read(fd, room, sizeof(room));

		if (n > 0) {
			ck_assert(rig_is_stream(room, (size_t)n, at));
			at += (uint64_t)n;
			quiet = 0;
		} else {
			quiet++;
		}
		rig_turn(r->conn.loop != NULL ? r->conn.loop : &loop);
	}
	return at;
}

START_TEST(bytes_arrive_and_leave)
{
	say(peer, "hello");
	rig_turn(&loop);
	got(&a, "hello");
	conn_send(&a.conn, "wor", 3, NULL);
	conn_send(&a.conn, "ld", 2, NULL);
	ck_assert_uint_eq(conn_out_pending(&a.conn), 5);
	peer_got_nothing(peer);
	rig_turn(&loop);
	peer_got(peer, "world");
	ck_assert_uint_eq(conn_out_pending(&a.conn), 0);
	ck_assert_uint_eq(conn_written(&a.conn), 5);
	ck_assert_uint_eq(a.drained + a.closed, 0);
}
END_TEST

START_TEST(flush_writes_at_once)
{
	conn_send(&a.conn, "now", 3, NULL);
	conn_flush(&a.conn);
	peer_got(peer, "now");
	conn_flush(&a.conn);
	conn_send(&a.conn, "", 0, NULL);
	ck_assert_uint_eq(conn_out_pending(&a.conn), 0);
}
END_TEST

static void forward_to_b(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)r;
	conn_send(&b.conn, data, n, chunk);
}

START_TEST(lent_bytes_live_on_in_another_conn)
{
	a.in_bytes = forward_to_b;
	say(peer, "one");
	rig_turn(&loop);
	peer_got(peer2, "one");
	/* the chunk is read to again only when b has let go of it */
	block(&b);
	say(peer, "two");
	rig_turn(&loop);
	say(peer, "three");
	rig_turn(&loop);
	a.in_bytes = NULL;
	say(peer, "xxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	rig_turn(&loop);
	conn_close(&a.conn);
	while (conn_out_pending(&b.conn) > 8) {
		static uint8_t room[65536];

		(void)rig_read(peer2, room, sizeof(room) > conn_out_pending(&b.conn) ? 4096 : sizeof(room));
		rig_turn(&loop);
	}
	static char all[1 << 20];
	size_t len = 0;

	for (int i = 0; i < 100; i++) {
		ssize_t n = rig_read(peer2, all + len, sizeof(all) - len);

		if (n > 0)
			len += (size_t)n;
		rig_turn(&loop);
	}
	ck_assert_uint_ge(len, 8);
	ck_assert_mem_eq(all + len - 8, "twothree", 8);
}
END_TEST

START_TEST(pause_keeps_up_to_a_limit)
{
	conn_pause(&a.conn, 10);
	say(peer, "0123456");
	rig_turn(&loop);
	ck_assert(conn_has_kept(&a.conn));
	ck_assert_uint_eq(a.conn.kept.len, 7);
	say(peer, "789abc");
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.conn.kept.len, 10);
	ck_assert_uint_eq(a.bytes_calls, 0);
	conn_resume(&a.conn);
	ck_assert_uint_eq(a.bytes_calls, 0);
	rig_turn(&loop);
	got(&a, "0123456789abc");
	ck_assert(!conn_has_kept(&a.conn));
}
END_TEST

START_TEST(pause_with_nothing_kept_stops_reading)
{
	conn_pause(&a.conn, 0);
	say(peer, "abc");
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
	ck_assert(!conn_has_kept(&a.conn));
	/* the limit may be raised and lowered while paused */
	conn_pause(&a.conn, 2);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.conn.kept.len, 2);
	conn_pause(&a.conn, 0);
	conn_resume(&a.conn);
	rig_turns(&loop, 2);
	got(&a, "abc");
}
END_TEST

START_TEST(partial_use_is_delivered_again)
{
	a.pause_after = 3;
	a.keep = 100;
	say(peer, "abcdef");
	rig_turn(&loop);
	got(&a, "abc");
	ck_assert_uint_eq(a.conn.kept.len, 3);
	say(peer, "ghi");
	rig_turn(&loop);
	got(&a, "abc");
	a.pause_after = 5;
	conn_resume(&a.conn);
	rig_turn(&loop);
	got(&a, "abcde");
	ck_assert_uint_eq(a.conn.kept.len, 4);
	a.pause_after = SIZE_MAX;
	conn_resume(&a.conn);
	rig_turn(&loop);
	got(&a, "abcdefghi");
	ck_assert_uint_eq(a.conn.kept.len, 0);
}
END_TEST

START_TEST(big_kept_bytes_come_in_order)
{
	static uint8_t page[8192];
	uint64_t at = 0;

	conn_pause(&a.conn, 600000);
	for (int i = 0; i < 60; i++) {
		rig_fill(page, sizeof(page), at);
		ck_assert_int_eq(send(peer, page, sizeof(page), MSG_DONTWAIT), sizeof(page));
		at += sizeof(page);
		rig_turns(&loop, 2);
	}
	ck_assert_uint_eq(a.conn.kept.len, at);
	a.pause_after = 300001;
	a.keep = 0;
	conn_resume(&a.conn);
	rig_turn(&loop);
	ck_assert_uint_eq(a.got.len, 300001);
	ck_assert_uint_eq(a.conn.kept.len, at - 300001);
	a.pause_after = SIZE_MAX;
	conn_resume(&a.conn);
	rig_turn(&loop);
	ck_assert_uint_eq(a.got.len, at);
	ck_assert(rig_is_stream(a.got.data, a.got.len, 0));
}
END_TEST

static void pause_and_resume(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)chunk, (void)data, (void)n;
	r->pause_after += r->pause_after < 6 ? 3 : 100;
	conn_resume(&r->conn);
}

START_TEST(resume_inside_on_bytes_brings_the_rest)
{
	a.pause_after = 3;
	a.keep = 10;
	a.in_bytes = pause_and_resume;
	say(peer, "abcdefghi");
	rig_turn(&loop);
	got(&a, "abcdefghi");
	ck_assert_uint_ge(a.bytes_calls, 3);
}
END_TEST

START_TEST(unread_bytes_come_first)
{
	conn_pause(&a.conn, 100);
	say(peer, "world");
	rig_turn(&loop);
	ck_assert_int_eq(conn_unread(&a.conn, "lo ", 3), 0);
	ck_assert_int_eq(conn_unread(&a.conn, "hel", 3), 0);
	ck_assert_int_eq(conn_unread(&a.conn, "", 0), 0);
	conn_resume(&a.conn);
	rig_turn(&loop);
	got(&a, "hello world");
}
END_TEST

START_TEST(unread_counts_for_the_limit)
{
	uint8_t page[5000];

	rig_fill(page, sizeof(page), 0);
	conn_pause(&a.conn, 5000);
	ck_assert_int_eq(conn_unread(&a.conn, page, sizeof(page)), 0);
	say(peer, "later");
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.conn.kept.len, 5000);
	conn_resume(&a.conn);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.got.len, 5005);
	ck_assert(rig_is_stream(a.got.data, 5000, 0));
	ck_assert_mem_eq(a.got.data + 5000, "later", 5);
}
END_TEST

static void unread_inside(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)chunk, (void)data, (void)n;
	r->in_bytes = NULL;
	ck_assert(r->conn.is_paused);
	r->got.len -= 2;
	ck_assert_int_eq(conn_unread(&r->conn, r->got.data + r->got.len, 2), 0);
}

START_TEST(unread_inside_on_bytes_precedes_the_rest)
{
	static uint8_t big[200000];

	/* more than one chunk is kept, so there are three parts: unread, unused, not yet lent */
	conn_pause(&a.conn, sizeof(big));
	rig_fill(big, sizeof(big), 0);
	ck_assert_int_eq(conn_unread(&a.conn, big, sizeof(big)), 0);
	a.pause_after = 1000;
	a.keep = sizeof(big);
	a.in_bytes = unread_inside;
	conn_resume(&a.conn);
	rig_turn(&loop);
	ck_assert_uint_eq(a.got.len, 998);
	ck_assert_uint_eq(a.conn.kept.len, sizeof(big) - 998);
	a.pause_after = SIZE_MAX;
	conn_resume(&a.conn);
	rig_turn(&loop);
	ck_assert_uint_eq(a.got.len, sizeof(big));
	ck_assert(rig_is_stream(a.got.data, a.got.len, 0));
}
END_TEST

START_TEST(marks_tell_of_back_pressure)
{
	uint64_t at = block(&a);
	static uint8_t page[4096];

	while (conn_out_pending(&a.conn) < CONN_HIGH) {
		rig_fill(page, sizeof(page), at);
		conn_send(&a.conn, page, sizeof(page), NULL);
		at += sizeof(page);
	}
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.drained, 0);
	uint64_t seen = 0;

	while (conn_out_pending(&a.conn) > CONN_LOW) {
		ssize_t n = rig_read(peer, page, sizeof(page));

		ck_assert_uint_eq(a.drained, 0);
		ck_assert(n < 0 || rig_is_stream(page, (size_t)n, seen));
		seen += n > 0 ? (uint64_t)n : 0;
		rig_turn(&loop);
	}
	rig_turn(&loop);
	ck_assert_uint_eq(a.drained, 1);
	ck_assert_uint_eq(drain(peer, &a, seen), at);
	ck_assert_uint_eq(a.drained, 1);
	/* nobody waits for room any more */
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
	ck_assert_uint_eq(conn_written(&a.conn), at);
}
END_TEST

START_TEST(below_the_high_mark_nobody_is_told)
{
	uint64_t at = block(&a);

	ck_assert_uint_lt(conn_out_pending(&a.conn), CONN_HIGH);
	a.conn.is_above_high = false; /* block may have passed it on the way */
	ck_assert_uint_eq(drain(peer, &a, 0), at);
	ck_assert_uint_eq(a.drained, 0);
}
END_TEST

START_TEST(notify_empty_tells_once)
{
	conn_notify_empty(&a.conn);
	ck_assert_uint_eq(a.drained, 0);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.drained, 1);
	uint64_t at = block(&a);

	a.conn.is_above_high = false;
	conn_notify_empty(&a.conn);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.drained, 1);
	ck_assert_uint_eq(drain(peer, &a, 0), at);
	ck_assert_uint_eq(a.drained, 2);
}
END_TEST

static void send_more(struct rig_conn *r)
{
	if (r->drained < 3) {
		conn_send(&r->conn, "x", 1, NULL);
		conn_notify_empty(&r->conn);
	}
}

START_TEST(drained_may_send_and_ask_again)
{
	a.in_drained = send_more;
	conn_notify_empty(&a.conn);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.drained, 3);
	peer_got(peer, "xx");
}
END_TEST

START_TEST(small_pieces_let_go_of_their_chunks)
{
	static uint8_t junk[4096];
	struct mem_usage before, after;
	uint64_t at = block(&a);

	a.conn.is_above_high = false;
	mem_usage_get(MEM_IOBUF, &before);
	/* each piece lies in a chunk that much else passes through, as with a slow reader beside busy ones */
	for (int i = 0; i < 1000; i++) {
		struct chunk *chunk = chunk_new(&loop.chunks);

		rig_fill(chunk->data, 60, at);
		conn_send(&a.conn, chunk->data, 60, chunk);
		at += 60;
		conn_send(&b.conn, junk, sizeof(junk), NULL);
		chunk_unref(chunk);
		if (i % 16 == 0) {
			rig_turn(&loop);
			while (rig_read(peer2, junk, sizeof(junk)) > 0)
				;
		}
	}
	mem_usage_get(MEM_IOBUF, &after);
	ck_assert_uint_le(after.used, before.used + 20);
	ck_assert_uint_eq(drain(peer, &a, 0), at);
}
END_TEST

START_TEST(end_comes_after_the_bytes)
{
	say(peer, "last");
	close(peer);
	peer = -1;
	rig_until(&loop, rig_is_closed, &a);
	got(&a, "last");
	ck_assert_int_eq(a.end, CONN_END_EOF);
	/* it is told once, and an owner that does not close costs nothing */
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
	ck_assert(!conn_wants_read(&a.conn));
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(half_closed_peer_still_reads)
{
	shutdown(peer, SHUT_WR);
	rig_until(&loop, rig_is_closed, &a);
	conn_send(&a.conn, "bye", 3, NULL);
	conn_notify_empty(&a.conn);
	rig_turns(&loop, 2);
	peer_got(peer, "bye");
	ck_assert_uint_eq(a.drained, 1);
	close(peer);
	peer = -1;
	conn_send(&a.conn, "into the void", 13, NULL);
	conn_notify_empty(&a.conn);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.drained, 2);
	ck_assert_uint_eq(conn_out_pending(&a.conn), 0);
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(half_closed_peer_dies_while_we_are_blocked)
{
	shutdown(peer, SHUT_WR);
	rig_until(&loop, rig_is_closed, &a);
	block(&a);
	a.conn.is_above_high = false;
	conn_notify_empty(&a.conn);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.drained, 0);
	close(peer);
	peer = -1;
	rig_turns(&loop, 2);
	/* the queue is thrown away, and who waited for that is told; the end was told before */
	ck_assert_uint_eq(a.drained, 1);
	ck_assert_uint_eq(conn_out_pending(&a.conn), 0);
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
}
END_TEST

START_TEST(end_overtakes_what_is_kept)
{
	conn_pause(&a.conn, 100);
	say(peer, "unheard");
	close(peer);
	peer = -1;
	rig_until(&loop, rig_is_closed, &a);
	ck_assert_uint_eq(a.got.len, 0);
	ck_assert(conn_has_kept(&a.conn));
	/* it may still be read */
	conn_resume(&a.conn);
	rig_turn(&loop);
	got(&a, "unheard");
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(end_waits_when_nothing_is_read)
{
	conn_pause(&a.conn, 0);
	say(peer, "heard later");
	close(peer);
	peer = -1;
	rig_turns(&loop, 5);
	ck_assert_uint_eq(a.closed, 0);
	conn_resume(&a.conn);
	rig_until(&loop, rig_is_closed, &a);
	got(&a, "heard later");
	ck_assert_int_eq(a.end, CONN_END_EOF);
}
END_TEST

START_TEST(end_waits_for_kept_bytes_after_resume)
{
	conn_pause(&a.conn, 100);
	say(peer, "abcdef");
	rig_turn(&loop);
	close(peer);
	peer = -1;
	/* resumed and ended in the same turn: the bytes come first */
	conn_resume(&a.conn);
	conn_input_end(&a.conn, CONN_END_EOF, 0);
	ck_assert_uint_eq(a.closed, 0);
	a.pause_after = 3;
	a.keep = 0;
	rig_turns(&loop, 2);
	got(&a, "abc");
	ck_assert_uint_eq(a.closed, 0);
	if (_i == 0) {
		a.pause_after = SIZE_MAX;
		conn_resume(&a.conn);
	} else {
		/* now the owner wants to know */
		conn_pause(&a.conn, 100);
	}
	rig_turn(&loop);
	got(&a, _i == 0 ? "abcdef" : "abc");
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(writing_to_the_dead)
{
	struct buf back;
	uint64_t mark;

	signal(SIGPIPE, SIG_DFL);
	say(peer, "last words");
	close(peer);
	peer = -1;
	mark = conn_queued(&a.conn);
	conn_send(&a.conn, "a request", 9, NULL);
	conn_flush(&a.conn);
	conn_send(&a.conn, " of two parts", 13, NULL);
	ck_assert_uint_eq(a.closed, 0);
	rig_until(&loop, rig_is_closed, &a);
	got(&a, "last words");
	/* not a byte was written: all of it can be taken back */
	ck_assert_uint_le(conn_written(&a.conn), mark);
	buf_init(&back, 21);
	ck_assert_int_eq(conn_copy_out(&a.conn, &back), -1);
	ck_assert(back.bad && back.len == 0);
	buf_fini(&back);
	buf_init(&back, 0);
	ck_assert_int_eq(conn_copy_out(&a.conn, &back), 0);
	ck_assert_str_eq(buf_text(&back), "a request of two parts");
	ck_assert_uint_eq(conn_out_pending(&a.conn), 22);
	buf_reset(&back);
	ck_assert_uint_eq(conn_take_out(&a.conn, &back), 22);
	ck_assert_str_eq(buf_text(&back), "a request of two parts");
	ck_assert_uint_eq(conn_out_pending(&a.conn), 0);
	ck_assert_uint_eq(conn_take_out(&a.conn, &back), 0);
	buf_fini(&back);
}
END_TEST

START_TEST(writing_to_the_dead_while_not_reading)
{
	conn_pause(&a.conn, 0);
	close(peer);
	peer = -1;
	conn_send(&a.conn, "x", 1, NULL);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_int_eq(a.end, CONN_END_RESET);
	ck_assert_int_eq(a.err, EPIPE);
}
END_TEST

START_TEST(writing_to_the_dead_and_then_not_reading)
{
	/* when writing fails reading is to tell the end, but then nobody reads: stopped, or the limit is reached */
	say(peer, "0123456789");
	close(peer);
	peer = -1;
	if (_i == 1)
		conn_pause(&a.conn, 4);
	conn_send(&a.conn, "x", 1, NULL);
	conn_flush(&a.conn);
	ck_assert(a.conn.is_write_dead);
	if (_i == 0)
		conn_pause(&a.conn, 0);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_int_eq(a.end, CONN_END_RESET);
	ck_assert_int_eq(a.err, EPIPE);
	ck_assert_uint_eq(conn_kept_bytes(&a.conn), _i == 0 ? 0 : 4);
}
END_TEST

START_TEST(peer_dies_while_we_are_blocked)
{
	block(&a);
	close(peer);
	peer = -1;
	rig_until(&loop, rig_is_closed, &a);
	/* no busy watcher is left behind */
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(take_out_of_a_blocked_one)
{
	struct buf small, back;
	uint64_t at = block(&a), written = conn_written(&a.conn);

	buf_init(&small, 16);
	ck_assert_uint_eq(conn_take_out(&a.conn, &small), 0);
	ck_assert(small.bad);
	ck_assert_uint_eq(small.len, 0);
	ck_assert_uint_eq(conn_queued(&a.conn), at);
	buf_init(&back, 0);
	ck_assert_int_eq(buf_append(&back, "prefix", 6), 0);
	ck_assert_uint_eq(conn_take_out(&a.conn, &back), at - written);
	ck_assert_uint_eq(back.len, 6 + at - written);
	ck_assert(rig_is_stream(back.data + 6, back.len - 6, written));
	ck_assert(!a.conn.is_blocked);
	ck_assert_uint_eq(drain(peer, &a, 0), written);
	conn_send(&a.conn, "on", 2, NULL);
	rig_turn(&loop);
	peer_got(peer, "on");
	buf_fini(&small);
	buf_fini(&back);
}
END_TEST

START_TEST(take_out_empties_the_queue)
{
	struct buf back;
	char byte;

	block(&a);
	block(&b);
	a.conn.is_above_high = false;
	conn_notify_empty(&a.conn);
	conn_shutdown(&b.conn);
	rig_turn(&loop);
	buf_init(&back, 0);
	ck_assert_uint_gt(conn_take_out(&a.conn, &back), 0);
	ck_assert_uint_gt(conn_take_out(&b.conn, &back), 0);
	buf_fini(&back);
	/* whoever waited for an empty queue hears of it; a shutdown that waited is done */
	ck_assert_uint_eq(a.drained, 0);
	rig_turn(&loop);
	ck_assert_uint_eq(a.drained, 1);
	(void)drain(peer2, &b, 0);
	ck_assert_int_eq(rig_read(peer2, &byte, 1), 0);
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
}
END_TEST

START_TEST(pieces_of_one_chunk_with_gaps)
{
	struct chunk *chunk = chunk_new(&loop.chunks);

	memcpy(chunk->data, "one-two-three", 13);
	conn_send(&a.conn, chunk->data, 3, chunk);
	conn_send(&a.conn, chunk->data + 4, 3, chunk);
	conn_send(&a.conn, chunk->data + 7, 6, chunk);
	conn_send(&a.conn, chunk->data, 3, chunk);
	/* one reference for each run of adjacent pieces */
	ck_assert_uint_eq(chunk->refs, 4);
	chunk_unref(chunk);
	/* our own words for two conns lie in turn in one chunk */
	conn_send(&b.conn, "x", 1, NULL);
	conn_send(&a.conn, "y", 1, NULL);
	conn_send(&b.conn, "z", 1, NULL);
	rig_turn(&loop);
	peer_got(peer, "onetwo-threeoney");
	peer_got(peer2, "xz");
}
END_TEST

START_TEST(shutdown_after_the_queue)
{
	uint64_t at = block(&a);
	char room[8];

	conn_shutdown(&a.conn);
	conn_send(&a.conn, "ignored", 7, NULL);
	ck_assert_uint_eq(conn_queued(&a.conn), at);
	ck_assert_uint_eq(drain(peer, &a, 0), at);
	ck_assert_int_eq(rig_read(peer, room, sizeof(room)), 0);
	/* our direction has ended, theirs has not */
	say(peer, "and so on");
	rig_turn(&loop);
	got(&a, "and so on");
	ck_assert_uint_eq(a.closed, 0);
	close(peer);
	peer = -1;
	rig_until(&loop, rig_is_closed, &a);
	ck_assert_int_eq(a.end, CONN_END_EOF);
}
END_TEST

START_TEST(shutdown_of_an_empty_one)
{
	conn_shutdown(&a.conn);
	peer_got_nothing(peer);
	rig_turn(&loop);
	peer_is_at_end(peer);
	conn_shutdown(&a.conn);
	rig_turn(&loop);
}
END_TEST

static void close_inside(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)chunk, (void)data, (void)n;
	conn_close(&r->conn);
}

START_TEST(close_inside_on_bytes)
{
	a.in_bytes = close_inside;
	a.pause_after = 2; /* leaves a rest that must not be kept */
	a.keep = 10;
	say(peer, "abc");
	say(peer2, "abc");
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.bytes_calls, 1);
	ck_assert_uint_eq(a.closed, 0);
	ck_assert_int_eq(a.conn.fd, -1);
	ck_assert_ptr_null(a.conn.kept.data);
	got(&b, "abc");
	peer_is_at_end(peer);
}
END_TEST

START_TEST(close_inside_the_delivery_of_kept_bytes)
{
	conn_pause(&a.conn, 100);
	say(peer, "abc");
	rig_turn(&loop);
	a.in_bytes = close_inside;
	conn_notify_empty(&a.conn);
	conn_resume(&a.conn);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.bytes_calls, 1);
	ck_assert_uint_eq(a.drained, 0);
}
END_TEST

static void close_both(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)r, (void)chunk, (void)data, (void)n;
	conn_close(&a.conn);
	conn_close(&b.conn);
}

START_TEST(close_of_another_with_events_pending)
{
	a.in_bytes = b.in_bytes = close_both;
	say(peer, "x");
	say(peer2, "x");
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.bytes_calls + b.bytes_calls, 1);
}
END_TEST

static void close_in_drained(struct rig_conn *r)
{
	conn_close(&r->conn);
}

START_TEST(close_inside_on_drained_and_on_closed)
{
	a.in_drained = close_in_drained;
	conn_notify_empty(&a.conn);
	b.in_closed = close_in_drained;
	shutdown(peer2, SHUT_WR);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.drained, 1);
	peer_is_at_end(peer);
	ck_assert_uint_eq(b.closed, 1);
	peer_is_at_end(peer2);
}
END_TEST

static int fresh_peer = -1;

static void reopen_inside(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)chunk, (void)data, (void)n;
	r->in_bytes = NULL;
	conn_close(&r->conn);
	fresh_peer = rig_pair(r, &loop);
}

START_TEST(another_connection_inside_on_bytes)
{
	a.in_bytes = reopen_inside;
	a.pause_after = 2;
	a.keep = 10;
	say(peer, "abcdef");
	rig_turn(&loop);
	/* the rest of the old one is not the new one's */
	ck_assert(!conn_has_kept(&a.conn));
	a.pause_after = SIZE_MAX;
	say(fresh_peer, "new");
	rig_turn(&loop);
	got(&a, "abnew");
	close(fresh_peer);
}
END_TEST

START_TEST(calls_on_a_closed_one_do_nothing)
{
	struct buf none;

	buf_init(&none, 0);
	conn_close(&a.conn);
	conn_close(&a.conn);
	conn_send(&a.conn, "x", 1, NULL);
	conn_flush(&a.conn);
	conn_pause(&a.conn, 1);
	conn_resume(&a.conn);
	conn_notify_empty(&a.conn);
	conn_shutdown(&a.conn);
	ck_assert_uint_eq(conn_take_out(&a.conn, &none), 0);
	rig_turns(&loop, 2);
	ck_assert_uint_eq(a.bytes_calls + a.drained + a.closed, 0);
}
END_TEST

static void grave_destroy(struct loop_grave *grave)
{
	mem_free(grave);
}

struct mortal {
	struct loop_grave grave;
	struct conn conn;
};

static size_t mortal_on_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct mortal *m = container_of(c, struct mortal, conn);
	struct loop *where = c->loop;

	(void)chunk, (void)data;
	conn_close(c);
	loop_defer_free(where, &m->grave, grave_destroy);
	return n;
}

static void mortal_on_closed(struct conn *c, enum conn_end end, int err)
{
	(void)end, (void)err;
	(void)mortal_on_bytes(c, NULL, NULL, 0);
}

START_TEST(owner_dies_in_its_callback)
{
	static const struct conn_ops ops = {.on_bytes = mortal_on_bytes, .on_closed = mortal_on_closed};

	for (int i = 0; i < 4; i++) {
		struct mortal *m = mem_zalloc(sizeof(*m));
		int sv[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
		ck_assert_int_eq(conn_open(&m->conn, &loop, sv[0], &ops), 0);
		if (i & 1)
			conn_pause(&m->conn, 10);
		if (i & 2)
			say(sv[1], "x");
		rig_turn(&loop);
		if (i == 3)
			conn_resume(&m->conn);
		close(sv[1]);
		rig_turns(&loop, 2);
	}
}
END_TEST

static unsigned *move_to_calls;

static void detach_inside(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)chunk, (void)data, (void)n;
	conn_detach(&r->conn);
	++*move_to_calls;
}

START_TEST(detach_inside_on_bytes)
{
	struct loop other;
	unsigned calls = 0;

	move_to_calls = &calls;
	ck_assert_int_eq(loop_init(&other, rig_engine(), 1, NULL), 0);
	a.in_bytes = detach_inside;
	for (int from_kept = 0; from_kept < 2; from_kept++) {
		if (from_kept) {
			conn_pause(&a.conn, 10);
			say(peer, "kept");
			rig_turn(&loop);
			conn_resume(&a.conn);
		} else {
			say(peer, "read");
		}
		rig_turns(&loop, 2);
		ck_assert_ptr_null(a.conn.loop);
		say(peer, "!");
		rig_turns(&loop, 2);
		a.in_bytes = NULL;
		ck_assert_int_eq(conn_attach(&a.conn, &other), 0);
		conn_send(&a.conn, "answer", 6, NULL);
		rig_turn(&other);
		peer_got(peer, "answer");
		conn_detach(&a.conn);
		ck_assert_int_eq(conn_attach(&a.conn, &loop), 0);
		a.in_bytes = detach_inside;
	}
	got(&a, "read!kept!");
	ck_assert_uint_eq(calls, 2);
	conn_close(&a.conn);
	loop_fini(&other);
}
END_TEST

static void close_forwarder(struct rig_conn *r)
{
	conn_close(&r->conn);
	conn_close(&b.conn);
}

START_TEST(random_order_of_ends)
{
	/* a tells b, b's end tells a: whoever goes first takes the other along */
	a.in_closed = b.in_closed = close_forwarder;
	a.in_bytes = forward_to_b;
	say(peer, "x");
	shutdown(peer, SHUT_WR);
	shutdown(peer2, SHUT_WR);
	rig_turns(&loop, 4);
	ck_assert_uint_ge(a.closed + b.closed, 1);
	ck_assert(!b.conn.is_open);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn");
	TCase *t = tcase_create("contract");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, bytes_arrive_and_leave);
	tcase_add_test(t, flush_writes_at_once);
	tcase_add_test(t, lent_bytes_live_on_in_another_conn);
	tcase_add_test(t, pause_keeps_up_to_a_limit);
	tcase_add_test(t, pause_with_nothing_kept_stops_reading);
	tcase_add_test(t, partial_use_is_delivered_again);
	tcase_add_test(t, big_kept_bytes_come_in_order);
	tcase_add_test(t, resume_inside_on_bytes_brings_the_rest);
	tcase_add_test(t, unread_bytes_come_first);
	tcase_add_test(t, unread_counts_for_the_limit);
	tcase_add_test(t, unread_inside_on_bytes_precedes_the_rest);
	tcase_add_test(t, marks_tell_of_back_pressure);
	tcase_add_test(t, below_the_high_mark_nobody_is_told);
	tcase_add_test(t, notify_empty_tells_once);
	tcase_add_test(t, drained_may_send_and_ask_again);
	tcase_add_test(t, small_pieces_let_go_of_their_chunks);
	tcase_add_test(t, end_comes_after_the_bytes);
	tcase_add_test(t, half_closed_peer_still_reads);
	tcase_add_test(t, half_closed_peer_dies_while_we_are_blocked);
	tcase_add_test(t, end_overtakes_what_is_kept);
	tcase_add_test(t, end_waits_when_nothing_is_read);
	tcase_add_loop_test(t, end_waits_for_kept_bytes_after_resume, 0, 2);
	tcase_add_test(t, writing_to_the_dead);
	tcase_add_test(t, writing_to_the_dead_while_not_reading);
	tcase_add_loop_test(t, writing_to_the_dead_and_then_not_reading, 0, 2);
	tcase_add_test(t, peer_dies_while_we_are_blocked);
	tcase_add_test(t, take_out_of_a_blocked_one);
	tcase_add_test(t, take_out_empties_the_queue);
	tcase_add_test(t, pieces_of_one_chunk_with_gaps);
	tcase_add_test(t, shutdown_after_the_queue);
	tcase_add_test(t, shutdown_of_an_empty_one);
	tcase_add_test(t, close_inside_on_bytes);
	tcase_add_test(t, close_inside_the_delivery_of_kept_bytes);
	tcase_add_test(t, close_of_another_with_events_pending);
	tcase_add_test(t, close_inside_on_drained_and_on_closed);
	tcase_add_test(t, another_connection_inside_on_bytes);
	tcase_add_test(t, calls_on_a_closed_one_do_nothing);
	tcase_add_test(t, owner_dies_in_its_callback);
	tcase_add_test(t, detach_inside_on_bytes);
	tcase_add_test(t, random_order_of_ends);
	suite_add_tcase(s, t);
	return suite_run(s);
}
