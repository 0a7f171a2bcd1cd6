/*
 * test_commands.c - T-ADM-01: every verb and every table, by every role.
 *
 * The matrix is written down here by hand; a command or table that is not in it fails.
 */
#include "admin/answer.h"
#include "admin/command.h"
#include "admin/fakevar.h"
#include "auth/identity.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

/* what an administrator, a reader, and anybody else may do */
static const struct {
	const char *word;
	bool admin, stats, other;
} matrix[] = {
	{"SHOW", true, true, false},
	{"SELECT", true, true, false},
	{"SET", true, false, false},
	{"set of a driver's variable", true, true, false},
	{"RELOAD", true, false, false},
	{"PAUSE", true, false, false},
	{"RESUME", true, false, false},
	{"SUSPEND", true, false, false},
	{"DISABLE", true, false, false},
	{"ENABLE", true, false, false},
	{"RECONNECT", true, false, false},
	{"WAIT_CLOSE", true, false, false},
	{"KILL", true, false, false},
	{"KILL_CLIENT", true, false, false},
	{"KILL_QUERY", true, false, false},
	{"KILL_SERVER", true, false, false},
	{"SHUTDOWN", true, false, false},
};

START_TEST(every_verb_by_every_role)
{
	for (int id = 0; id < COMMAND_COUNT; id++) {
		const struct command_verb *verb = command_at((enum command_id)id);
		bool found = false;

		for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
			if (strcmp(matrix[i].word, verb->word) != 0)
				continue;
			found = true;
			ck_assert_int_eq(command_may(verb, IDENTITY_ADMIN | IDENTITY_STATS), matrix[i].admin);
			ck_assert_int_eq(command_may(verb, IDENTITY_ADMIN), matrix[i].admin);
			ck_assert_int_eq(command_may(verb, IDENTITY_STATS), matrix[i].stats);
			ck_assert_int_eq(command_may(verb, 0), matrix[i].other);
		}
		ck_assert_msg(found, "%s is not in the matrix", verb->word);
		ck_assert(verb->run != NULL && verb->args_max <= ADMINPARSE_ARGS &&
			  verb->args_min <= verb->args_max);
	}
	ck_assert_uint_eq(ARRAY_LEN(matrix), COMMAND_COUNT);
}
END_TEST

START_TEST(a_command_without_a_role_is_for_nobody)
{
	const struct command_verb careless = {.word = "X"};

	ck_assert(!command_may(&careless, 0));
	ck_assert(!command_may(&careless, IDENTITY_STATS));
	ck_assert(!command_may(&careless, IDENTITY_ADMIN | IDENTITY_STATS));
}
END_TEST

static const struct command_verb *find(const char *text)
{
	static struct adminparse line;

	ck_assert_msg(adminparse_command(text, strlen(text), &line) == 0, "%s", text);
	return command_find(&line);
}

START_TEST(verbs_are_found_by_their_words)
{
	for (int id = 0; id < COMMAND_COUNT; id++) {
		char text[64];

		if (id == COMMAND_SET || id == COMMAND_SET_IGNORED)
			continue;
		snprintf(text, sizeof(text), "%s", command_at((enum command_id)id)->word);
		ck_assert_ptr_eq(find(text), command_at((enum command_id)id));
	}
	ck_assert_ptr_eq(find("SET x = 1"), command_at(COMMAND_SET));
	ck_assert_ptr_eq(find("SET Client_Encoding = 'x'"), command_at(COMMAND_SET_IGNORED));
	ck_assert_ptr_null(find("BOGUS"));
	ck_assert_ptr_null(find("SHO version"));
	ck_assert_ptr_null(find("set_ignored"));
}
END_TEST

START_TEST(variables_of_drivers)
{
	const char *own = NULL;

	ck_assert_str_eq(fakevar_value("DateStyle", &own), "ISO");
	ck_assert_str_eq(own, "datestyle");
	ck_assert_str_eq(fakevar_value("default_transaction_isolation", &own), "read committed");
	ck_assert_ptr_null(fakevar_value("pool_mode", &own));
}
END_TEST

START_TEST(help_names_every_command_and_table)
{
	const struct report_table *t;
	size_t at = 0;
	struct buf out;

	buf_init(&out, 0);
	answer_help(&out);
	ck_assert(!out.bad && out.data[0] == 'N');
	/* the fields end with NULs: look through them all */
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == '\0')
			out.data[i] = ' ';
	while ((t = report_next(&at)) != NULL)
		ck_assert_msg(strstr(buf_text(&out), t->name) != NULL, "%s", t->name);
	for (int id = 0; id < COMMAND_COUNT; id++)
		if (command_at((enum command_id)id)->usage != NULL && id != COMMAND_SHOW)
			ck_assert(strstr(buf_text(&out), command_at((enum command_id)id)->usage) != NULL);
	buf_fini(&out);
}
END_TEST

START_TEST(rows_become_messages)
{
	static const struct reply_column column[] = {{"a", REPLY_TEXT}, {"b", REPLY_INT4}};
	static const uint8_t row[] = {'D', 0, 0, 0, 18, 0, 2, 0, 0, 0, 2, 'h', 'i', 0, 0, 0, 2, '-', '7'};
	static const uint8_t nulls[] = {'D', 0, 0, 0, 14, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255};
	struct rowset rows;
	struct buf out;

	rowset_init(&rows, 2);
	rowset_text(&rows, "hi");
	rowset_int(&rows, -7);
	rowset_null(&rows);
	rowset_null(&rows);
	buf_init(&out, 0);
	answer_rows(&out, column, 2, &rows);
	ck_assert(!out.bad && out.data[0] == 'T');
	ck_assert_uint_gt(out.len, sizeof(row) + sizeof(nulls));
	ck_assert_mem_eq(out.data + out.len - sizeof(nulls), nulls, sizeof(nulls));
	ck_assert_mem_eq(out.data + out.len - sizeof(nulls) - sizeof(row), row, sizeof(row));
	buf_fini(&out);
	/* a table that could not be collected is no empty table */
	rows.cells.bad = true;
	buf_init(&out, 0);
	answer_rows(&out, column, 2, &rows);
	ck_assert(out.bad);
	buf_fini(&out);
	rowset_fini(&rows);
}
END_TEST

SUITE_MAIN("commands", every_verb_by_every_role, a_command_without_a_role_is_for_nobody,
	verbs_are_found_by_their_words, variables_of_drivers, help_names_every_command_and_table,
	rows_become_messages)
