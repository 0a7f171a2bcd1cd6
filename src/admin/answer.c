/*
 * answer.c - answers of the console as wire messages.
 */
#include "admin/answer.h"

#include "admin/command.h"
#include "base/clock.h"

static void answer_time(struct buf *out, uint64_t wall_us)
{
	char text[48];

	clock_format_wall(wall_us, text, sizeof(text));
	reply_put_text(out, text);
}

static void answer_cell(struct buf *out, const struct rowset_cell *cell)
{
	switch (cell->kind) {
	case ROWSET_NULL:
		reply_put_null(out);
		break;
	case ROWSET_TEXT:
		reply_put_text(out, cell->text);
		break;
	case ROWSET_INT:
		reply_put_int(out, cell->number);
		break;
	case ROWSET_UINT:
		reply_put_uint(out, cell->natural);
		break;
	case ROWSET_TIME:
		answer_time(out, cell->natural);
		break;
	}
}

void answer_rows(
	struct buf *out, const struct reply_column *column, size_t columns, const struct rowset *rows)
{
	struct rowset_cell cell;
	size_t at = 0, n = 0, row = 0;

	if (rowset_is_bad(rows)) {
		out->bad = true;
		return;
	}
	(void)reply_row_description(out, column, columns);
	while (rowset_next(rows, &at, &cell)) {
		if (n == 0)
			row = reply_row_begin(out, columns);
		answer_cell(out, &cell);
		if (++n == columns) {
			(void)reply_row_end(out, row);
			n = 0;
		}
	}
}

void answer_help(struct buf *out)
{
	struct errfields notice = {.severity = "NOTICE", .sqlstate = "00000", .message = "Console usage"};
	const struct report_table *table;
	const char *bar = "";
	struct buf text;
	size_t at = 0;

	buf_init(&text, 0);
	(void)buf_append_str(&text, "\n\tSHOW HELP|");
	for (; (table = report_next(&at)) != NULL; bar = "|")
		(void)buf_printf(&text, "%s%s", bar, table->name);
	(void)buf_append_str(&text, "\n\tSHOW LONG_QUERIES <seconds> (its last columns need the setting monitor_user)");
	for (int id = 0; id < COMMAND_COUNT; id++) {
		const struct command_verb *verb = command_at((enum command_id)id);

		if (verb->usage != NULL && id != COMMAND_SHOW)
			(void)buf_printf(&text, "\n\t%s", verb->usage);
	}
	(void)buf_append_str(&text, "\n");
	notice.detail = buf_text(&text);
	(void)reply_fields(out, BE_NOTICE_RESPONSE, &notice);
	buf_fini(&text);
}
