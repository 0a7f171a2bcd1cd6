/*
 * loop.c - the turn of a loop, whatever engine does the waiting.
 *
 * Runs on the loop's thread; loop_post and loop_stop are called by all.
 */
#include "net/loop.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/tlslate.h"

#include <string.h>

#define LOOP_READ_MIN ((size_t)16 * 1024)
#define LOOP_BLOCK_KEEP 256

int loop_init(struct loop *loop, const struct engine_ops *engine, unsigned index, void *owner)
{
	memset(loop, 0, sizeof(*loop));
	loop->engine = engine;
	loop->index = index;
	loop->owner = owner;
	mailbox_init(&loop->mailbox);
	timeout_set_init(&loop->timeouts);
	dlist_init(&loop->dirty);
	dlist_init(&loop->strays);
	tlslate_init(loop);
	chunk_pool_init(&loop->chunks, CHUNK_SIZE, CHUNK_KEEP);
	if (engine->init(loop) < 0) {
		timeout_set_fini(&loop->timeouts);
		return -1;
	}
	loop->now = engine->now(loop);
	longturn_init(&loop->longturns, loop->now);
	return 0;
}

static void loop_bury(struct loop *loop)
{
	while (loop->graves != NULL) {
		struct loop_grave *grave = loop->graves;

		loop->graves = grave->next;
		grave->destroy(grave);
	}
}

void loop_fini(struct loop *loop)
{
	loop_bury(loop);
	log_flush();
	if (loop->rx != NULL)
		chunk_unref(loop->rx);
	if (loop->tx != NULL)
		chunk_unref(loop->tx);
	chunk_pool_fini(&loop->chunks);
	outq_free_spares(loop);
	while (loop->free_blocks != NULL) {
		struct loop_block *block = loop->free_blocks;

		loop->free_blocks = block->next;
		mem_free(block);
	}
	timeout_set_fini(&loop->timeouts);
	loop->engine->fini(loop);
}

void loop_end_strays(struct loop *loop)
{
	struct dlist *node;

	while ((node = dlist_first(&loop->strays)) != NULL) {
		struct loop_stray *stray = container_of(node, struct loop_stray, link);

		stray->end(stray);
	}
}

void loop_run(struct loop *loop)
{
	/* deadlines armed before count from loop_init, but the first turn's must not be judged by that */
	loop->now = loop->engine->now(loop);
	loop->engine->run(loop);
}

static void loop_stop_deliver(struct loop *loop, struct mail *mail)
{
	mem_free(mail);
	loop->stopping = true;
	loop->engine->stop(loop);
}

void loop_stop(struct loop *loop)
{
	loop_post(loop, mem_alloc(sizeof(struct mail)), loop_stop_deliver);
}

void loop_post(struct loop *loop, struct mail *mail, mail_fn *deliver)
{
	mail->deliver = deliver;
	if (mailbox_put(&loop->mailbox, mail))
		loop->engine->wake(loop);
}

void loop_defer_free(struct loop *loop, struct loop_grave *grave, void (*destroy)(struct loop_grave *))
{
	grave->destroy = destroy;
	grave->next = loop->graves;
	loop->graves = grave;
}

void loop_arm(struct loop *loop, struct timeout *t, uint64_t duration)
{
	timeout_arm(&loop->timeouts, t, loop->now, duration);
}

uint8_t *loop_read_room(struct loop *loop, size_t *n)
{
	if (loop->rx != NULL && CHUNK_SIZE - loop->rx_pos < LOOP_READ_MIN) {
		chunk_unref(loop->rx);
		loop->rx = NULL;
	}
	if (loop->rx == NULL) {
		loop->rx = chunk_new(&loop->chunks);
		loop->rx_pos = 0;
	}
	*n = CHUNK_SIZE - loop->rx_pos;
	return loop->rx->data + loop->rx_pos;
}

void loop_read_done(struct loop *loop, size_t n)
{
	CHECK(n <= CHUNK_SIZE - loop->rx_pos);
	if (loop->rx->refs > 1)
		loop->rx_pos += n;
}

void loop_turn_begin(struct loop *loop)
{
	loop->now = loop->engine->now(loop);
	loop->turns++;
	loop->events = 0;
}

static void loop_settle_dirty(struct loop *loop)
{
	struct dlist *node;

	while ((node = dlist_pop_front(&loop->dirty)) != NULL)
		conn_settle(container_of(node, struct conn, dirty));
}

/* bytes lent or queued in this turn are gone in most turns: write the chunks from their start again */
static void loop_rewind_chunks(struct loop *loop)
{
	if (loop->rx != NULL && loop->rx->refs == 1)
		loop->rx_pos = 0;
	if (loop->tx != NULL && loop->tx->refs == 1)
		loop->tx_pos = 0;
}

void loop_turn_end(struct loop *loop)
{
	uint64_t due;

	if (!mailbox_is_empty(&loop->mailbox))
		loop->events += mailbox_drain(&loop->mailbox, loop);
	timeout_run(&loop->timeouts, loop->now);
	do {
		/* whoever gets an answer finds in the log what came before it */
		log_flush();
		loop_settle_dirty(loop);
		loop_bury(loop);
		/* what is buried may speak its last words on another conn */
	} while (!dlist_is_empty(&loop->dirty));
	log_flush();
	loop_rewind_chunks(loop);
	due = timeout_next_due(&loop->timeouts);
	/* a timer that fires early only costs a turn, setting it each turn costs more */
	if (due != loop->timer_due && (loop->timer_due == 0 || due == 0 || due < loop->timer_due ||
				       loop->timer_due <= loop->now)) {
		loop->timer_due = due;
		loop->engine->set_timer(loop, due);
	}
	longturn_ended(loop, loop->engine->now(loop));
}

void loop_mark_dirty(struct loop *loop, struct conn *c)
{
	if (!dlist_is_linked(&c->dirty))
		dlist_push_back(&loop->dirty, &c->dirty);
}

uint8_t *loop_block_take(struct loop *loop)
{
	struct loop_block *block = loop->free_blocks;

	if (block == NULL)
		return mem_try_alloc(LOOP_BLOCK_SIZE);
	loop->free_blocks = block->next;
	loop->free_block_count--;
	return (uint8_t *)block;
}

void loop_block_give(struct loop *loop, uint8_t *bytes)
{
	struct loop_block *block = (void *)bytes;

	if (loop->free_block_count >= LOOP_BLOCK_KEEP) {
		mem_free(bytes);
		return;
	}
	block->next = loop->free_blocks;
	loop->free_blocks = block;
	loop->free_block_count++;
}
