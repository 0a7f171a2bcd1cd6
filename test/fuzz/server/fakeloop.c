/*
 * fakeloop.c - a loop without a kernel.
 */
#include "test/fuzz/server/fakeloop.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

#define FAKELOOP_CONNS 64

static struct {
	struct conn *conn[FAKELOOP_CONNS];
	unsigned count;
	uint64_t now;
	bool is_blocked;
	int next_fd;
} fake;

static int fakeloop_engine_init(struct loop *loop FX_UNUSED)
{
	memset(&fake, 0, sizeof(fake));
	fake.now = UINT64_C(1000000000);
	fake.next_fd = 100000; /* no real one */
	return 0;
}

static void fakeloop_nothing(struct loop *loop FX_UNUSED)
{
}

static void fakeloop_set_timer(struct loop *loop FX_UNUSED, uint64_t due FX_UNUSED)
{
}

static uint64_t fakeloop_now(struct loop *loop FX_UNUSED)
{
	return fake.now;
}

static int fakeloop_attach(struct conn *c)
{
	CHECK(fake.count < FAKELOOP_CONNS);
	fake.conn[fake.count++] = c;
	return 0;
}

static void fakeloop_detach(struct conn *c)
{
	for (unsigned i = 0; i < fake.count; i++)
		if (fake.conn[i] == c) {
			fake.conn[i] = fake.conn[--fake.count];
			return;
		}
	CHECK(!"detached and never attached");
}

static void fakeloop_interest(struct conn *c)
{
	c->is_stopped = !conn_wants_read(c) && !c->is_connecting;
}

static void fakeloop_flush(struct conn *c)
{
	if (fake.is_blocked) {
		c->is_blocked = true;
		return;
	}
	c->is_blocked = false;
	conn_output_done(c, c->out_bytes);
}

static int fakeloop_connect(struct conn *c, const struct addr *to FX_UNUSED, const char *path FX_UNUSED)
{
	if (fake.count == FAKELOOP_CONNS)
		return ECONNREFUSED;
	c->fd = fake.next_fd++;
	return fakeloop_attach(c);
}

static void fakeloop_conn_nothing(struct conn *c FX_UNUSED)
{
}

static int fakeloop_listen(struct listener *l FX_UNUSED)
{
	return -1;
}

static void fakeloop_unlisten(struct listener *l FX_UNUSED)
{
}

static const struct engine_ops fakeloop_ops = {
	.name = "fake",
	.init = fakeloop_engine_init,
	.fini = fakeloop_nothing,
	.run = fakeloop_nothing,
	.stop = fakeloop_nothing,
	.wake = fakeloop_nothing,
	.set_timer = fakeloop_set_timer,
	.now = fakeloop_now,
	.attach = fakeloop_attach,
	.detach = fakeloop_detach,
	.interest = fakeloop_interest,
	.flush = fakeloop_flush,
	.push = fakeloop_flush,
	.connect = fakeloop_connect,
	.shutdown = fakeloop_conn_nothing,
	.close = fakeloop_detach,
	.listen = fakeloop_listen,
	.unlisten = fakeloop_unlisten,
};

void fakeloop_init(struct loop *loop)
{
	static const struct log_settings silent;

	(void)log_configure(&silent, NULL, 0);
	CHECK(loop_init(loop, &fakeloop_ops, 0, NULL) == 0);
}

static bool fakeloop_has(const struct conn *c)
{
	for (unsigned i = 0; i < fake.count; i++)
		if (fake.conn[i] == c)
			return true;
	return false;
}

void fakeloop_turn(struct loop *loop, uint64_t us)
{
	struct conn *coming[FAKELOOP_CONNS];
	unsigned n = 0;

	fake.now += us;
	loop_turn_begin(loop);
	for (unsigned i = 0; i < fake.count; i++)
		if (fake.conn[i]->is_connecting)
			coming[n++] = fake.conn[i];
	for (unsigned i = 0; i < n; i++)
		if (fakeloop_has(coming[i]))
			conn_connected(coming[i], 0);
	loop_turn_end(loop);
}

void fakeloop_bytes(struct conn *c, const uint8_t *data, size_t n)
{
	while (n > 0 && c->is_open && conn_wants_read(c)) {
		struct loop *loop = c->loop;
		size_t room;
		uint8_t *to = loop_read_room(loop, &room);

		if (room > conn_read_max(c))
			room = conn_read_max(c);
		if (room > n)
			room = n;
		memcpy(to, data, room);
		data += room;
		n -= room;
		conn_input(c, loop->rx, to, room);
	}
}

void fakeloop_eof(struct conn *c)
{
	if (c->is_open && !c->is_connecting && conn_wants_read(c))
		conn_input_end(c, CONN_END_EOF, 0);
}

void fakeloop_block(struct loop *loop FX_UNUSED, bool on)
{
	fake.is_blocked = on;
	for (unsigned i = 0; !on && i < fake.count; i++)
		if (fake.conn[i]->is_blocked)
			fakeloop_flush(fake.conn[i]);
}

void fakeloop_fini(struct loop *loop)
{
	loop_end_strays(loop);
	fakeloop_turn(loop, 0);
	CHECK(fake.count == 0);
	loop_fini(loop);
}
