/*
 * client_script.c - what a fake client says next.
 */
#include "client_script.h"

#include "fakepg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- steps and messages --- */

struct bytes *script_step(struct fclient *c, bool waits)
{
	struct client_step *s;

	CHECK(c->step_count < CLIENT_STEPS);
	s = &c->step[c->step_count++];
	s->msgs.len = s->msgs.pos = 0;
	s->waits = waits;
	s->pauses = s->hides = false;
	return &s->msgs;
}

const char *script_token(struct fclient *c)
{
	static char text[4][32];
	static unsigned at;
	char *t = text[at++ % 4];

	snprintf(t, sizeof(text[0]), "<c%ur%u>", c->id, c->request++);
	return t;
}

void script_q(struct bytes *b, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	bytes_msg_str(b, 'Q', text);
}

static void script_p(struct bytes *b, const char *name, const char *text)
{
	uint32_t at = bytes_begin(b, 'P');

	bytes_str(b, name);
	bytes_str(b, text);
	bytes_u16(b, 0);
	bytes_end(b, at);
}

static void script_b(struct bytes *b, const char *portal, const char *name)
{
	uint32_t at = bytes_begin(b, 'B');

	bytes_str(b, portal);
	bytes_str(b, name);
	bytes_u16(b, 0);
	bytes_u16(b, 0);
	bytes_u16(b, 0);
	bytes_end(b, at);
}

void script_named(struct bytes *b, char type, char what, const char *name)
{
	uint32_t at = bytes_begin(b, type);

	bytes_u8(b, (uint8_t)what);
	bytes_str(b, name);
	bytes_end(b, at);
}

void script_e(struct bytes *b, const char *portal, uint32_t rows)
{
	uint32_t at = bytes_begin(b, 'E');

	bytes_str(b, portal);
	bytes_u32(b, rows);
	bytes_end(b, at);
}

/* Parse, Bind, perhaps Describe, Execute of one statement */
static void script_pbe(struct bytes *b, const char *text)
{
	script_p(b, "", text);
	if (sim_one_in(4))
		script_named(b, 'D', 'S', "");
	script_b(b, "", "");
	if (sim_one_in(2))
		script_named(b, 'D', 'P', "");
	script_e(b, "", 0);
}

static void script_statement(struct fclient *c, char *text, size_t size)
{
	const struct fakeclient_manners *m = &fclients.manners;

	switch (sim_rnd(8)) {
	case 0:
		snprintf(text, size, "error %s", script_token(c));
		break;
	case 1:
		snprintf(text, size, "notice %s", script_token(c));
		break;
	case 2:
		snprintf(text, size, "sleep %u %s", 1 + sim_rnd(m->sleep_us), script_token(c));
		break;
	case 3:
		if (m->big_one_in > 0 && sim_one_in(m->big_one_in)) {
			snprintf(text, size, "echo %s %u %u", script_token(c), 1 + sim_rnd(m->has_huge ? 300 : 40),
				 sim_rnd(4000));
			break;
		}
		/* fall through */
	default:
		snprintf(text, size, "echo %s %u", script_token(c), sim_rnd(4));
	}
}

/* --- simple queries --- */

static void script_simple(struct fclient *c)
{
	struct bytes *b = script_step(c, false);
	char one[PGM_TEXT], two[PGM_TEXT], three[PGM_TEXT];

	script_statement(c, one, sizeof(one));
	script_statement(c, two, sizeof(two));
	script_statement(c, three, sizeof(three));
	switch (sim_rnd(6)) {
	case 0:
		script_q(b, "%s;%s;%s", one, two, three);
		break;
	case 1:
		script_q(b, "%s", sim_one_in(2) ? "" : ";");
		break;
	default:
		script_q(b, "%s", one);
	}
}

/* --- transactions --- */

