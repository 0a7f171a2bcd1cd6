/* client states and reasons: the moves that are legal are these and no others; every row of the tables has its words */
#include "session/client.h"
#include "session/worker.h"
#include "test/unit/base/suite.h"
#include "test/unit/server/mustabort.h"

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
	{"WELCOME", "IDLE CLOSING GONE"},
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

static bool is_legal(unsigned from, unsigned to)
{
	for (unsigned i = 0; i < ARRAY_LEN(legal); i++) {
		const char *at = legal[i][1];
		size_t n = strlen(names[to]);

		if (strcmp(legal[i][0], names[from]) != 0)
			continue;
		while ((at = strstr(at, names[to])) != NULL) {
			if ((at == legal[i][1] || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
				return true;
			at += n;
		}
		return false;
	}
	ck_abort_msg("state %s is not in this test", names[from]);
	return false;
}

START_TEST(test_moves)
{
	ck_assert_uint_eq(ARRAY_LEN(names), CLIENT_STATE_COUNT);
	for (unsigned from = 0; from < CLIENT_STATE_COUNT; from++)
		for (unsigned to = 0; to < CLIENT_STATE_COUNT; to++)
			ck_assert_msg(client_may_enter((enum client_state)from, (enum client_state)to) == is_legal(from, to),
				      "%s to %s", names[from], names[to]);
}
END_TEST

static void enter(int from, int to)
{
	static struct client c;
	static struct worker w;

	c.worker = &w;
	c.state = (uint8_t)from;
	client_enter(&c, (enum client_state)to);
}

START_TEST(test_illegal_moves_abort)
{
	unsigned seen = 0;

	for (int from = 0; from < CLIENT_STATE_COUNT; from++)
		for (int to = 0; to < CLIENT_STATE_COUNT; to++) {
			if (client_may_enter((enum client_state)from, (enum client_state)to))
				continue;
			ck_assert_msg(must_abort(enter, from, to), "%s to %s went through", names[from], names[to]);
			seen++;
		}
	ck_assert_uint_gt(seen, CLIENT_STATE_COUNT * CLIENT_STATE_COUNT / 2);
}
END_TEST

START_TEST(test_words)
{
	static const char *const known[] = {"login", "idle", "waiting", "active", "active_cancel_req", "closing", "gone"};

	for (unsigned i = 0; i < CLIENT_STATE_COUNT; i++) {
		const char *word = client_state_word((enum client_state)i);
		bool found = false;

		ck_assert_ptr_nonnull(word);
		for (unsigned k = 0; k < ARRAY_LEN(known); k++)
			found |= strcmp(word, known[k]) == 0;
		ck_assert_msg(found, "%s: %s", names[i], word);
	}
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
