/*
 * expect.c - the expectation queue of one server connection.
 *
 * Called for every message in both directions: no allocation but the growth of
 * the ring when a pipeline is longer than ever before on this connection.
 */
#include "server/expect.h"

#include "base/mem.h"
#include "proto/wire.h"

#include <string.h>

void expect_init(struct expect *e)
{
	*e = (struct expect){.cap = EXPECT_INLINE};
}

static const uint8_t expect_kinds[256] = {
	[FE_QUERY] = EXPECT_QUERY,	     [FE_PARSE] = EXPECT_PARSE,	      [FE_BIND] = EXPECT_BIND,
	[FE_CLOSE] = EXPECT_CLOSE,	     [FE_DESCRIBE] = EXPECT_DESCRIBE, [FE_EXECUTE] = EXPECT_EXECUTE,
	[FE_SYNC] = EXPECT_SYNC,	     [FE_FUNCTION_CALL] = EXPECT_FUNCTION,
	[FE_COPY_DONE] = EXPECT_COPY_END,    [FE_COPY_FAIL] = EXPECT_COPY_END,
};

enum expect_kind expect_kind_of(uint8_t type)
{
	return (enum expect_kind)expect_kinds[type];
}

static inline uint8_t *expect_bytes(struct expect *e)
{
	return e->ring != NULL ? e->ring : e->here;
}

static inline void expect_pop(struct expect *e, enum expect_outcome outcome)
{
	uint8_t entry = expect_at(e, 0);

	e->head = (e->head + 1) & (e->cap - 1);
	e->count--;
	if (FX_UNLIKELY(entry & (EXPECT_NOTED | EXPECT_TOLD)))
		e->on_op(e, entry, outcome);
}

void expect_fini(struct expect *e)
{
	void (*on_op)(struct expect *, uint8_t, enum expect_outcome) = e->on_op;

	while (e->count > 0)
		expect_pop(e, EXPECT_SKIPPED);
	mem_free(e->ring);
	expect_init(e);
	e->on_op = on_op;
}

static int expect_grow(struct expect *e)
{
	uint32_t cap = e->cap * 2;
	uint8_t *ring;

	if (e->cap > UINT32_MAX / 4)
		return -1;
	ring = mem_try_alloc(cap);
	if (ring == NULL)
		return -1;
	for (uint32_t i = 0; i < e->count; i++)
		ring[i] = expect_at(e, i);
	mem_free(e->ring);
	e->ring = ring;
	e->cap = cap;
	e->head = 0;
	return 0;
}

static int expect_push(struct expect *e, uint8_t entry)
{
	if (e->count == e->cap && expect_grow(e) < 0)
		return -1;
	expect_bytes(e)[(e->head + e->count) & (e->cap - 1)] = entry;
	e->count++;
	e->pushed++;
	return 0;
}

static int expect_add(struct expect *e, enum expect_kind kind, uint8_t flags)
{
	if (expect_push(e, (uint8_t)(kind | flags)) < 0)
		return -1;
	if (kind == EXPECT_QUERY || kind == EXPECT_SYNC || kind == EXPECT_FUNCTION)
		e->batch++;
	return 1;
}

/* the server waits for CopyData; 0: the message is no entry */
static int expect_in_copy(struct expect *e, enum expect_kind kind)
{
	if (kind == EXPECT_COPY_END) {
		e->in_copy = false;
		e->has_flush = false;
		return 0;
	}
	if (kind == EXPECT_SYNC) {
		e->odd_syncs += e->odd_syncs < UINT32_MAX;
		return 0;
	}
	e->has_intruder = true;
	return 1;
}

