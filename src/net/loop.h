/*
 * loop.h - one thread's loop: its conns, deadlines, mail and I/O memory.
 *
 * One thread, except loop_post and loop_stop (any thread).  A turn is: wait,
 * take the time once, deliver events, deliver mail, fire deadlines, then settle:
 * write every out-queue that was touched, once, and free what has died.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/dlist.h"
#include "net/chunk.h"
#include "net/engine.h"
#include "net/longturn.h"
#include "net/mailbox.h"
#include "net/timeout.h"

#define LOOP_ENGINE_SIZE 512

#define LOOP_BLOCK_SIZE 1024 /* a paused conn keeps its bytes in one of these when they fit */

struct loop_block {
	struct loop_block *next;
};

struct loop_grave; /* something to be freed at the end of the turn */

struct loop {
	const struct engine_ops *engine;
	unsigned index; /* the owner's number for it */
	void *owner;
	uint64_t now; /* monotonic microseconds of this turn */
	uint8_t apart[64]; /* others write the mailbox, and nothing else */
	struct mailbox mailbox;
	uint8_t apart_too[64];
	struct timeout_set timeouts;
	uint64_t timer_due; /* what the engine's timer is set to */
	struct dlist dirty;
	struct dlist strays;
	struct dlist late; /* tlslate.c: handshakes that wait for a later turn */
	struct timeout late_turn;
	struct chunk_pool chunks;
	struct chunk *rx; /* reading goes here */
	size_t rx_pos;
	struct chunk *tx; /* copies of what we say ourselves */
	size_t tx_pos;
	struct outq_seg *free_segs;
	struct loop_block *free_blocks; /* for bytes kept by paused conns */
	unsigned free_seg_count, free_block_count;
	struct loop_grave *graves;
	struct conn *active; /* whose callback runs; NULL when it was closed or detached inside */
	uint64_t turns;
	uint64_t kernel_tls; /* conns whose way out the kernel has taken over (tlskernel.h), ever */
	unsigned events; /* of this turn, see longturn.h */
	struct longturns longturns;
	bool stopping;
	_Alignas(16) uint8_t engine_state[LOOP_ENGINE_SIZE];
};

/* 0, or -1 when the engine cannot start (errno is set). */
int loop_init(struct loop *loop, const struct engine_ops *engine, unsigned index, void *owner) FX_MUST_USE;
/* After loop_run has returned, on any one thread.  Every conn and listener must be closed; deadlines are disarmed,
 * graves are filled.  Mail that came after the stop is not delivered: whoever may have sent some calls
 * mailbox_drain before. */
void loop_fini(struct loop *loop);
void loop_run(struct loop *loop);
/* Any thread; the loop ends its turn. */
void loop_stop(struct loop *loop);

static inline uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

/* Any thread.  Takes the mail. */
void loop_post(struct loop *loop, struct mail *mail, mail_fn *deliver);
/* Takes p; destroy(p) runs at the end of the turn. */
struct loop_grave {
	struct loop_grave *next;
	void (*destroy)(struct loop_grave *);
};
void loop_defer_free(struct loop *loop, struct loop_grave *grave, void (*destroy)(struct loop_grave *));
void loop_arm(struct loop *loop, struct timeout *t, uint64_t duration);

/* Something that lives on this loop by itself, with no owner who would end it when the loop does. */
struct loop_stray {
	struct dlist link;
	void (*end)(struct loop_stray *); /* removes itself */
};
static inline void loop_stray_add(struct loop *loop, struct loop_stray *stray, void (*end)(struct loop_stray *))
{
	stray->end = end;
	dlist_push_back(&loop->strays, &stray->link);
}
/* Before loop_fini. */
void loop_end_strays(struct loop *loop);

/* For engines: reading to the loop's own chunk.  loop_read_room says where (at least 16 KiB), conn_input is told of what was
 * read. */
uint8_t *loop_read_room(struct loop *loop, size_t *n);
void loop_turn_begin(struct loop *loop);	       /* after waiting */
void loop_turn_end(struct loop *loop);		       /* before waiting */
/* For conn.c. */
void loop_read_done(struct loop *loop, size_t n); /* n bytes at the reading place were lent: kept where somebody holds on to them */
uint8_t *loop_block_take(struct loop *loop); /* NULL: no memory */
void loop_block_give(struct loop *loop, uint8_t *block);
void loop_mark_dirty(struct loop *loop, struct conn *c);

#endif
