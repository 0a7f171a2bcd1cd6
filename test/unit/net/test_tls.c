/*
 * TLS as a stream: cut at every byte, taken back, paused and closed in the middle, ended well and badly.
 */
#include "tlsrig.h"

#include "base/mem.h"
#include "net/outgo.h"
#include "net/tls_impl.h"
#include "net/tlslate.h"
#include "test/unit/base/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static struct loop loop;
static struct tlsrig_cert cert;
static struct tlsctx *server, *client, *server12, *client12;
static struct tlsrig_pipe p;

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	tlsrig_make(&cert, "localhost", 9, "DNS:localhost");
	server = tlsrig_server(&cert, "secure");
	client = tlsrig_client(&cert, "secure");
	server12 = tlsrig_server(&cert, "tlsv1.2");
	client12 = tlsrig_client(&cert, "tlsv1.2");
}

static void teardown(void)
{
	tlsrig_end(&p);
	loop_fini(&loop);
	tlsctx_unref(server);
	tlsctx_unref(client);
	tlsctx_unref(server12);
	tlsctx_unref(client12);
}

static void begin(bool old)
{
	tlsrig_begin(&p, &loop, old ? server12 : server, old ? client12 : client, "localhost");
	tlsrig_carry(&p, &loop);
	ck_assert(tlsrig_is_secured(&p.server) && tlsrig_is_secured(&p.client));
}

static void say(struct rig_conn *r, size_t n, uint64_t at)
{
	uint8_t *text = mem_alloc(n);

	rig_fill(text, n, at);
	conn_send(&r->conn, text, n, NULL);
	mem_free(text);
}

static const size_t steps[] = {1, 2, 3, 5, 7, 64, 1000, 16384, 65536};

/* loop index: 2 * step + version */
START_TEST(cut_anywhere)
{
	size_t step = steps[_i / 2];
	size_t sizes[] = {1, 5, 5000, step < 64 ? 9000 : 300000, 2};
	size_t up = 0, down = 0;
	bool old = _i % 2;

	tlsrig_begin(&p, &loop, old ? server12 : server, old ? client12 : client, "localhost");
	p.step = step;
	tlsrig_carry(&p, &loop);
	ck_assert(tlsrig_is_secured(&p.server) && tlsrig_is_secured(&p.client));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		say(&p.client, sizes[i], up);
		say(&p.server, sizes[i], down);
		up += sizes[i];
		down += sizes[i];
		tlsrig_carry(&p, &loop);
		ck_assert_uint_eq(p.server.got.len, up);
		ck_assert_uint_eq(p.client.got.len, down);
		ck_assert_uint_eq(conn_out_pending(&p.server.conn), 0);
	}
	ck_assert(rig_is_stream(p.server.got.data, up, 0) && rig_is_stream(p.client.got.data, down, 0));
}
END_TEST

START_TEST(nothing_is_sent_before_it_is_secured)
{
	tlsrig_begin(&p, &loop, server, client, "localhost");
	conn_send(&p.client.conn, "early", 5, NULL);
	conn_send(&p.server.conn, "early", 5, NULL);
	tlsrig_carry(&p, &loop);
	ck_assert(tlsrig_is_secured(&p.server) && tlsrig_is_secured(&p.client));
	ck_assert_uint_eq(p.server.got.len, 0);
	ck_assert_uint_eq(p.client.got.len, 0);
}
END_TEST

START_TEST(what_was_sealed_and_not_written_is_taken_back)
{
	struct iovec vec[16];
	struct buf back;

	begin(_i);
	buf_init(&back, 1 << 20);
	say(&p.client, 100000, 0);
	/* the engine asks, and then cannot write */
	ck_assert_int_gt(outgo_vectors(&p.client.conn, vec, 16), 0);
	ck_assert_int_eq(conn_copy_out(&p.client.conn, &back), 0);
	ck_assert_uint_eq(back.len, 100000);
	buf_reset(&back);
	ck_assert_uint_eq(conn_take_out(&p.client.conn, &back), 100000);
	ck_assert(rig_is_stream(back.data, back.len, 0));
	ck_assert_uint_eq(conn_out_pending(&p.client.conn), 0);
	/* a gap nobody could read across: nothing more goes out */
	say(&p.client, 100, 0);
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.got.len, 0);
	buf_fini(&back);
}
END_TEST