int expect_request_noted(struct expect *e, uint8_t type, uint8_t flags)
{
	enum expect_kind kind = expect_kind_of(type);

	if (kind == EXPECT_NONE) {
		e->has_flush |= type == FE_FLUSH;
		return 0;
	}
	if (e->is_skipping) {
		if (kind != EXPECT_SYNC)
			return 0;
		e->is_skipping = e->is_awake = false;
		e->in_batch = false;
		return expect_add(e, kind, flags);
	}
	if (e->in_copy && expect_in_copy(e, kind) == 0)
		return 0;
	switch (kind) {
	case EXPECT_COPY_END:
		return 0; /* no COPY is open: the server ignores it */
	case EXPECT_QUERY:
	case EXPECT_SYNC:
		e->in_batch = false;
		break;
	case EXPECT_FUNCTION:
		break;
	default:
		e->in_batch = true;
		e->has_flush = false;
		break;
	}
	return expect_add(e, kind, flags);
}

int expect_request(struct expect *e, uint8_t type, bool ours)
{
	return expect_request_noted(e, type, ours ? EXPECT_OURS : 0) < 0 ? -1 : 0;
}

enum expect_admission expect_admit_odd(const struct expect *e, uint8_t type)
{
	enum expect_kind kind = expect_kind_of(type);

	/* what is owed may yet begin a COPY: nobody knows where in it this would come */
	if (type == FE_COPY_DATA || kind == EXPECT_COPY_END)
		return e->in_copy || e->count <= e->had_error ? EXPECT_SEND : EXPECT_WAIT;
	if (kind == EXPECT_NONE || kind == EXPECT_SYNC)
		return EXPECT_SEND;
	if (e->doubt > 0 || (e->odd_syncs > 0 && !e->in_copy))
		return EXPECT_WAIT;
	return e->is_awake && e->is_skipping ? EXPECT_DROP : EXPECT_SEND;
}

bool expect_wants_flush(const struct expect *e)
{
	return e->in_batch && e->count > 0 && !e->in_copy && !e->has_flush;
}

bool expect_wants_probe(const struct expect *e)
{
	return e->doubt > 0 && e->count == 0 && (!e->is_skipping || e->is_awake);
}

bool expect_wants_rouse(const struct expect *e)
{
	return e->doubt > 0 && e->count == 0 && e->is_skipping && !e->is_awake;
}

int expect_probe(struct expect *e)
{
	return expect_add(e, EXPECT_CLOSE, EXPECT_OURS) < 0 || expect_add(e, EXPECT_SYNC, EXPECT_OURS) < 0 ? -1 : 0;
}

int expect_rouse(struct expect *e)
{
	e->is_awake = true;
	return expect_add(e, EXPECT_SYNC, EXPECT_OURS) < 0 ? -1 : 0;
}

/* does anything behind the front end a batch? */
static bool expect_has_end(const struct expect *e)
{
	for (uint32_t i = 1; i < e->count; i++) {
		uint8_t kind = expect_at(e, i) & EXPECT_KIND;

		if (kind == EXPECT_SYNC || kind == EXPECT_QUERY)
			return true;
	}
	return false;
}

/* the server has begun copy-in for the entry at the front: what was sent behind that it reads as a part of the COPY */
static void expect_begin_copy(struct expect *e)
{
	uint8_t *bytes = expect_bytes(e);
	uint32_t to = 1, i;

	for (i = 1; i < e->count; i++) {
		uint8_t entry = expect_at(e, i);

		if ((entry & EXPECT_KIND) == EXPECT_SYNC) {
			e->odd_syncs++;
			continue;
		}
		e->has_intruder = true;
		bytes[(e->head + to++) & (e->cap - 1)] = entry;
	}
	e->pushed -= e->count - to;
	e->count = to;
	e->in_copy = true;
	/* the Sync that was to end this batch counts for nothing: the batch waits for another one */
	if (e->odd_syncs > 0 && (expect_at(e, 0) & EXPECT_KIND) == EXPECT_EXECUTE && !expect_has_end(e))
		e->in_batch = true;
}

enum expect_fate expect_watched(const struct expect *e)
{
	uint32_t front = e->pushed - e->count;

