/*
 * statement_script.c - what a fake client says with prepared statements.
 *
 * Few names and few texts, so that clients collide; a text names no client, so that they share it.  Whose a request
 * is says the first parameter, or the portal where there is none.
 */
#include "client_script.h"

#include <stdio.h>
#include <string.h>

#define NAMES 4
#define KINDS 14
#define LONG_NAME "a_name_that_is_longer_than_63_bytes_as_some_tools_do_make_them_of_hashes"

struct kind {
	const char *text;
	unsigned types;
	uint32_t type[2];
};

/* the first ones are in use more often */
static const struct kind kinds[KINDS] = {
	{"tell K0 1", 1, {25, 0}}, {"tell K0 1", 1, {23, 0}},  {"tell K0 1", 2, {25, 23}}, {"tell K1 2", 1, {25, 0}},
	{"tell K2 0", 1, {25, 0}}, {"tell K3 1", 2, {23, 25}}, {"plan K4 1", 1, {25, 0}},  {"tell K5 1", 0, {0, 0}},
	{"error K6", 1, {25, 0}},  {"bogus K7", 1, {25, 0}},   {"", 0, {0, 0}},		   {"begin", 0, {0, 0}},
	{"commit", 0, {0, 0}},	   {"rollback", 0, {0, 0}},
};
static const char *const names[NAMES] = {"n0", "n1", "N2", LONG_NAME};

static unsigned pick_kind(void)
{
	const struct fakeclient_manners *m = &fclients.manners;
	unsigned k = sim_rnd(sim_one_in(2) ? 4 : KINDS);

	if (k >= 11 && m->is_autonomous)
		k = 0;
	return k;
}

static void say_parse(struct bytes *b, const char *name, unsigned kind)
{
	const struct kind *k = &kinds[kind];
	uint32_t at = bytes_begin(b, 'P');

	bytes_str(b, name);
	bytes_str(b, k->text);
	bytes_u16(b, (uint16_t)k->types);
	for (unsigned i = 0; i < k->types; i++)
		bytes_u32(b, k->type[i]);
	bytes_end(b, at);
}

static void say_bind(struct fclient *c, struct bytes *b, const char *name, unsigned types, char *portal, size_t size)
{
	const char *token = script_token(c);
	uint32_t at = bytes_begin(b, 'B');

	snprintf(portal, size, "%s", types == 0 || sim_one_in(8) ? token : "");
	bytes_str(b, portal);
	bytes_str(b, name);
	bytes_u16(b, 0);
	bytes_u16(b, (uint16_t)types);
	for (unsigned i = 0; i < types; i++) {
		bytes_u32(b, (uint32_t)strlen(token));
		bytes_put(b, token, (uint32_t)strlen(token));
	}
	bytes_u16(b, 0);
	bytes_end(b, at);
}

/* Bind, perhaps Describe, Execute */
static void say_run(struct fclient *c, struct bytes *b, const char *name, unsigned types)
{
	char portal[32];

	say_bind(c, b, name, types, portal, sizeof(portal));
	if (sim_one_in(4))
		script_named(b, 'D', 'P', portal);
	script_e(b, portal, sim_one_in(6) ? 1 : 0);
	if (sim_one_in(8))
		script_named(b, 'C', 'P', portal);
}

static void op_parse_kind(struct fclient *c, struct bytes *b, unsigned i, unsigned k)
{
	say_parse(b, names[i], k);
	if (c->types[i] == 0)
		c->types[i] = kinds[k].types + 1;
}

static void op_parse(struct fclient *c, struct bytes *b, unsigned i)
{
	op_parse_kind(c, b, i, pick_kind());
}

static void op_run(struct fclient *c, struct bytes *b, unsigned i)
{
	unsigned types = c->types[i] > 0 ? c->types[i] - 1 : sim_rnd(3);

	say_run(c, b, names[i], !fclients.manners.says_pipeline && sim_one_in(30) ? sim_rnd(3) : types);
}

static void op_close(struct fclient *c, struct bytes *b, unsigned i)
{
	script_named(b, 'C', 'S', names[i]);
	c->types[i] = 0;
}