START_TEST(what_was_not_sealed_is_taken_back_and_the_stream_goes_on)
{
	struct buf back;

	begin(_i);
	buf_init(&back, 1 << 20);
	say(&p.client, 1000, 0);
	ck_assert_uint_eq(conn_take_out(&p.client.conn, &back), 1000);
	ck_assert(rig_is_stream(back.data, back.len, 0));
	say(&p.client, 500, 7);
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.got.len, 500);
	ck_assert(rig_is_stream(p.server.got.data, 500, 7));
	buf_fini(&back);
}
END_TEST

START_TEST(after_the_first_byte_only_the_rest_is_taken_back)
{
	struct buf back;
	size_t n = 4000000, got;

	begin(_i);
	buf_init(&back, 8 << 20);
	say(&p.client, n, 0);
	rig_turns(&loop, 5); /* nobody reads: it is blocked in the middle */
	ck_assert(p.client.conn.is_blocked);
	got = conn_take_out(&p.client.conn, &back);
	ck_assert_uint_gt(got, 0);
	ck_assert_uint_lt(got, n);
	ck_assert(rig_is_stream(back.data, back.len, n - got));
	tlsrig_carry(&p, &loop);
	/* what arrives is the beginning, in whole records, and never what was taken back */
	ck_assert_uint_le(p.server.got.len + got, n);
	ck_assert(rig_is_stream(p.server.got.data, p.server.got.len, 0));
	buf_fini(&back);
}
END_TEST

static void close_it(struct rig_conn *r, struct chunk *chunk FX_UNUSED, const uint8_t *data FX_UNUSED, size_t n FX_UNUSED)
{
	ck_assert(r->conn.is_open);
	conn_close(&r->conn);
}

START_TEST(closed_inside_on_bytes)
{
	begin(_i);
	p.server.in_bytes = close_it;
	say(&p.client, 200000, 0);
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.bytes_calls, 1);
	ck_assert_uint_eq(p.server.closed, 0);
}
END_TEST

START_TEST(paused_inside_on_bytes)
{
	static const size_t keeps[] = {0, 1, 5000, 1 << 20};
	size_t at[] = {1, 100, 16384, 20000, 99999};

	begin(false);
	p.server.keep = keeps[_i];
	say(&p.client, 120000, 0);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		p.server.pause_after = at[i];
		conn_resume(&p.server.conn);
		tlsrig_carry(&p, &loop);
		ck_assert_uint_eq(p.server.got.len, at[i]);
		ck_assert(p.server.conn.is_paused);
	}
	p.server.pause_after = SIZE_MAX;
	conn_resume(&p.server.conn);
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.got.len, 120000);
	ck_assert(rig_is_stream(p.server.got.data, 120000, 0));
}
END_TEST

START_TEST(ends_with_and_without_farewell)
{
	begin(_i);
	say(&p.client, 10, 0);
	tlsrig_carry(&p, &loop);
	conn_close(&p.client.conn); /* says close_notify */
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.closed, 1);
	ck_assert_int_eq(p.server.end, CONN_END_EOF);
	tlsrig_end(&p);

	begin(_i);
	ck_assert_int_eq(shutdown(p.server_fd, SHUT_WR), 0);
	rig_until(&loop, rig_is_closed, &p.server);
	ck_assert_int_eq(p.server.end, CONN_END_EOF);
}
END_TEST

START_TEST(shutdown_says_farewell_after_the_queue)
{
	begin(_i);
	say(&p.client, 100000, 0);
	conn_shutdown(&p.client.conn);
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.got.len, 100000);
	ck_assert_uint_eq(p.server.closed, 1);
	ck_assert_int_eq(p.server.end, CONN_END_EOF);
}
END_TEST

