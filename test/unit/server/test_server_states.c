/* server states and reasons: the moves that are legal are these and no others; every row of the tables has its words */
#include "server/server.h"
#include "test/unit/server/moves.h"

#include <string.h>

static const char *const names[] = {
#define SERVER_STATE(id, word, from) #id,
#include "server/server_state.def"
#undef SERVER_STATE
};

/* from: to to ... */
static const char *const legal[][2] = {
	{"NEW", "RESOLVING CONNECTING GONE"},
	{"RESOLVING", "CONNECTING GONE"},
	{"CONNECTING", "CONNECTING LOGIN GONE"},
	{"LOGIN", "RESOLVING CONNECTING IDLE CLOSING GONE"},
	{"IDLE", "TESTING ACTIVE CLEANING MOVING CLOSING GONE"},
	{"TESTING", "IDLE CLOSING GONE"},
	{"ACTIVE", "IDLE CLEANING CLOSING GONE"},
	{"CLEANING", "IDLE CLOSING GONE"},
	{"MOVING", "IDLE CLOSING GONE"},
	{"CLOSING", "GONE"},
	{"GONE", ""},
};

static void enter(int from, int to)
{
	struct server s = {.state = (uint8_t)from};

	server_enter(&s, (enum server_state)to);
}

static bool may(unsigned from, unsigned to)
{
	return server_may_enter((enum server_state)from, (enum server_state)to);
}

static const char *word(unsigned state)
{
	return server_state_word((enum server_state)state);
}

static const struct moves moves = {
	.names = names, .count = SERVER_STATE_COUNT, .legal = legal, .may = may, .enter = enter, .word = word};

_Static_assert(ARRAY_LEN(names) == SERVER_STATE_COUNT && ARRAY_LEN(legal) == SERVER_STATE_COUNT, "a row for each state");

START_TEST(test_moves)
{
	moves_check(&moves);
}
END_TEST

START_TEST(test_illegal_moves_abort)
{
	moves_check_aborts(&moves);
	/* and the way of seeing it can tell the difference */
	ck_assert(!must_abort(enter, SERVER_CLOSING, SERVER_GONE));
}
END_TEST

START_TEST(test_words)
{
	/* PgBouncer's words of SHOW SERVERS, and ours for what it has not */
	static const char *const known[] = {"new", "login", "idle", "tested", "active", "used", "closing", "gone", NULL};

	moves_check_words(&moves, known);
}
END_TEST

START_TEST(test_reasons)
{
	for (unsigned i = 0; i < SERVER_END_COUNT; i++) {
		const char *text = server_end_text((enum server_end)i);

		ck_assert_ptr_nonnull(text);
		ck_assert_msg(strlen(text) > 3 && strchr(text, '\n') == NULL && strchr(text, '%') == NULL, "%u: %s", i, text);
		for (unsigned k = 0; k < i; k++)
			ck_assert_msg(strcmp(text, server_end_text((enum server_end)k)) != 0, "%u and %u: %s", i, k, text);
	}
	ck_assert_str_eq(server_end_text(SERVER_END_CRASHED), "server conn crashed?");
	ck_assert_str_eq(server_end_text(SERVER_END_IDLE_TIMEOUT), "server idle timeout");
}
END_TEST

START_TEST(test_failure_is_bounded)
{
	static struct server s;
	char big[2000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	server_set_failure(&s, SERVER_END_LOGIN_FAILED, "28P01-and-more", "%s", big);
	ck_assert_uint_eq(strlen(s.failure.sqlstate), 5);
	ck_assert_uint_eq(strlen(s.failure.message), sizeof(s.failure.message) - 1);
	ck_assert_int_eq(s.failure.end, SERVER_END_LOGIN_FAILED);
}
END_TEST

SUITE_MAIN("server states", test_moves, test_illegal_moves_abort, test_words, test_reasons, test_failure_is_bounded)
