/*
 * actshow.c - SHOW, and SELECT, which PgBouncer takes for the same.
 */
#include "admin/answer.h"
#include "admin/command.h"
#include "admin/fakevar.h"
#include "auth/identity.h"
#include "base/str.h"

static void actshow_variable(struct command *c, const char *name, const char *value)
{
	const struct reply_column column = {name, REPLY_TEXT};
	struct rowset rows;
	struct buf out;

	rowset_init(&rows, 1);
	rowset_text(&rows, value);
	buf_init(&out, 0);
	answer_rows(&out, &column, 1, &rows);
	(void)reply_command_complete(&out, "SHOW");
	rowset_fini(&rows);
	command_answer(c, &out);
}

static void actshow_help(struct command *c)
{
	struct buf out;

	buf_init(&out, 0);
	answer_help(&out);
	(void)reply_command_complete(&out, "SHOW");
	command_answer(c, &out);
}

static void actshow_collected(void *arg, const struct rowset *rows)
{
	struct command *c = arg;
	const struct report_table *table = report_find(c->line.arg[0]);
	struct buf out;

	buf_init(&out, 0);
	answer_rows(&out, table->column, table->columns, rows);
	(void)reply_command_complete(&out, "SHOW");
	command_answer(c, &out);
}

static void actshow_table(struct command *c, const struct report_table *table)
{
	struct admin *a = c->admin;
	struct report_view view = {.conf = admin_conf(a), .hub = a->hub, .monitor = a->monitor, .waits = a->waits};

	view.ask.is_admin = (c->roles & IDENTITY_ADMIN) != 0;
	if (c->line.args > 1) {
		view.ask.has_number =
			table->takes_number && adminparse_seconds(c->line.arg[1], &view.ask.number) == 0;
		if (!view.ask.has_number) {
			command_fail(c,
				table->takes_number ? "SHOW %s takes a number of seconds"
						    : "SHOW %s takes no argument",
				table->name);
			return;
		}
	}
	admin_console_stats(a, &view.console);
	report_start(a->control, a->workers, a->n, table, &view, actshow_collected, c);
}

void actshow_run(struct command *c)
{
	const char *what = c->line.arg[0], *own, *value;
	const struct report_table *table = report_find(what);

	if (table != NULL && (table->role != IDENTITY_ADMIN || (c->roles & IDENTITY_ADMIN) != 0))
		actshow_table(c, table);
	else if (table != NULL)
		command_fail(c, "admin access needed");
	else if (c->line.args > 1)
		command_fail(c, "unknown SHOW command, use SHOW HELP;");
	else if (str_is_equal_nocase(what, "help"))
		actshow_help(c);
	else if ((value = fakevar_value(what, &own)) != NULL)
		actshow_variable(c, own, value);
	else
		command_fail(c, "invalid command 'SHOW %s', use SHOW HELP;", what);
}
