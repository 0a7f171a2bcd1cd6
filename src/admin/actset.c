/*
 * actset.c - SET, RELOAD and SHUTDOWN: what the process does for us.
 */
#include "admin/command.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

void actset_ignore(struct command *c)
{
	struct buf out;

	buf_init(&out, 0);
	(void)reply_notice(&out, "NOTICE", "00000", "SET ignored");
	(void)reply_command_complete(&out, "SET");
	command_answer(c, &out);
}

/* the first of the sentences: the console shows one line */
static const char *actset_first_line(struct buf *why)
{
	size_t n = 0;

	while (n < why->len && why->data[n] != '\n')
		n++;
	why->len = n;
	return buf_text(why);
}

void actset_run(struct command *c)
{
	struct admin *a = c->admin;
	char tag[ADMINPARSE_ARG_MAX + 128];
	struct buf why;

	buf_init(&why, 0);
	if (a->ops->set(a->app, c->line.arg[0], c->line.value, &why) < 0) {
		command_fail(c, "%s", actset_first_line(&why));
	} else {
		snprintf(tag, sizeof(tag), "SET %s=%.100s", c->line.arg[0], c->line.value);
		command_done_as(c, tag);
	}
	buf_fini(&why);
}

void actset_reload(struct command *c)
{
	struct admin *a = c->admin;
	struct buf why;

	buf_init(&why, 0);
	if (a->ops->reload(a->app, &why) < 0)
		command_fail_as(c, "F0000", "RELOAD failed, see logs for additional details",
			why.len > 0 ? buf_text(&why) : NULL);
	else
		command_done(c);
	buf_fini(&why);
}

void actset_shutdown(struct command *c)
{
	static const struct {
		const char *word;
		enum admin_shutdown how;
	} ways[] = {
		{"", ADMIN_SHUTDOWN_NOW},
		{"WAIT_FOR_SERVERS", ADMIN_SHUTDOWN_WAIT_FOR_SERVERS},
		{"WAIT_FOR_CLIENTS", ADMIN_SHUTDOWN_WAIT_FOR_CLIENTS},
	};
	struct admin *a = c->admin;

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		if (!str_is_equal_nocase(c->line.arg[0], ways[i].word))
			continue;
		/* the answer first: afterwards there may be nobody to give it */
		command_done(c);
		a->ops->shutdown(a->app, ways[i].how);
		return;
	}
	command_fail(c, "invalid argument '%s', usage: SHUTDOWN [WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]",
		c->line.arg[0]);
}