	if (e->was_skipped)
		return EXPECT_BADLY;
	if (!e->is_watching || e->batch == e->watched_batch)
		return EXPECT_WELL;
	if (e->has_intruder)
		return EXPECT_UNKNOWN;
	/* a COPY has begun: all in front of it went well */
	return e->in_copy || (int32_t)(front - e->watched) > 0 ? EXPECT_WELL : EXPECT_UNKNOWN;
}

/* From failed_at on to the front nothing was done.  Where a COPY has taken Syncs in, or worse, that can't be told. */
static void expect_note_skipped(struct expect *e, bool is_muddled)
{
	uint32_t front = e->pushed - e->count;

	if (!e->is_watching || (!is_muddled && e->watched - e->failed_at >= front - e->failed_at))
		return;
	e->was_skipped = true;
	e->is_watching = false;
}

static void expect_error(struct expect *e)
{
	uint8_t kind = expect_at(e, 0) & EXPECT_KIND;
	bool is_muddled = e->odd_syncs > 0 || e->has_intruder;

	e->failed_at = e->pushed - e->count;
	if (e->has_intruder)
		e->is_ambiguous = true;
	/* the answer to our probe, if any is in doubt here; which of a COPY's Syncs came after its end begins to be */
	e->doubt = kind == EXPECT_CLOSE ? 0 : e->doubt + e->odd_syncs;
	e->odd_syncs = 0;
	e->in_copy = false;
	e->has_intruder = false;
	if (kind == EXPECT_QUERY || kind == EXPECT_FUNCTION || kind == EXPECT_SYNC) {
		e->had_error = true;
		return; /* ReadyForQuery still comes */
	}
	expect_pop(e, EXPECT_FAILED);
	while (e->count > 0 && (expect_at(e, 0) & EXPECT_KIND) != EXPECT_SYNC)
		expect_pop(e, EXPECT_SKIPPED);
	if (e->count == 0)
		e->is_skipping = true;
	expect_note_skipped(e, is_muddled);
}

/* a ReadyForQuery for a Sync that was sent into a COPY */
static enum expect_verdict expect_odd_ready(struct expect *e)
{
	e->doubt--;
	/* that Sync has ended the batch, and what the error made the server ignore */
	e->in_batch = e->is_skipping = e->is_awake = false;
	return EXPECT_FORWARD;
}

/* what a reply does to the entry at the front */
enum expect_effect { EFFECT_NO, EFFECT_STAYS, EFFECT_POPS };

static enum expect_effect expect_effect(uint8_t kind, uint8_t type)
{
	bool runs = kind == EXPECT_QUERY || kind == EXPECT_EXECUTE;
	enum expect_effect ends = kind == EXPECT_QUERY ? EFFECT_STAYS : EFFECT_POPS;

	switch (type) {
	case BE_PARSE_COMPLETE:
		return kind == EXPECT_PARSE ? EFFECT_POPS : EFFECT_NO;
	case BE_BIND_COMPLETE:
		return kind == EXPECT_BIND ? EFFECT_POPS : EFFECT_NO;
	case BE_CLOSE_COMPLETE:
		return kind == EXPECT_CLOSE ? EFFECT_POPS : EFFECT_NO;
	case BE_PARAMETER_DESCRIPTION:
		return kind == EXPECT_DESCRIBE ? EFFECT_STAYS : EFFECT_NO;
	case BE_ROW_DESCRIPTION:
		return kind == EXPECT_DESCRIBE || kind == EXPECT_QUERY ? ends : EFFECT_NO;
	case BE_NO_DATA:
		return kind == EXPECT_DESCRIBE ? EFFECT_POPS : EFFECT_NO;
	case BE_COMMAND_COMPLETE:
	case BE_EMPTY_QUERY_RESPONSE:
		return runs ? ends : EFFECT_NO;
	case BE_PORTAL_SUSPENDED:
		return kind == EXPECT_EXECUTE ? EFFECT_POPS : EFFECT_NO;
	case BE_DATA_ROW:
	case BE_COPY_IN_RESPONSE:
	case BE_COPY_OUT_RESPONSE:
	case BE_COPY_DATA:
	case BE_COPY_DONE:
		return runs ? EFFECT_STAYS : EFFECT_NO;
	case BE_COPY_BOTH_RESPONSE:
		return kind == EXPECT_QUERY ? EFFECT_STAYS : EFFECT_NO; /* START_REPLICATION */
	case BE_FUNCTION_CALL_RESPONSE:
		return kind == EXPECT_FUNCTION ? EFFECT_STAYS : EFFECT_NO;
	case BE_READY_FOR_QUERY:
		return kind == EXPECT_QUERY || kind == EXPECT_SYNC || kind == EXPECT_FUNCTION ? EFFECT_POPS
											       : EFFECT_NO;
	default:
		return EFFECT_NO;
	}
}