static void script_transaction(struct fclient *c)
{
	static const char *const end[] = {"commit", "rollback", "COMMIT"};
	char one[PGM_TEXT];
	unsigned n = sim_rnd(4);

	if (sim_one_in(6)) {
		script_statement(c, one, sizeof(one));
		script_q(script_step(c, false), "begin %s;%s;%s", script_token(c), one,
			 sim_one_in(2) ? "commit" : "begin");
	} else {
		script_q(script_step(c, false), "begin %s", script_token(c));
	}
	for (unsigned i = 0; i < n; i++) {
		struct bytes *b = script_step(c, !sim_one_in(3));

		script_statement(c, one, sizeof(one));
		if (fclients.manners.has_extended && sim_one_in(3)) {
			script_pbe(b, one);
			bytes_msg(b, 'S');
		} else {
			script_q(b, "%s", one);
		}
	}
	script_q(script_step(c, !sim_one_in(3)), "%s %s", end[sim_rnd(ARRAY_LEN(end))], script_token(c));
}

/* --- extended queries --- */

static void script_extended_error(struct fclient *c, struct bytes *b)
{
	char one[PGM_TEXT];

	snprintf(one, sizeof(one), "bogus %s", script_token(c));
	script_p(b, "", one);
	script_b(b, "", "");
	script_e(b, "", 0);
	/* skipped, simple query and all */
	if (sim_one_in(2)) {
		script_statement(c, one, sizeof(one));
		script_q(b, "%s", one);
	}
	script_statement(c, one, sizeof(one));
	script_pbe(b, one);
	bytes_msg(b, 'S');
}

static void script_portals(struct fclient *c, struct bytes *b)
{
	char one[PGM_TEXT];

	snprintf(one, sizeof(one), "echo %s %u", script_token(c), sim_rnd(7));
	script_p(b, "", one);
	script_b(b, "p1", "");
	for (unsigned i = sim_rnd(4); i > 0; i--)
		script_e(b, "p1", 2);
	if (sim_one_in(2))
		script_named(b, 'C', 'P', "p1");
	if (sim_one_in(2))
		script_named(b, 'C', 'S', "");
	bytes_msg(b, 'S');
}

static void script_flush(struct fclient *c)
{
	struct bytes *b = script_step(c, false);
	char one[PGM_TEXT];

	script_statement(c, one, sizeof(one));
	script_p(b, "", one);
	script_named(b, 'D', 'S', "");
	bytes_msg(b, 'H');
	b = script_step(c, true);
	script_b(b, "", "");
	script_e(b, "", 0);
	if (sim_one_in(2)) {
		bytes_msg(b, 'H');
		b = script_step(c, true);
	}
	bytes_msg(b, 'S');
}

static void script_extended(struct fclient *c)
{
	char one[PGM_TEXT];
	struct bytes *b;

	if (sim_one_in(5)) {
		script_flush(c);
		return;
	}
	b = script_step(c, false);
	switch (sim_rnd(8)) {
	case 0:
		script_extended_error(c, b);
		break;
	case 1:
		script_portals(c, b);
		break;
	case 2: /* many, with one end */
		for (unsigned i = 1 + sim_rnd(6); i > 0; i--) {
			script_statement(c, one, sizeof(one));
			script_pbe(b, one);
		}
		bytes_msg(b, 'S');
		break;
	case 3: /* many, each with its end */
		for (unsigned i = 1 + sim_rnd(6); i > 0; i--) {
			script_statement(c, one, sizeof(one));
			script_pbe(b, one);
			bytes_msg(b, 'S');
		}
		break;
	case 4: /* a simple query in a batch that goes well */
		snprintf(one, sizeof(one), "echo %s 1", script_token(c));
		script_pbe(b, one);
		script_q(b, "echo %s 2", script_token(c));
		break;
	default:
		script_statement(c, one, sizeof(one));
		script_pbe(b, one);
		bytes_msg(b, 'S');
	}
}

/* --- COPY --- */

static void script_copy_data(struct fclient *c, struct bytes *b, const char *token)
{
	for (unsigned i = sim_rnd(5); i > 0; i--) {
		uint32_t at = bytes_begin(b, 'd');

		bytes_put(b, token, (uint32_t)strlen(token));
		for (unsigned k = sim_rnd(sim_one_in(8) ? 2000 : 40); k > 0; k--)
			bytes_u8(b, (uint8_t)('a' + k % 26));
		bytes_u8(b, '\n');
		bytes_end(b, at);
	}
	if (sim_one_in(5))
		bytes_msg_str(b, 'f', script_token(c));
	else
		bytes_msg(b, 'c');
}

