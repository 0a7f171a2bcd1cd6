/* client states and reasons: the moves that are legal are these and no others; every row of the tables has its words */
#include "session/client.h"
#include "session/worker.h"
#include "test/unit/server/moves.h"

#include <string.h>

static const char *const names[] = {
#define CLIENT_STATE(id, word, from) #id,
#include "session/client_state.def"
#undef CLIENT_STATE
};

static const char *const legal[][2] = {
	{"NEW", "STARTUP CLOSING GONE"},
	{"STARTUP", "STARTUP AUTH CANCEL CLOSING GONE"},
	{"AUTH", "WELCOME IDLE CONSOLE CLOSING GONE"},
	{"WELCOME", "ATTACHING IDLE CLOSING GONE"},
	{"ATTACHING", "LINKED CLOSING GONE"},
	{"IDLE", "WAITING RUNNING CLOSING GONE"},
	{"WAITING", "IDLE RUNNING CLOSING GONE"},
	{"RUNNING", "IDLE WAITING INXACT LINKED CLOSING GONE"},
	{"INXACT", "IDLE RUNNING CLOSING GONE"},
	{"LINKED", "IDLE RUNNING CLOSING GONE"},
	{"CONSOLE", "COMMAND CLOSING GONE"},
	{"COMMAND", "CONSOLE CLOSING GONE"},
	{"CANCEL", "CLOSING GONE"},
	{"CLOSING", "GONE"},
	{"GONE", ""},
};

static void enter(int from, int to)
{
	static struct client c;
	static struct worker w;

	c.worker = &w;
	c.state = (uint8_t)from;
	client_enter(&c, (enum client_state)to);
}

static bool may(unsigned from, unsigned to)
{
	return client_may_enter((enum client_state)from, (enum client_state)to);
}

static const char *word(unsigned state)
{
	return client_state_word((enum client_state)state);
}

static const struct moves moves = {
	.names = names, .count = CLIENT_STATE_COUNT, .legal = legal, .may = may, .enter = enter, .word = word};

_Static_assert(ARRAY_LEN(names) == CLIENT_STATE_COUNT && ARRAY_LEN(legal) == CLIENT_STATE_COUNT, "a row for each state");

START_TEST(test_moves)
{
	moves_check(&moves);
}
END_TEST

START_TEST(test_illegal_moves_abort)
{
	moves_check_aborts(&moves);
}
END_TEST

START_TEST(test_words)
{
	static const char *const known[] = {"login", "idle", "waiting", "active", "active_cancel_req", "closing", "gone", NULL};

	moves_check_words(&moves, known);
}
END_TEST

struct reason {
	const char *id, *bouncer, *own, *text;
};

static const struct reason reasons[] = {
#define CLIENT_END(id, bouncer, own, level, text) {#id, bouncer, own, text},
#include "session/client_end.def"
#undef CLIENT_END
};

static bool is_sqlstate(const char *s)
{
	return s[0] == '\0' || (strlen(s) == 5 && strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5);
}

START_TEST(test_reasons)
{
	ck_assert_uint_eq(ARRAY_LEN(reasons), CLIENT_END_COUNT);
	for (unsigned i = 0; i < CLIENT_END_COUNT; i++) {
		const struct reason *r = &reasons[i];

		ck_assert_str_eq(client_end_text((enum client_end)i), r->text);
		ck_assert_msg(is_sqlstate(r->bouncer) && is_sqlstate(r->own), "%s: %s %s", r->id, r->bouncer, r->own);
		/* who says something says it in both profiles */
		ck_assert_msg((r->bouncer[0] == '\0') == (r->own[0] == '\0'), "%s", r->id);
		/* class 00 is success, 01 a warning, 02 no data: none is an error */
		ck_assert_msg(strncmp(r->own, "00", 2) && strncmp(r->own, "01", 2) && strncmp(r->own, "02", 2), "%s", r->id);
		ck_assert_msg(strlen(r->text) > 3 && strpbrk(r->text, "\n%") == NULL, "%s: %s", r->id, r->text);
		for (unsigned k = 0; k < i; k++)
			ck_assert_msg(strcmp(r->text, reasons[k].text) != 0, "%s and %s", r->id, reasons[k].id);
	}
}
END_TEST

START_TEST(test_profiles)
{
	static struct client c;
	static struct worker w;
	static struct conf conf;

	c.worker = &w;
	w.home.conf = &conf;
	for (unsigned i = 0; i < CLIENT_END_COUNT; i++) {
		conf.profile = CONF_PROFILE_PGBOUNCER;
		ck_assert_str_eq(client_sqlstate(&c, (enum client_end)i), reasons[i].bouncer);
		conf.profile = CONF_PROFILE_FYNIXPOOL;
		ck_assert_str_eq(client_sqlstate(&c, (enum client_end)i), reasons[i].own);
	}
}
END_TEST

SUITE_MAIN("client states", test_moves, test_illegal_moves_abort, test_words, test_reasons, test_profiles)
