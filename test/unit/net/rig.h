/*
 * rig.h - what the tests of net share: an owner of a conn that writes down what it was told, and turns of a loop one
 * at a time.
 */
#ifndef TEST_NET_RIG_H
#define TEST_NET_RIG_H

#include "base/buf.h"
#include "net/loop.h"

#include <check.h>

/* Which engine this program tests: libev, or with RIG_URING io_uring (where the kernel refuses that one, the program
 * ends at its start with status 77: skipped). */
const struct engine_ops *rig_engine(void);

struct rig_conn {
	struct conn conn;
	struct buf got; /* what on_bytes has used */
	unsigned bytes_calls, drained, closed, connected;
	enum conn_end end;
	int err;
	size_t pause_after; /* use so many bytes in all, then pause with keep; SIZE_MAX: never */
	size_t keep;
	/* run inside the callbacks when set */
	void (*in_bytes)(struct rig_conn *r, struct chunk *chunk, const uint8_t *data, size_t n);
	void (*in_drained)(struct rig_conn *r);
	void (*in_closed)(struct rig_conn *r);
	void (*in_connected)(struct rig_conn *r);
	void *arg;
};

extern const struct conn_ops rig_ops;

void rig_init(struct rig_conn *r);
void rig_fini(struct rig_conn *r); /* closes and frees what was got */
/* A connected pair of Unix sockets: one end becomes r's, the other is returned (non-blocking). */
int rig_pair(struct rig_conn *r, struct loop *loop);
/* The same over TCP on loopback, with small buffers when small > 0. */
int rig_pair_tcp(struct rig_conn *r, struct loop *loop, int small);
/* A listening socket on a free port of 127.0.0.1. */
int rig_listen(uint16_t *port);

/* One turn: settle, look at all fds once without waiting, settle. */
void rig_turn(struct loop *loop);
/* Lets the loop wait as it likes for so long; gives the number of its turns: a few, unless a watcher spins. */
unsigned rig_nap(struct loop *loop, unsigned ms);
/* Turns until cond(arg), for at most ten seconds; fails the test when it does not come. */
void rig_until(struct loop *loop, bool (*cond)(void *arg), void *arg);
/* some turns with nothing to expect of them */
void rig_turns(struct loop *loop, unsigned n);

bool rig_is_closed(void *r);	/* struct rig_conn: on_closed came */
bool rig_is_connected(void *r); /* on_connected came */
bool rig_is_sent(void *r);	/* its queue is empty */

/* Byte at a position of the endless stream that tests send. */
static inline uint8_t rig_byte(uint64_t at)
{
	return (uint8_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}
void rig_fill(uint8_t *to, size_t n, uint64_t at);
bool rig_is_stream(const uint8_t *p, size_t n, uint64_t at);
/* Reads what is there; -1: would block, 0: the end. */
ssize_t rig_read(int fd, void *to, size_t n);

#endif
