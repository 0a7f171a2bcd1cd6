/*
 * Conns against the real kernel: connecting, refusals, Unix sockets, resets, and much data through small buffers.
 */
#include "rig.h"
#include "test/unit/base/folder.h"

#include "base/mem.h"
#include "test/unit/base/suite.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop loop;
static struct rig_conn a, b;

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	rig_init(&a);
	rig_init(&b);
}

static void teardown(void)
{
	rig_fini(&a);
	rig_fini(&b);
	loop_fini(&loop);
}

static struct addr local(uint16_t port)
{
	struct addr at;

	ck_assert(addr_parse(&at, "127.0.0.1", port));
	return at;
}

START_TEST(connects_and_sends_what_waited)
{
	uint16_t port;
	int listening = rig_listen(&port), peer;
	struct addr at = local(port);
	char room[32];

	conn_connect(&a.conn, &loop, &at, NULL, &rig_ops);
	conn_send(&a.conn, "star", 4, NULL);
	conn_send(&a.conn, "tup", 3, NULL);
	conn_flush(&a.conn);
	ck_assert_uint_eq(a.connected, 0);
	ck_assert_uint_eq(conn_written(&a.conn), 0);
	rig_until(&loop, rig_is_connected, &a);
	rig_until(&loop, rig_is_sent, &a);
	peer = accept(listening, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	ck_assert_int_eq(recv(peer, room, sizeof(room), 0), 7);
	ck_assert_mem_eq(room, "startup", 7);
	ck_assert_int_eq(send(peer, "welcome", 7, 0), 7);
	while (a.got.len < 7)
		rig_turn(&loop);
	ck_assert_str_eq(buf_text(&a.got), "welcome");
	ck_assert_uint_eq(a.connected, 1);
	close(peer);
	close(listening);
}
END_TEST

static void connect_again(struct rig_conn *r)
{
	struct addr at = local(*(uint16_t *)r->arg);

	if (r->err != ECONNREFUSED || r->end != CONN_END_CONNECT)
		return;
	conn_close(&r->conn);
	r->closed = 0;
	r->in_closed = NULL;
	conn_connect(&r->conn, &loop, &at, NULL, &rig_ops);
}

START_TEST(refused)
{
	uint16_t port, good;
	struct addr at;
	int listening = rig_listen(&port);

	close(listening); /* now nobody is there */
	at = local(port);
	conn_connect(&a.conn, &loop, &at, NULL, &rig_ops);
	conn_send(&a.conn, "unsent", 6, NULL);
	ck_assert_uint_eq(a.closed, 0);
	rig_until(&loop, rig_is_closed, &a);
	ck_assert_int_eq(a.end, CONN_END_CONNECT);
	ck_assert_int_eq(a.err, ECONNREFUSED);
	ck_assert_uint_eq(a.connected, 0);
	ck_assert_uint_eq(conn_out_pending(&a.conn), 6);
	ck_assert_uint_le(rig_nap(&loop, 50), 6);
	/* the next host is tried inside on_closed, with the same struct */
	listening = rig_listen(&good);
	b.in_closed = connect_again;
	b.arg = &good;
	conn_connect(&b.conn, &loop, &at, NULL, &rig_ops);
	rig_until(&loop, rig_is_connected, &b);
	ck_assert_uint_eq(b.closed, 0);
	close(listening);
}
END_TEST

START_TEST(closed_before_it_connected)
{
	/* a test network: no answer, or a refusal at once; both are fine, neither may be told after conn_close */
	struct addr at;

	ck_assert(addr_parse(&at, "192.0.2.1", 5432));
	conn_connect(&a.conn, &loop, &at, NULL, &rig_ops);
	conn_send(&a.conn, "x", 1, NULL);
	conn_close(&a.conn);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(a.closed + a.connected, 0);
}
END_TEST

START_TEST(pause_while_connecting)
{
	uint16_t port;
	int listening = rig_listen(&port), peer;
	struct addr at = local(port);

	conn_connect(&a.conn, &loop, &at, NULL, &rig_ops);
	conn_pause(&a.conn, 0);
	rig_until(&loop, rig_is_connected, &a);
	peer = accept(listening, NULL, NULL);
	ck_assert_int_eq(send(peer, "early", 5, 0), 5);
	rig_turns(&loop, 5);
	ck_assert_uint_eq(a.got.len, 0);
	conn_resume(&a.conn);
	while (a.got.len < 5)
		rig_turn(&loop);
	close(peer);
	close(listening);
}
END_TEST

START_TEST(shutdown_while_connecting)
{
	uint16_t port;
	int listening = rig_listen(&port), peer;
	struct addr at = local(port);
	char room[8];

	conn_connect(&a.conn, &loop, &at, NULL, &rig_ops);
	conn_shutdown(&a.conn);
	rig_until(&loop, rig_is_connected, &a);
	peer = accept(listening, NULL, NULL);
	rig_turns(&loop, 2);
	ck_assert_int_eq(recv(peer, room, sizeof(room), 0), 0);
	close(peer);
	close(listening);
}
END_TEST

static int unix_listen(const char *path)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(addr_unix_sockaddr(path, &ss, &len), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	return fd;
}

START_TEST(unix_sockets)
{
	char folder[FOLDER_MAX], path[128], room[8];

	folder_make(folder);
	for (int i = 0; i < 2; i++) {
		struct rig_conn c;
		int listening, peer;

		if (i == 0)
			snprintf(path, sizeof(path), "%s/sock", folder);
		else
			snprintf(path, sizeof(path), "@fynix-test-%d", getpid());
		listening = unix_listen(path);
		rig_init(&c);
		conn_connect(&c.conn, &loop, NULL, path, &rig_ops);
		conn_send(&c.conn, "hi", 2, NULL);
		rig_until(&loop, rig_is_connected, &c);
		rig_until(&loop, rig_is_sent, &c);
		peer = accept(listening, NULL, NULL);
		ck_assert_int_eq(recv(peer, room, sizeof(room), 0), 2);
		rig_fini(&c);
		close(peer);
		close(listening);
	}
}
END_TEST

START_TEST(unix_sockets_that_are_not_there)
{
	static const struct {
		const char *path;
		int err;
	} no[] = {
		{"/nonexistent/dir/.s.PGSQL.5432", ENOENT},
		{"@nobody-listens-on-this-one", ECONNREFUSED},
		{"/dev/null", ECONNREFUSED},
		{"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaaaaaaaa",
		 ENAMETOOLONG},
	};

	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		struct rig_conn c;

		rig_init(&c);
		conn_connect(&c.conn, &loop, NULL, no[i].path, &rig_ops);
		/* never from inside conn_connect, even when it is known at once */
		ck_assert_uint_eq(c.closed, 0);
		conn_send(&c.conn, "x", 1, NULL);
		conn_shutdown(&c.conn);
		rig_until(&loop, rig_is_closed, &c);
		ck_assert_int_eq(c.end, CONN_END_CONNECT);
		ck_assert_int_eq(c.err, no[i].err);
		rig_fini(&c);
	}
}
END_TEST