static void op_any(struct fclient *c, struct bytes *b)
{
	unsigned i = sim_rnd(sim_one_in(3) ? NAMES : 2);

	switch (sim_rnd(8)) {
	case 0:
		op_close(c, b, i);
		break;
	case 1:
		op_close(c, b, i);
		op_parse(c, b, i);
		break;
	case 2:
		script_named(b, 'D', 'S', names[i]);
		break;
	case 3:
		op_parse(c, b, i);
		break;
	case 4:
		if (c->types[i] == 0)
			op_parse(c, b, i);
		op_run(c, b, i);
		break;
	default:
		op_run(c, b, i);
	}
}

/* an unnamed statement between the named ones */
static void op_unnamed(struct fclient *c, struct bytes *b)
{
	unsigned k = pick_kind();

	say_parse(b, "", k);
	say_run(c, b, "", kinds[k].types);
}

static void say_error(struct bytes *b)
{
	uint32_t at;

	if (sim_one_in(2)) {
		at = bytes_begin(b, 'P');
		bytes_str(b, sim_one_in(2) ? "" : names[sim_rnd(NAMES)]);
		bytes_str(b, "bogus error");
		bytes_u16(b, 0);
		bytes_end(b, at);
	} else {
		script_e(b, "no such portal", 0);
	}
}

/* --- requests --- */

static void prepared_few(struct fclient *c)
{
	struct bytes *b = script_step(c, false);

	for (unsigned n = 1 + sim_rnd(3); n > 0; n--) {
		if (sim_one_in(8))
			op_unnamed(c, b);
		else
			op_any(c, b);
		if (sim_one_in(6)) {
			bytes_msg(b, 'H');
			b = script_step(c, true);
		}
	}
	bytes_msg(b, 'S');
}

/* an error at any place of a long pipeline with few ends */
static void prepared_pipeline(struct fclient *c, unsigned messages)
{
	struct bytes *b = script_step(c, false);
	unsigned syncs = sim_rnd(6), at = sim_rnd(messages + 1);

	if (sim_one_in(4))
		at = messages; /* none */
	for (unsigned i = 0; i < messages; i++) {
		if (i == at)
			say_error(b);
		else if (syncs > 0 && sim_one_in(messages / 5 + 1)) {
			bytes_msg(b, 'S');
			syncs--;
		} else if (sim_one_in(10))
			op_unnamed(c, b);
		else
			op_any(c, b);
	}
	bytes_msg(b, 'S');
}

static void prepared_batches(struct fclient *c)
{
	for (unsigned n = 2 + sim_rnd(4); n > 0; n--) {
		struct bytes *b = script_step(c, sim_one_in(3));

		op_any(c, b);
		if (sim_one_in(8))
			say_error(b);
		bytes_msg(b, 'S');
	}
}

static void prepared_transaction(struct fclient *c)
{
	struct bytes *b;

	if (fclients.manners.is_autonomous) {
		prepared_batches(c);
		return;
	}
	script_q(script_step(c, false), "begin %s", script_token(c));
	for (unsigned n = 1 + sim_rnd(4); n > 0; n--) {
		b = script_step(c, !sim_one_in(3));
		op_any(c, b);
		if (sim_one_in(4))
			op_any(c, b);
		if (sim_one_in(8))
			say_error(b);
		bytes_msg(b, 'S');
	}
	script_q(script_step(c, !sim_one_in(3)), "%s %s", sim_one_in(3) ? "rollback" : "commit", script_token(c));
}

static void say_dealloc_text(char *text, size_t size, unsigned i)
{
	char quoted[96];

	snprintf(quoted, sizeof(quoted), names[i][0] == 'N' || sim_one_in(3) ? "\"%.63s\"" : "%.63s", names[i]);
	switch (sim_rnd(4)) {
	case 0:
		snprintf(text, size, "deallocate %s", quoted);
		break;
	case 1:
		snprintf(text, size, "DEALLOCATE PREPARE %s", quoted);
		break;
	case 2:
		snprintf(text, size, "/* and */ Deallocate %s", quoted);
		break;
	default:
		snprintf(text, size, "deallocate /**/ %s", quoted);
	}
}

static void say_dealloc_parse(struct bytes *b, const char *name, const char *text)
{
	uint32_t at = bytes_begin(b, 'P');

	bytes_str(b, name);
	bytes_str(b, text);
	bytes_u16(b, 0);
	bytes_end(b, at);
}