static void script_copy(struct fclient *c)
{
	struct bytes *b = script_step(c, false);
	const char *token = script_token(c);
	bool extended = fclients.manners.has_extended && sim_one_in(2), waits = !sim_one_in(3);
	char one[PGM_TEXT];

	if (sim_one_in(3)) {
		snprintf(one, sizeof(one), "copyout %s %u %u", token, sim_rnd(5), sim_rnd(200));
		if (extended) {
			script_pbe(b, one);
			bytes_msg(b, 'S');
		} else {
			script_q(b, "%s", one);
		}
		return;
	}
	snprintf(one, sizeof(one), "copyin %s %u", token, sim_one_in(3) ? 1 + sim_rnd(4) : 0);
	if (sim_one_in(6))
		snprintf(one, sizeof(one), "error %s", token);
	if (extended) {
		script_pbe(b, one);
		/* a Sync here is what older libpq sent; the server ignores it if the COPY has begun */
		bytes_msg(b, fclients.manners.has_odd_sync && sim_one_in(2) ? 'S' : 'H');
	} else {
		script_q(b, "%s", one);
	}
	if (waits)
		b = script_step(c, true);
	script_copy_data(c, b, token);
	if (extended && sim_one_in(2)) {
		b = script_step(c, false);
		c->step[c->step_count - 1].pauses = true;
	}
	if (extended)
		bytes_msg(b, 'S');
}

/* --- the rest --- */

static void script_function(struct fclient *c)
{
	struct bytes *b = script_step(c, false);
	uint32_t at = bytes_begin(b, 'F');

	const char *token = script_token(c);

	bytes_u32(b, 1234);
	bytes_u16(b, 0);
	bytes_u16(b, 1);
	bytes_u32(b, (uint32_t)strlen(token));
	bytes_put(b, token, (uint32_t)strlen(token));
	bytes_u16(b, 0);
	bytes_end(b, at);
}

static void script_session(struct fclient *c)
{
	script_q(script_step(c, false), "set %s", script_token(c));
	if (sim_one_in(2))
		script_q(script_step(c, true), "show %s", script_token(c));
}

static void script_parameter(struct fclient *c)
{
	if (sim_one_in(2))
		script_q(script_step(c, false), "setapp %s", script_token(c));
	else
		script_q(script_step(c, false), "app %s", script_token(c));
}

static void script_syncs(struct fclient *c)
{
	struct bytes *b = script_step(c, false);

	for (unsigned i = 1 + sim_rnd(3); i > 0; i--)
		bytes_msg(b, 'S');
}

static void script_forbidden_block(struct fclient *c)
{
	fakeclient_excuse(c->name, "a transaction block in statement mode");
	script_q(script_step(c, false), "begin %s", script_token(c));
}

void client_script(struct fclient *c)
{
	const struct fakeclient_manners *m = &fclients.manners;
	unsigned dice = sim_rnd(20);

	c->step_at = c->step_count = 0;
	c->gives_up = false;
	if (m->says_pipeline)
		script_pipeline(c);
	else if (m->statements_one_in > 0 && sim_one_in(m->statements_one_in))
		script_prepared(c);
	else if (m->has_copy && m->likes_copy && sim_one_in(2))
		script_copy(c);
	else if (dice < 5 && m->has_transactions)
		script_transaction(c);
	else if (dice < 11 && m->has_extended)
		script_extended(c);
	else if (dice < 14 && m->has_copy)
		script_copy(c);
	else if (dice == 14 && m->has_extended)
		script_function(c);
	else if (dice == 15 && m->has_session_state)
		script_session(c);
	else if (dice >= 18 && m->has_parameters && !m->is_autonomous)
		script_parameter(c);
	else if (dice == 18 && m->is_autonomous)
		script_forbidden_block(c);
	else if (dice == 16 && m->has_stray_sync)
		script_syncs(c);
	else
		script_simple(c);
}