/* bytes that are none of TLS: during the handshake, and after it */
START_TEST(garbage_ends_it)
{
	uint8_t junk[300];

	tlsrig_begin(&p, &loop, server, client, "localhost");
	if (_i)
		tlsrig_carry(&p, &loop);
	memset(junk, 'x', sizeof(junk));
	ck_assert_int_eq(send(p.server_fd, junk, sizeof(junk), 0), (int)sizeof(junk));
	rig_until(&loop, rig_is_closed, &p.server);
	ck_assert_int_eq(p.server.end, CONN_END_TLS);
	ck_assert(strlen(tls_error(&p.server.conn)) > 3);
	ck_assert_uint_eq(p.server.got.len, 0);
	/* and that of one is not that of another: a new pair on the same thread */
	tlsrig_end(&p);
	begin(false);
	say(&p.client, 10, 0);
	tlsrig_carry(&p, &loop);
	ck_assert_uint_eq(p.server.got.len, 10);
}
END_TEST

START_TEST(described)
{
	char text[TLS_TEXT_MAX];

	begin(_i);
	tls_describe(&p.server.conn, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, _i ? "TLSv1.2/" : "TLSv1.3/"));
	ck_assert_ptr_nonnull(strstr(text, "/ECDH="));
	ck_assert(!tls_has_alpn(&p.server.conn));
}
END_TEST

/* Every turn lasts too long: steps of handshakes are put off, one for each turn. */
static uint64_t slow_clock(struct loop *l FX_UNUSED)
{
	static uint64_t now = 1000000;

	return now += TLSLATE_TURN_US;
}

static void setup_late(void)
{
	static struct engine_ops ops;

	setup();
	loop_fini(&loop);
	ops = *rig_engine();
	ops.now = slow_clock;
	ck_assert_int_eq(loop_init(&loop, &ops, 0, NULL), 0);
}

#define CROWD 4

static struct tlsrig_pipe crowd[CROWD];