/* The name ends when this is executed: at once, in a later batch, twice; or never, for an error, a cancel, or because nobody does. */
static void prepared_deallocate_extended(struct fclient *c, unsigned i, const char *text)
{
	struct bytes *b = script_step(c, sim_one_in(2));
	bool is_block = !fclients.manners.is_autonomous && sim_one_in(3), is_late = sim_one_in(3);
	unsigned j = sim_rnd(NAMES);
	const char *name = sim_one_in(2) ? "" : names[j];
	char portal[32];

	if (is_block) {
		script_q(b, "begin %s", script_token(c));
		b = script_step(c, true);
	}
	if (name[0] != '\0') {
		op_close(c, b, j);
		c->types[j] = 1;
	} else {
		c->gives_up = true;
	}
	say_dealloc_parse(b, name, text);
	if (is_late) {
		bytes_msg(b, 'S');
		b = script_step(c, true);
		c->step[c->step_count - 1].pauses = sim_one_in(2);
	}
	/* an unnamed one that was bound with its Parse may be gone when a later batch binds it again */
	for (unsigned n = name[0] != '\0' && sim_one_in(6) ? 2 : 1; n > 0; n--) {
		if (sim_one_in(8))
			say_error(b);
		say_bind(c, b, name, 0, portal, sizeof(portal));
		if (is_block && sim_one_in(2)) {
			bytes_msg(b, 'S');
			b = script_step(c, true);
		}
		/* no Parse of it: what nobody has heard of at the Bind stays so */
		if (sim_one_in(8))
			op_run(c, b, sim_rnd(2));
		if (sim_one_in(8))
			op_close(c, b, i);
		if (sim_one_in(10))
			script_named(b, 'C', 'P', portal);
		if (!sim_one_in(6)) {
			script_e(b, portal, sim_one_in(6) ? 1 : 0);
			c->types[i] = 0;
		}
	}
	if (sim_one_in(3))
		op_any(c, b);
	bytes_msg(b, 'S');
	if (is_block)
		script_q(script_step(c, !sim_one_in(3)), "%s %s", sim_one_in(3) ? "rollback" : "commit", script_token(c));
}

static void prepared_deallocate(struct fclient *c)
{
	unsigned i = sim_rnd(3); /* names of more than 63 bytes are another one's in SQL */
	char text[128];

	say_dealloc_text(text, sizeof(text), i);
	if (sim_one_in(3)) {
		script_q(script_step(c, sim_one_in(2)), "%s", text);
		c->types[i] = 0;
	} else {
		prepared_deallocate_extended(c, i, text);
	}
}

/* all of them go; what comes next waits for that */
static void prepared_discard(struct fclient *c)
{
	script_q(script_step(c, true), "%s", sim_one_in(2) ? "DISCARD ALL" : "DEALLOCATE ALL");
	memset(c->types, 0, sizeof(c->types));
	op_any(c, script_step(c, true));
	bytes_msg(script_step(c, false), 'S');
}

/* the unnamed one is bound later than it is parsed */
static void prepared_unnamed(struct fclient *c)
{
	unsigned k = sim_rnd(8);
	struct bytes *b = script_step(c, true);

	c->gives_up = true;
	say_parse(b, "", k);
	if (sim_one_in(2))
		script_named(b, 'D', 'S', "");
	bytes_msg(b, 'S');
	for (unsigned n = 1 + sim_rnd(2); n > 0; n--) {
		b = script_step(c, true);
		c->step[c->step_count - 1].pauses = sim_one_in(2);
		say_run(c, b, "", kinds[k].types);
		bytes_msg(b, 'S');
	}
}

