/*
 * Conns under random use, against a model that is nothing but positions in two endless streams: each byte comes once and
 * in its order, in both directions, whatever is paused, put back, taken out, flushed, moved to another loop or ended
 * in between. A failure names its seed; run one alone with  test_conn_model SEED
 */
#include "rig.h"

#include "base/mem.h"
#include "base/rnd.h"
#include "test/unit/base/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS 3
#define STEPS 250
#define HELD 4

static uint64_t seed;
static struct rnd rnd;
static struct loop loops[2];

/* what on_bytes lent and the owner keeps for a while: it must not change under its hands */
struct held {
	struct chunk *chunk;
	const uint8_t *data;
	size_t n;
	uint64_t at;
};

struct model {
	struct conn conn;
	int peer;
	/* to the conn */
	uint64_t in_sent, in_used;
	bool is_paused, has_peer_ended;
	bool is_told, has_rest; /* the end was told; some bytes come after it: those kept, or put back */
	size_t keep;
	unsigned touched; /* how often the owner changed what may be kept */
	struct held held[HELD];
	/* from the conn */
	uint64_t out_queued, out_got;
	bool is_high, wants_empty, is_shut, has_out_ended;
	bool may_reset; /* the peer closed for good */
};

static struct model models[CONNS];

static void broken(const char *what, int line)
{
	ck_abort_msg("seed %llu: %s (line %d)", (unsigned long long)seed, what, line);
}
#define MUST(cond)                                                                                           \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			broken(#cond, __LINE__);                                                               \
	} while (0)

static uint32_t chance(uint64_t n)
{
	return (uint32_t)rnd_below(&rnd, n);
}

static uint8_t page[200000];

static void check(struct model *m)
{
	struct conn *c = &m->conn;

	if (!c->is_open)
		return;
	/* what is sent to a peer that is known to be gone is nobody's business */
	if (!m->is_told || !m->may_reset)
		MUST(conn_queued(c) == m->out_queued);
	MUST(c->is_paused == m->is_paused);
	MUST(m->in_used + c->kept.len <= m->in_sent);
	MUST(m->out_got <= conn_written(c));
	for (unsigned i = 0; i < HELD; i++) {
		const struct held *h = &m->held[i];

		if (h->chunk != NULL)
			MUST(rig_is_stream(h->data, h->n, h->at));
	}
}

static void do_send(struct model *m)
{
	size_t n = 1 + chance(chance(8) == 0 ? sizeof(page) : 3000);

	if (m->is_shut || conn_out_pending(&m->conn) > 2 * CONN_HIGH)
		return;
	if (chance(2) == 0) {
		rig_fill(page, n, m->out_queued);
		conn_send(&m->conn, page, n, NULL);
	} else {
		struct chunk *chunk = chunk_new(&m->conn.loop->chunks);
		size_t from = chance(100);

		if (n > CHUNK_SIZE - from)
			n = CHUNK_SIZE - from;
		rig_fill(chunk->data + from, n, m->out_queued);
		conn_send(&m->conn, chunk->data + from, n, chunk);
		chunk_unref(chunk);
	}
	m->out_queued += n;
	if (conn_out_pending(&m->conn) >= CONN_HIGH)
		m->is_high = true;
}

static void do_pause(struct model *m)
{
	static const size_t limits[] = {0, 0, 1, 100, 5000, 100000, 300000};
	size_t keep = limits[chance(ARRAY_LEN(limits))];

	conn_pause(&m->conn, keep);
	m->is_paused = true;
	m->keep = keep;
	m->touched++;
}

static void do_resume(struct model *m)
{
	conn_resume(&m->conn);
	m->is_paused = false;
	m->touched++;
}

static void do_unread(struct model *m)
{
	size_t n = 1 + chance(chance(6) == 0 ? 150000 : 200);

	if (!m->is_paused || m->in_used == 0)
		return;
	if (n > m->in_used)
		n = (size_t)m->in_used;
	m->in_used -= n;
	rig_fill(page, n, m->in_used);
	MUST(conn_unread(&m->conn, page, n) == 0);
	m->has_rest = true;
	m->touched++;
}

static void do_take_out(struct model *m)
{
	struct buf back;
	size_t n = conn_out_pending(&m->conn), flying = m->conn.flying;

	if (m->is_told && m->may_reset)
		return;
	buf_init(&back, 0);
	/* what the engine has under way may still be written */
	MUST(conn_take_out(&m->conn, &back) == back.len);
	MUST(back.len <= n && back.len + flying >= n);
	n = back.len;
	MUST(conn_out_pending(&m->conn) == 0);
	MUST(n == 0 || rig_is_stream(back.data, n, m->out_queued - n));
	if (m->is_shut) {
		/* can't be sent again: that is all the peer will see */
		m->out_queued -= n;
	} else {
		conn_send(&m->conn, back.data, n, NULL);
		if (conn_out_pending(&m->conn) >= CONN_HIGH)
			m->is_high = true;
	}
	buf_fini(&back);
}