static bool has_answered(const struct tlsrig_pipe *one)
{
	uint8_t byte;

	return recv(one->server_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static unsigned answers(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CROWD; i++)
		n += has_answered(&crowd[i]);
	return n;
}

/* All first flights are there at the same moment. */
static void crowd_begins(void)
{
	tlsrig_begin(&p, &loop, server, client, "localhost");
	for (unsigned i = 0; i < CROWD; i++)
		tlsrig_begin(&crowd[i], &loop, server, client, "localhost");
	rig_turn(&loop);
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert(tlsrig_move(&crowd[i], true));
}

static void crowd_ends(void)
{
	for (unsigned i = 0; i < CROWD; i++)
		tlsrig_end(&crowd[i]);
}

START_TEST(one_after_the_other)
{
	unsigned before = 0;

	crowd_begins();
	for (unsigned turn = 0; turn < 100 && before < CROWD; turn++) {
		unsigned now;

		rig_turn(&loop);
		now = answers();
		/* one posted mail may make a turn of its own */
		ck_assert_uint_le(now, before + 2);
		for (unsigned i = 0; i < now; i++)
			ck_assert(has_answered(&crowd[i]));
		before = now;
	}
	ck_assert_uint_eq(before, CROWD);
	for (unsigned i = 0; i < CROWD; i++) {
		tlsrig_carry(&crowd[i], &loop);
		ck_assert(tlsrig_is_secured(&crowd[i].server) && tlsrig_is_secured(&crowd[i].client));
	}
	ck_assert(dlist_is_empty(&loop.late));
	crowd_ends();
}
END_TEST

START_TEST(who_leaves_makes_room)
{
	crowd_begins();
	rig_turn(&loop);
	/* one by the owner, one by the peer, before their turn has come */
	conn_close(&crowd[2].server.conn);
	close(crowd[3].server_fd);
	crowd[3].server_fd = -1;
	for (unsigned i = 0; i < 2; i++) {
		tlsrig_carry(&crowd[i], &loop);
		ck_assert(tlsrig_is_secured(&crowd[i].server) && tlsrig_is_secured(&crowd[i].client));
	}
	ck_assert_uint_eq(crowd[2].server.closed, 0);
	ck_assert_uint_eq(crowd[3].server.closed, 1);
	ck_assert(dlist_is_empty(&loop.late));
	crowd_ends();
}
END_TEST

/* What waits costs little, whatever is sent behind it. */
START_TEST(who_waits_is_not_read)
{
	static const uint8_t junk[100000];
	const struct rig_conn *last = &crowd[CROWD - 1].server;
	unsigned waits = 0;

	crowd_begins();
	ck_assert_int_gt(send(crowd[CROWD - 1].server_fd, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL), 50000);
	while (last->closed == 0 && waits < 100) {
		rig_turn(&loop);
		if (last->closed == 0 && last->conn.tls != NULL)
			ck_assert_uint_le(last->conn.tls->late.len, 16384 + 4096);
		waits += last->conn.is_open && last->conn.is_late;
	}
	ck_assert_uint_gt(waits, 0);
	ck_assert_uint_eq(last->closed, 1);
	ck_assert_int_eq(last->end, CONN_END_TLS);
	crowd_ends();
}
END_TEST

/* A client may say all it has to say with the last word of its handshake, and go. */
START_TEST(nothing_in_front_of_an_end_is_lost)
{
	tlsrig_begin(&p, &loop, server, client, "localhost");
	rig_turn(&loop);
	ck_assert(tlsrig_move(&p, true));
	for (unsigned i = 0; i < 100 && !has_answered(&p); i++)
		rig_turn(&loop);
	ck_assert(tlsrig_move(&p, false));
	rig_turns(&loop, 3);
	ck_assert(tlsrig_is_secured(&p.client) && !tlsrig_is_secured(&p.server));
	say(&p.client, 1000, 0);
	rig_turns(&loop, 3);
	ck_assert(tlsrig_move(&p, true));
	ck_assert_int_eq(shutdown(p.server_fd, SHUT_WR), 0);
	rig_until(&loop, rig_is_closed, &p.server);
	ck_assert_uint_eq(p.server.got.len, 1000);
	ck_assert(rig_is_stream(p.server.got.data, 1000, 0));
	ck_assert_uint_eq(p.server.closed, 1);
}
END_TEST

static TCase *streams(const char *name, void (*begins)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, begins, teardown);
	tcase_set_timeout(t, SUITE_TIMEOUT);
	tcase_add_loop_test(t, cut_anywhere, 0, 2 * (int)(sizeof(steps) / sizeof(steps[0])));
	tcase_add_test(t, nothing_is_sent_before_it_is_secured);
	tcase_add_loop_test(t, what_was_sealed_and_not_written_is_taken_back, 0, 2);
	tcase_add_loop_test(t, what_was_not_sealed_is_taken_back_and_the_stream_goes_on, 0, 2);
	tcase_add_loop_test(t, after_the_first_byte_only_the_rest_is_taken_back, 0, 2);
	tcase_add_loop_test(t, closed_inside_on_bytes, 0, 2);
	tcase_add_loop_test(t, paused_inside_on_bytes, 0, 4);
	tcase_add_loop_test(t, ends_with_and_without_farewell, 0, 2);
	tcase_add_loop_test(t, shutdown_says_farewell_after_the_queue, 0, 2);
	tcase_add_loop_test(t, garbage_ends_it, 0, 2);
	tcase_add_loop_test(t, described, 0, 2);
	return t;
}

int main(void)
{
	Suite *s = suite_create("tls");
	TCase *late = streams("late", setup_late);

	tlsrig_place();
	tcase_add_test(late, one_after_the_other);
	tcase_add_test(late, who_leaves_makes_room);
	tcase_add_test(late, who_waits_is_not_read);
	tcase_add_test(late, nothing_in_front_of_an_end_is_lost);
	suite_add_tcase(s, streams("stream", setup));
	suite_add_tcase(s, late);
	return suite_run(s);
}