START_TEST(reset_by_peer)
{
	struct linger hard = {.l_onoff = 1};
	int peer = rig_pair_tcp(&a, &loop, 0);

	ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(peer);
	rig_until(&loop, rig_is_closed, &a);
	ck_assert_int_eq(a.end, CONN_END_RESET);
	ck_assert_int_eq(a.err, ECONNRESET);
}
END_TEST

/* Both directions at once: the conn and the peer send total bytes of the stream each, through buffers of a few KiB; the
 * peer reads and writes as it can, with sizes by chance. */
static void both_ways(int peer, uint64_t total, bool by_chunks)
{
	static uint8_t out[70000], in[70000];
	uint64_t sent = 0, got = 0, queued = 0;
	unsigned drained = a.drained, waits = 0;
	unsigned short seed[3] = {1, 2, 3};

	while (sent < total || got < total || a.got.len < total) {
		size_t n;
		ssize_t rc;

		while (queued < total && conn_out_pending(&a.conn) < CONN_HIGH) {
			n = 1 + (size_t)nrand48(seed) % 50000;
			if (n > total - queued)
				n = (size_t)(total - queued);
			if (by_chunks) {
				struct chunk *chunk = chunk_new(&loop.chunks);

				rig_fill(chunk->data, n, queued);
				conn_send(&a.conn, chunk->data, n, chunk);
				chunk_unref(chunk);
			} else {
				rig_fill(out, n, queued);
				conn_send(&a.conn, out, n, NULL);
			}
			queued += n;
		}
		waits += conn_out_pending(&a.conn) >= CONN_HIGH;
		n = 1 + (size_t)nrand48(seed) % sizeof(out);
		if (n > total - sent)
			n = (size_t)(total - sent);
		rig_fill(out, n, sent);
		rc = n > 0 ? send(peer, out, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
		sent += rc > 0 ? (uint64_t)rc : 0;
		rig_turn(&loop);
		rc = rig_read(peer, in, 1 + (size_t)nrand48(seed) % sizeof(in));
		if (rc > 0) {
			ck_assert(rig_is_stream(in, (size_t)rc, got));
			got += (uint64_t)rc;
		}
		ck_assert_uint_eq(conn_queued(&a.conn), queued);
	}
	ck_assert_uint_eq(a.got.len, total);
	ck_assert(rig_is_stream(a.got.data, total, 0));
	ck_assert_uint_eq(conn_written(&a.conn), total);
	/* each time the high mark was passed ended with a notice, and there were such times */
	rig_turn(&loop);
	ck_assert_uint_gt(waits, 0);
	ck_assert_uint_gt(a.drained, drained);
	ck_assert(!a.conn.is_above_high);
}

START_TEST(much_data_both_ways)
{
	int peer;

	if (_i < 2)
		peer = rig_pair_tcp(&a, &loop, 2048);
	else
		peer = rig_pair(&a, &loop);
	if (_i >= 2) {
		int small = 4096;

		ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		ck_assert_int_eq(setsockopt(a.conn.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	}
	both_ways(peer, 3000000, _i % 2 == 0);
	close(peer);
	rig_until(&loop, rig_is_closed, &a);
}
END_TEST

/* a relay in little: what a gets goes to b; b's queue pauses a */
static void relay_bytes(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n)
{
	(void)r;
	a.got.len = 0;
	conn_send(&b.conn, data, n, chunk);
	if (conn_out_pending(&b.conn) >= CONN_HIGH)
		conn_pause(&a.conn, 0);
}

static void relay_drained(struct rig_conn *r)
{
	(void)r;
	conn_resume(&a.conn);
}

START_TEST(back_pressure_bounds_the_queue)
{
	enum { TOTAL = 8000000 };
	static uint8_t page[65536];
	int from = rig_pair_tcp(&a, &loop, 0), to = rig_pair_tcp(&b, &loop, 4096);
	uint64_t sent = 0, got = 0;
	size_t most = 0;
	unsigned round = 0;

	a.in_bytes = relay_bytes;
	b.in_drained = relay_drained;
	while (got < TOTAL) {
		size_t n = sizeof(page);
		ssize_t rc = 0;

		if (n > TOTAL - sent)
			n = (size_t)(TOTAL - sent);
		rig_fill(page, n, sent);
		if (n > 0)
			rc = send(from, page, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += rc > 0 ? (uint64_t)rc : 0;
		rig_turn(&loop);
		if (conn_out_pending(&b.conn) > most)
			most = conn_out_pending(&b.conn);
		/* a slow reader, for the first while */
		if (++round < 400 && round % 8 != 0)
			continue;
		rc = rig_read(to, page, sizeof(page));
		if (rc > 0) {
			ck_assert(rig_is_stream(page, (size_t)rc, got));
			got += (uint64_t)rc;
		}
	}
	ck_assert_uint_ge(most, CONN_HIGH);
	ck_assert_uint_le(most, CONN_HIGH + CHUNK_SIZE);
	ck_assert_uint_gt(b.drained, 0);
	close(from);
	close(to);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conn_io");
	TCase *t = tcase_create("kernel");

	folder_begin();
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, connects_and_sends_what_waited);
	tcase_add_test(t, refused);
	tcase_add_test(t, closed_before_it_connected);
	tcase_add_test(t, pause_while_connecting);
	tcase_add_test(t, shutdown_while_connecting);
	tcase_add_test(t, unix_sockets);
	tcase_add_test(t, unix_sockets_that_are_not_there);
	tcase_add_test(t, reset_by_peer);
	tcase_add_loop_test(t, much_data_both_ways, 0, 4);
	tcase_add_test(t, back_pressure_bounds_the_queue);
	suite_add_tcase(s, t);
	return suite_run(s);
}