static void drop_held(struct held *h)
{
	if (h->chunk == NULL)
		return;
	chunk_unref(h->chunk);
	h->chunk = NULL;
}

static void do_hold(struct model *m, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct held *h = &m->held[chance(HELD)];

	drop_held(h);
	*h = (struct held){.chunk = chunk, .data = data, .n = n, .at = m->in_used};
	chunk_ref(chunk);
}

/* things an owner may do anywhere, also inside its callbacks */
static void do_something(struct model *m)
{
	switch (chance(10)) {
	case 0:
	case 1:
	case 2:
		do_send(m);
		break;
	case 3:
		do_pause(m);
		break;
	case 4:
	case 5:
		do_resume(m);
		break;
	case 6:
		do_unread(m);
		break;
	case 7:
		conn_flush(&m->conn);
		break;
	case 8:
		conn_notify_empty(&m->conn);
		m->wants_empty = true;
		break;
	default:
		if (chance(4) == 0)
			do_take_out(m);
	}
	check(m);
}

static size_t on_bytes(struct conn *c, struct chunk *chunk, const uint8_t *data, size_t n)
{
	struct model *m = container_of(c, struct model, conn);
	size_t use = n;

	MUST(!m->is_paused && (!m->is_told || m->has_rest));
	MUST(rig_is_stream(data, n, m->in_used));
	MUST(m->in_used + n <= m->in_sent);
	if (chance(4) == 0)
		do_hold(m, chunk, data, n);
	if (chance(3) == 0) {
		do_pause(m);
		use = chance(n + 1);
		m->in_used += use;
		if (chance(4) == 0)
			do_unread(m);
		if (chance(8) == 0)
			do_resume(m);
		return use;
	}
	m->in_used += n;
	if (chance(3) == 0)
		do_something(m);
	return n;
}

static void on_drained(struct conn *c)
{
	struct model *m = container_of(c, struct model, conn);

	MUST((m->is_high && conn_out_pending(c) <= CONN_LOW) || (m->wants_empty && conn_out_pending(c) == 0));
	m->is_high = false;
	if (conn_out_pending(c) == 0)
		m->wants_empty = false;
	if (chance(2) == 0)
		do_something(m);
}

static void on_closed(struct conn *c, enum conn_end end, int err)
{
	struct model *m = container_of(c, struct model, conn);

	(void)err;
	MUST(!m->is_told);
	m->is_told = true;
	m->has_rest = m->is_paused;
	MUST(m->has_peer_ended);
	MUST(end == CONN_END_EOF || (end == CONN_END_RESET && m->may_reset));
	/* all has been heard, unless the owner did not listen, or the kernel lost it in a reset */
	if (end == CONN_END_EOF && !m->is_paused && !m->may_reset)
		MUST(m->in_used == m->in_sent);
	if (chance(2) == 0)
		conn_close(c);
}