enum expect_verdict expect_reply(struct expect *e, uint8_t type)
{
	enum expect_verdict owner;
	enum expect_effect effect;
	uint8_t front;

	if (e->count == 0) {
		if (e->doubt > 0 && type == BE_READY_FOR_QUERY)
			return expect_odd_ready(e);
		if (type == BE_NOTICE_RESPONSE || type == BE_PARAMETER_STATUS || type == BE_NOTIFICATION_RESPONSE)
			return EXPECT_STRAY;
		if (type == BE_ERROR_RESPONSE)
			return EXPECT_FATAL;
		return e->is_ambiguous && type == BE_READY_FOR_QUERY ? EXPECT_FORWARD : EXPECT_DESYNC;
	}
	front = expect_at(e, 0);
	owner = front & EXPECT_OURS ? EXPECT_SWALLOW : EXPECT_FORWARD;
	if (type == BE_NOTICE_RESPONSE || type == BE_PARAMETER_STATUS || type == BE_NOTIFICATION_RESPONSE)
		return e->doubt > 0 ? EXPECT_FORWARD : owner;
	if (type == BE_ERROR_RESPONSE) {
		expect_error(e);
		/* a statement that we prepare for the client once more: its failure is the answer to the client's Bind */
		return front & (EXPECT_NOTED | EXPECT_TOLD) ? EXPECT_FORWARD : owner;
	}
	effect = expect_effect(front & EXPECT_KIND, type);
	if (effect == EFFECT_NO && e->doubt > 0 && type == BE_READY_FOR_QUERY)
		return expect_odd_ready(e);
	if (effect == EFFECT_NO)
		return e->is_ambiguous && type == BE_READY_FOR_QUERY ? owner : EXPECT_DESYNC;
	if (type == BE_COPY_IN_RESPONSE || type == BE_COPY_BOTH_RESPONSE) {
		if (e->in_copy)
			return EXPECT_DESYNC;
		expect_begin_copy(e);
	} else if (type == BE_COMMAND_COMPLETE) {
		/* a COPY has read all to its end, which was sent before it had begun where a COPY before it had failed unknown to us */
		e->in_copy = false;
		e->has_intruder = false;
		e->odd_syncs = 0;
	} else if (type == BE_CLOSE_COMPLETE) {
		e->doubt = 0; /* of our probe: nothing else waits for that while there is doubt */
	}
	if (effect == EFFECT_POPS) {
		expect_pop(e, e->had_error ? EXPECT_FAILED : EXPECT_DONE);
		e->had_error = false;
	}
	if (owner == EXPECT_FORWARD && type == BE_PARSE_COMPLETE && (front & (EXPECT_NOTED | EXPECT_TOLD)))
		return EXPECT_REPLACE;
	return front & EXPECT_PARSED ? EXPECT_REPLACE : owner;
}

bool expect_is_ours(const struct expect *e)
{
	return e->count > 0 && (expect_at(e, 0) & (EXPECT_OURS | EXPECT_NOTED | EXPECT_TOLD)) == EXPECT_OURS;
}

bool expect_is_quiet(const struct expect *e)
{
	return e->count == 0 && !e->in_batch && !e->is_skipping && !e->in_copy && !e->is_ambiguous && e->doubt == 0;
}