/* the client asks what the rows look like, so it need not hear that they look otherwise now */
static void prepared_plan(struct fclient *c)
{
	bool prepares_late = sim_one_in(3), knows = false;
	struct bytes *b = script_step(c, true);
	char portal[32];

	op_close(c, b, 0);
	if (!prepares_late)
		say_parse(b, names[0], 6);
	c->types[0] = kinds[6].types + 1;
	bytes_msg(b, 'S');
	if (sim_one_in(2))
		script_q(script_step(c, true), "alter %s", script_token(c));
	b = script_step(c, true);
	c->step[c->step_count - 1].hides = true;
	c->step[c->step_count - 1].pauses = sim_one_in(2);
	if (prepares_late)
		say_parse(b, names[0], 6);
	if (prepares_late && sim_one_in(2)) {
		script_named(b, 'D', 'S', names[0]);
		knows = true;
	}
	say_bind(c, b, names[0], kinds[6].types, portal, sizeof(portal));
	/* who has never heard of its rows need not ask */
	if (!knows && sim_one_in(2))
		script_named(b, 'D', 'P', portal);
	script_e(b, portal, 0);
	bytes_msg(b, 'S');
}

void script_prepared(struct fclient *c)
{
	const struct fakeclient_manners *m = &fclients.manners;

	switch (sim_rnd(12)) {
	case 0:
		prepared_pipeline(c, sim_one_in(3) && sim.weather.max_segment > 100 ? 200 : 20);
		break;
	case 1:
	case 2:
		prepared_transaction(c);
		break;
	case 3:
		prepared_deallocate(c);
		break;
	case 4:
		if (m->has_discard) {
			prepared_discard(c);
			break;
		}
		/* fall through */
	case 5:
		prepared_unnamed(c);
		break;
	case 6:
		if (m->has_alter) {
			prepared_plan(c);
			break;
		}
		/* fall through */
	case 7:
	case 8:
		prepared_batches(c);
		break;
	default:
		prepared_few(c);
	}
}

/* what goes well, unless something before it in the pipeline did not; known: the names that this batch has used */
static void op_good(struct fclient *c, struct bytes *b, bool *known)
{
	unsigned i = sim_rnd(NAMES);

	if (c->types[i] == 0 || (!known[i] && sim_one_in(3)) || sim_one_in(8)) {
		op_close(c, b, i);
		op_parse_kind(c, b, i, sim_rnd(8));
	} else if (sim_one_in(6)) {
		script_named(b, 'D', 'S', names[i]);
	} else if (sim_one_in(12)) {
		op_close(c, b, i);
		return;
	} else {
		op_run(c, b, i);
	}
	known[i] = true;
}

/* so many messages, with an error in front of one of them; behind the last there is a Sync */
static void say_with_error(struct bytes *to, struct bytes *from, unsigned messages, unsigned at)
{
	for (unsigned i = 0; i <= messages; i++) {
		uint32_t n = i < messages ? bytes_get_u32(bytes_at(from) + 1) + 1 : 0;

		if (i == at)
			say_error(to);
		if (n == 0)
			break;
		bytes_put(to, bytes_at(from), n);
		bytes_skip(from, n);
	}
	bytes_msg(to, 'S');
}

void script_pipeline(struct fclient *c)
{
	struct bytes pipeline = {.data = NULL}, *b = script_step(c, false);
	bool known[NAMES] = {false};

	for (unsigned i = 0; i < NAMES; i++)
		if (!sim_one_in(4))
			op_parse_kind(c, b, i, sim_rnd(8));
	bytes_msg(b, 'S');
	/* every operation is a message at least */
	for (unsigned i = 0; i < PIPELINE; i++) {
		if (sim_one_in(12)) {
			bytes_msg(&pipeline, 'S');
			memset(known, 0, sizeof(known));
		} else if (sim_one_in(12)) {
			say_parse(&pipeline, "", 7);
			say_run(c, &pipeline, "", 0);
		} else if (sim_one_in(60)) {
			op_any(c, &pipeline);
		} else {
			op_good(c, &pipeline, known);
		}
	}
	say_with_error(script_step(c, true), &pipeline, PIPELINE, fclients.manners.error_at);
	bytes_free(&pipeline);
	if (!fclients.manners.is_autonomous)
		script_q(script_step(c, true), "rollback %s", script_token(c));
	for (unsigned i = 0; i < NAMES; i++) {
		b = script_step(c, true);
		if (sim_one_in(2))
			script_named(b, 'D', 'S', names[i]);
		say_run(c, b, names[i], c->types[i] > 0 ? c->types[i] - 1 : 0);
		bytes_msg(b, 'S');
	}
}