static const struct conn_ops ops = {.on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

static void peer_write(struct model *m)
{
	size_t n = 1 + chance(chance(4) == 0 ? sizeof(page) : 500);
	ssize_t rc;

	if (m->has_peer_ended || m->peer < 0)
		return;
	rig_fill(page, n, m->in_sent);
	rc = send(m->peer, page, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (rc > 0)
		m->in_sent += (uint64_t)rc;
	else
		MUST(errno == EAGAIN || !m->conn.is_open);
}

static bool peer_read(struct model *m, size_t most)
{
	ssize_t rc;

	if (m->peer < 0 || m->has_out_ended)
		return false;
	rc = rig_read(m->peer, page, most);
	if (rc == 0) {
		/* the end comes after all that was queued before it */
		MUST(!m->conn.is_open || (m->is_shut && m->out_got == m->out_queued));
		m->has_out_ended = true;
	}
	if (rc <= 0)
		return false;
	MUST(rig_is_stream(page, (size_t)rc, m->out_got));
	m->out_got += (uint64_t)rc;
	MUST(m->out_got <= m->out_queued);
	return true;
}

static void peer_end(struct model *m)
{
	if (m->peer < 0 || chance(12) != 0)
		return;
	m->has_peer_ended = true;
	if (chance(2) == 0) {
		MUST(shutdown(m->peer, SHUT_WR) == 0 || errno == ENOTCONN);
		return;
	}
	m->may_reset = true;
	close(m->peer);
	m->peer = -1;
}

static void do_move(struct model *m)
{
	struct conn *c = &m->conn;

	if (conn_out_pending(c) > 0 || conn_has_kept(c) || c->must_end || m->is_told || m->is_shut || m->wants_empty ||
	    m->is_high)
		return;
	for (unsigned i = 0; i < HELD; i++)
		drop_held(&m->held[i]); /* chunks are the loop's own */
	conn_detach(c);
	MUST(conn_attach(c, &loops[chance(2)]) == 0);
	m->is_paused = false;
}

static void turn(void)
{
	size_t most[CONNS];
	unsigned touched[CONNS];

	for (unsigned i = 0; i < CONNS; i++) {
		most[i] = models[i].keep > models[i].conn.kept.len ? models[i].keep : models[i].conn.kept.len;
		touched[i] = models[i].touched;
	}
	rig_turn(&loops[0]);
	rig_turn(&loops[1]);
	for (unsigned i = 0; i < CONNS; i++) {
		struct model *m = &models[i];

		check(m);
		if (m->is_paused && m->touched == touched[i] && m->conn.is_open)
			MUST(m->conn.kept.len <= most[i]);
	}
}

static void begin(uint64_t with)
{
	seed = with;
	rnd_seed(&rnd, seed);
	for (unsigned i = 0; i < 2; i++)
		MUST(loop_init(&loops[i], rig_engine(), i, NULL) == 0);
	for (unsigned i = 0; i < CONNS; i++) {
		struct model *m = &models[i];
		struct rig_conn r;

		memset(m, 0, sizeof(*m));
		if (chance(2) == 0) {
			int sv[2], small = 4096;

			MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) == 0);
			if (chance(2) == 0)
				MUST(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
			m->peer = sv[1];
			MUST(conn_open(&m->conn, &loops[chance(2)], sv[0], &ops) == 0);
			continue;
		}
		rig_init(&r);
		m->peer = rig_pair_tcp(&r, &loops[0], chance(2) ? 16384 : 0);
		int fd = dup(r.conn.fd);

		conn_close(&r.conn);
		MUST(conn_open(&m->conn, &loops[chance(2)], fd, &ops) == 0);
	}
}

/* all that was begun comes to its end */
static void finish(void)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct model *m = &models[i];
		uint64_t start = loops[0].engine->now(&loops[0]);
		unsigned quiet = 0;

		/* TCP through small buffers takes its time: the window opens by timers */
		while (quiet < 5 && loops[0].engine->now(&loops[0]) - start < 20000000) {
			if (m->conn.is_open && m->is_paused)
				do_resume(m);
			turn();
			quiet = peer_read(m, sizeof(page)) ? 0 : quiet + 1;
			if (quiet > 0)
				usleep(200);
			if (m->conn.is_open && !m->is_told &&
			    (m->in_used < m->in_sent || (m->peer >= 0 && m->out_got < m->out_queued)))
				quiet = 0;
		}
		if (m->conn.is_open && !m->is_told) {
			MUST(!m->has_peer_ended);
			MUST(m->in_used == m->in_sent);
			MUST(m->out_got == m->out_queued);
			MUST(!m->is_high && !m->wants_empty);
			MUST(m->has_out_ended == m->is_shut);
		}
		for (unsigned k = 0; k < HELD; k++)
			drop_held(&m->held[k]);
		conn_close(&m->conn);
		if (m->peer >= 0)
			close(m->peer);
		m->peer = -1;
	}
	loop_fini(&loops[0]);
	loop_fini(&loops[1]);
}

static void one_seed(uint64_t with)
{
	begin(with);
	for (unsigned step = 0; step < STEPS; step++) {
		struct model *m = &models[chance(CONNS)];

		switch (chance(8)) {
		case 0:
		case 1:
			peer_write(m);
			break;
		case 2:
		case 3:
			(void)peer_read(m, 1 + chance(chance(2) ? sizeof(page) : 100));
			break;
		case 4:
		case 5:
			/* some of it to several conns within one turn */
			for (unsigned n = 1 + chance(6); n > 0; n--, m = &models[chance(CONNS)])
				if (m->conn.is_open)
					do_something(m);
			break;
		case 6:
			if (step > STEPS / 2)
				peer_end(m);
			if (m->conn.is_open && chance(4) == 0)
				do_move(m);
			break;
		default:
			if (step > STEPS / 2 && m->conn.is_open && chance(12) == 0) {
				conn_shutdown(&m->conn);
				m->is_shut = true;
			}
		}
		if (chance(2) == 0)
			turn();
	}
	finish();
}

static uint64_t from, seeds = 20;

START_TEST(as_the_model_says)
{
	for (uint64_t i = 0; i < seeds; i++)
		one_seed(from + (uint64_t)_i * seeds + i);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("conn_model");
	TCase *t = tcase_create("random");
	int runs = 10;

	if (argc > 1) {
		from = strtoull(argv[1], NULL, 10);
		seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
		runs = 1;
	}
	tcase_set_timeout(t, 600);
	tcase_add_loop_test(t, as_the_model_says, 0, runs);
	suite_add_tcase(s, t);
	return suite_run(s);
}
