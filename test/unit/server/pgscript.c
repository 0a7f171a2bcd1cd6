/*
 * pgscript.c - how PostgreSQL answers.  Chance decides what a statement is and where it fails.
 */
#include "test/unit/server/pgscript.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void pgscript_init(struct pgscript *p, struct rnd *rnd)
{
	/* all but the replies, which are many */
	memset(p, 0, offsetof(struct pgscript, out));
	p->rnd = rnd;
	p->error_in = 8;
}

static unsigned below(struct pgscript *p, unsigned n)
{
	return (unsigned)rnd_below(p->rnd, n);
}

static void put(struct pgscript *p, uint8_t type, struct pgscript_message to)
{
	if (p->last == PGSCRIPT_REPLIES)
		abort();
	p->out[p->last++] = (struct pgscript_reply){.type = type, .to = to};
	if (type == 'E' || type == 'G' || type == 'Z')
		p->visible = p->last;
}

static void say(struct pgscript *p, uint8_t type, struct pgscript_message to)
{
	while (!to.is_probe && below(p, 12) == 0)
		put(p, (uint8_t)"NSA"[below(p, 3)], to);
	put(p, type, to);
}

static void say_some(struct pgscript *p, uint8_t type, struct pgscript_message to)
{
	for (unsigned n = below(p, 4); n > 0; n--)
		say(p, type, to);
}

static bool fails(struct pgscript *p)
{
	return p->error_in > 0 && below(p, p->error_in) == 0;
}

static void fail_extended(struct pgscript *p, struct pgscript_message m)
{
	say(p, 'E', m);
	p->is_skipping = true;
}

static void begin_copy(struct pgscript *p, struct pgscript_message m)
{
	say(p, 'G', m);
	p->in_copy = true;
	p->copy_of = m;
}

static void copy_out(struct pgscript *p, struct pgscript_message m)
{
	say(p, 'H', m);
	say_some(p, 'd', m);
	say(p, 'c', m);
	say(p, 'C', m);
}

/* the statements of a Query, up to a COPY FROM STDIN or the end */
static void run_query(struct pgscript *p, struct pgscript_message m)
{
	while (p->statements > 0) {
		p->statements--;
		if (fails(p)) {
			if (below(p, 2)) {
				say(p, 'T', m);
				say_some(p, 'D', m);
			}
			say(p, 'E', m);
			break;
		}
		/* nothing of ours is a COPY */
		switch (below(p, m.ours ? 3 : 5)) {
		case 0:
			say(p, 'T', m);
			say_some(p, 'D', m);
			say(p, 'C', m);
			break;
		case 1:
			say(p, 'C', m);
			break;
		case 2:
			copy_out(p, m);
			break;
		case 4:
			begin_copy(p, m);
			return;
		default:
			say(p, 'C', m);
			break;
		}
	}
	p->statements = 0;
	say(p, 'Z', m);
}

static void take_query(struct pgscript *p, struct pgscript_message m)
{
	p->has_batch = false;
	p->statements = below(p, 4);
	if (p->statements == 0) {
		say(p, 'I', m);
		say(p, 'Z', m);
		return;
	}
	run_query(p, m);
}

static void take_execute(struct pgscript *p, struct pgscript_message m)
{
	switch (below(p, m.ours ? 5 : 6)) {
	case 0:
		say_some(p, 'D', m);
		say(p, 'C', m);
		break;
	case 1:
		say_some(p, 'D', m);
		say(p, 's', m);
		break;
	case 2:
		say(p, 'I', m);
		break;
	case 5:
		begin_copy(p, m);
		break;
	case 4:
		copy_out(p, m);
		break;
	default:
		say_some(p, 'D', m);
		if (fails(p))
			fail_extended(p, m);
		else
			say(p, 'C', m);
		break;
	}
}

static void copy_failed(struct pgscript *p)
{
	say(p, 'E', p->copy_of);
	p->out[p->last - 1].in_copy_error = true;
	p->in_copy = false;
	if (p->copy_of.type == 'Q') {
		p->statements = 0;
		say(p, 'Z', p->copy_of);
	} else {
		p->is_skipping = true;
	}
}

static void take_in_copy(struct pgscript *p, struct pgscript_message m)
{
	switch (m.type) {
	case 'H':
	case 'S':
		return;
	case 'd':
		if (fails(p))
			copy_failed(p);
		return;
	case 'f':
		copy_failed(p);
		return;
	case 'c':
		if (fails(p)) {
			copy_failed(p);
			return;
		}
		p->in_copy = false;
		say(p, 'C', p->copy_of);
		if (p->copy_of.type == 'Q')
			run_query(p, p->copy_of);
		return;
	default:
		/* "unexpected message type during COPY from stdin", and synchronization is lost */
		say(p, 'E', p->copy_of);
		p->is_dead = true;
		return;
	}
}

void pgscript_take(struct pgscript *p, struct pgscript_message m)
{
	bool had_failed = p->is_skipping, had_batch = p->has_batch;

	if (p->is_dead)
		return;
	if (p->seed != 0)
		rnd_seed(p->rnd, (p->seed * 4096 + m.no) * 4 + m.ours * 2 + m.is_probe);
	if (p->in_copy) {
		take_in_copy(p, m);
		return;
	}
	if (p->is_skipping && m.type != 'S')
		return;
	switch (m.type) {
	case 'S':
		p->is_skipping = false;
		p->has_batch = false;
		/* there is something to commit */
		if (had_batch && !had_failed && fails(p))
			say(p, 'E', m);
		say(p, 'Z', m);
		return;
	case 'H':
		p->visible = p->last;
		return;
	case 'Q':
		take_query(p, m);
		return;
	case 'F':
		say(p, fails(p) ? 'E' : 'V', m);
		say(p, 'Z', m);
		return;
	case 'P':
	case 'B':
	case 'C':
	case 'D':
	case 'E':
		p->has_batch = true;
		if (fails(p))
			fail_extended(p, m);
		else if (m.type == 'E')
			take_execute(p, m);
		else if (m.type == 'D') {
			if (below(p, 2))
				say(p, 't', m);
			say(p, below(p, 2) ? 'T' : 'n', m);
		} else
			say(p, m.type == 'P' ? '1' : m.type == 'B' ? '2' : '3', m);
		return;
	default: /* d, c, f outside of COPY */
		return;
	}
}

bool pgscript_next(struct pgscript *p, struct pgscript_reply *out)
{
	if (p->first == p->visible)
		return false;
	*out = p->out[p->first++];
	if (p->first == p->last)
		p->first = p->visible = p->last = 0;
	return true;
}
