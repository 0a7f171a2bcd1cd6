/*
 * rig.c - what the tests of net share.
 */
#include "rig.h"

#include "base/mem.h"
#include "net/engine_pick.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef RIG_URING
static const struct engine_ops *rig_uring;

__attribute__((constructor)) static void rig_pick(void)
{
	char why[256];

	rig_uring = engine_pick_uring(why, sizeof(why));
	if (rig_uring != NULL)
		return;
	printf("no io_uring here: %s\n", why);
	exit(77);
}

const struct engine_ops *rig_engine(void)
{
	return rig_uring;
}
#else
const struct engine_ops *rig_engine(void)
{
	return &engine_ev_ops;
}
#endif

static size_t rig_on_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct rig_conn *r = container_of(c, struct rig_conn, conn);
	size_t use = n;

	r->bytes_calls++;
	ck_assert_msg(!c->is_paused, "on_bytes on a paused conn");
	ck_assert_uint_gt(n, 0);
	ck_assert(chunk->refs > 0 && data >= chunk->data && data + n <= chunk->data + CHUNK_SIZE);
	if (r->pause_after != SIZE_MAX && use > r->pause_after - r->got.len)
		use = r->pause_after - r->got.len;
	ck_assert_int_eq(buf_append(&r->got, data, use), 0);
	if (r->got.len == r->pause_after)
		conn_pause(c, r->keep);
	if (r->in_bytes != NULL)
		r->in_bytes(r, chunk, data, n);
	return use;
}

static void rig_on_drained(struct conn *c)
{
	struct rig_conn *r = container_of(c, struct rig_conn, conn);

	r->drained++;
	if (r->in_drained != NULL)
		r->in_drained(r);
}

static void rig_on_closed(struct conn *c, enum conn_end end, int err)
{
	struct rig_conn *r = container_of(c, struct rig_conn, conn);

	r->closed++;
	r->end = end;
	r->err = err;
	ck_assert_msg(r->closed == 1, "on_closed came twice");
	if (r->in_closed != NULL)
		r->in_closed(r);
}

static void rig_on_connected(struct conn *c)
{
	struct rig_conn *r = container_of(c, struct rig_conn, conn);

	r->connected++;
	if (r->in_connected != NULL)
		r->in_connected(r);
}

const struct conn_ops rig_ops = {
	.on_bytes = rig_on_bytes,
	.on_drained = rig_on_drained,
	.on_closed = rig_on_closed,
	.on_connected = rig_on_connected,
};

void rig_init(struct rig_conn *r)
{
	memset(r, 0, sizeof(*r));
	r->pause_after = SIZE_MAX;
	buf_init(&r->got, 0);
}

void rig_fini(struct rig_conn *r)
{
	conn_close(&r->conn);
	buf_fini(&r->got);
}

int rig_pair(struct rig_conn *r, struct loop *loop)
{
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	ck_assert_int_eq(conn_open(&r->conn, loop, sv[0], &rig_ops), 0);
	return sv[1];
}

int rig_listen(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

int rig_pair_tcp(struct rig_conn *r, struct loop *loop, int small)
{
	uint16_t port;
	int listening = rig_listen(&port), fd, peer;
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	if (small > 0) {
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
		ck_assert_int_eq(setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	}
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	peer = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(peer, 0);
	close(listening);
	if (small > 0)
		ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	/* the accepted end is the conn, as in a pooler */
	ck_assert_int_eq(conn_open(&r->conn, loop, peer, &rig_ops), 0);
	return fd;
}

struct rig_step {
	struct mail mail;
};

static void rig_second(struct loop *loop, struct mail *mail)
{
	mem_free(mail);
	loop->engine->stop(loop);
}

/* posting from within a turn wakes the loop, so the next wait ends at once */
static void rig_first(struct loop *loop, struct mail *mail)
{
	loop_post(loop, mail, rig_second);
}

void rig_turn(struct loop *loop)
{
	struct rig_step *step = mem_alloc(sizeof(*step));

	loop_post(loop, &step->mail, rig_first);
	loop_run(loop);
}

struct rig_nap {
	struct timeout timeout;
	struct loop *loop;
};

static void rig_wake_up(struct timeout *t)
{
	struct rig_nap *nap = container_of(t, struct rig_nap, timeout);

	nap->loop->engine->stop(nap->loop);
}

unsigned rig_nap(struct loop *loop, unsigned ms)
{
	struct rig_nap nap = {.loop = loop};
	uint64_t turns = loop->turns;

	timeout_init(&nap.timeout, rig_wake_up);
	rig_turn(loop);
	loop_arm(loop, &nap.timeout, (uint64_t)ms * 1000);
	loop_run(loop);
	return (unsigned)(loop->turns - turns);
}

void rig_turns(struct loop *loop, unsigned n)
{
	while (n-- > 0)
		rig_turn(loop);
}

void rig_until(struct loop *loop, bool (*cond)(void *arg), void *arg)
{
	uint64_t start = loop->engine->now(loop);

	while (!cond(arg)) {
		ck_assert_msg(loop->engine->now(loop) - start < 10 * UINT64_C(1000000), "it never came");
		rig_turn(loop);
	}
}

bool rig_is_closed(void *r)
{
	return ((struct rig_conn *)r)->closed > 0;
}

bool rig_is_connected(void *r)
{
	return ((struct rig_conn *)r)->connected > 0;
}

bool rig_is_sent(void *r)
{
	return conn_out_pending(&((struct rig_conn *)r)->conn) == 0;
}

void rig_fill(uint8_t *to, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		to[i] = rig_byte(at + i);
}

bool rig_is_stream(const uint8_t *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != rig_byte(at + i))
			return false;
	return true;
}

ssize_t rig_read(int fd, void *to, size_t n)
{
	ssize_t got = recv(fd, to, n, MSG_DONTWAIT);

	ck_assert_msg(got >= 0 || errno == EAGAIN || errno == ECONNRESET, "recv: errno %d", errno);
	return got;
}
