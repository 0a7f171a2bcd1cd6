/*
 * command.c - from a line of text to a verb, past its role, to its one answer.
 */
#include "admin/command.h"

#include "admin/fakevar.h"
#include "auth/identity.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct command_verb command_verbs[COMMAND_COUNT] = {
#define COMMAND(id, word, role, min, max, run, usage) \
	[COMMAND_##id] = {word, IDENTITY_##role, min, max, run, usage},
#include "admin/commands.def"
#undef COMMAND
};

const struct command_verb *command_at(enum command_id id)
{
	return &command_verbs[id];
}

const struct command_verb *command_find(const struct adminparse *line)
{
	const char *own;

	if (strcmp(line->verb, "SET") == 0 && line->args == 1 && fakevar_value(line->arg[0], &own) != NULL)
		return &command_verbs[COMMAND_SET_IGNORED];
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(command_verbs[i].word, line->verb) == 0)
			return &command_verbs[i];
	return NULL;
}

bool command_may(const struct command_verb *verb, unsigned roles)
{
	return (verb->role == IDENTITY_ADMIN || verb->role == IDENTITY_STATS) &&
	       ((roles & IDENTITY_ADMIN) != 0 || (roles & verb->role) != 0);
}

/* the answer on its way to the client's worker */
struct command_letter {
	uint64_t client;
	struct buf bytes;
};

static void command_deliver(struct worker *w, void *arg)
{
	struct command_letter *letter = arg;

	worker_answer(w, letter->client, letter->bytes.data, letter->bytes.len, false);
	buf_fini(&letter->bytes);
	mem_free(letter);
}

void command_free(struct command *c)
{
	timeout_disarm(&c->poll);
	dlist_remove(&c->link);
	mem_free(c->found);
	mem_free(c->token);
	mem_free(c);
}

void command_answer(struct command *c, struct buf *out)
{
	struct admin *a = c->admin;
	struct command_letter *letter;
	uint64_t took = loop_now(a->control) - c->began;

	(void)reply_ready(out, TRANSACTION_IDLE);
	if (out->bad) {
		buf_fini(out);
		buf_init(out, 0);
		(void)reply_error(out, "ERROR", "53200", "out of memory");
		(void)reply_ready(out, TRANSACTION_IDLE);
	}
	a->console.bytes_sent += out->len;
	a->console.query_time += took;
	a->console.xact_time += took;
	if (c->is_gone) {
		buf_fini(out);
	} else {
		letter = mem_alloc(sizeof(*letter));
		*letter = (struct command_letter){.client = c->client, .bytes = *out};
		worker_call(c->worker, command_deliver, letter);
	}
	command_free(c);
}

void command_done_as(struct command *c, const char *tag)
{
	struct buf out;

	buf_init(&out, 0);
	(void)reply_command_complete(&out, tag);
	command_answer(c, &out);
}

void command_done(struct command *c)
{
	command_done_as(c, c->verb->word);
}

void command_fail_as(struct command *c, const char *sqlstate, const char *message, const char *detail)
{
	const struct errfields e = {
		.severity = "ERROR", .sqlstate = sqlstate, .message = message, .detail = detail};
	struct buf out;

	buf_init(&out, 0);
	(void)reply_fields(&out, BE_ERROR_RESPONSE, &e);
	command_answer(c, &out);
}

void command_fail(struct command *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	command_fail_as(c, "08P01", text, NULL);
}

static void command_log(const struct command *c, const char *text, size_t n)
{
	char line[256];

	/* reading is not worth a line; SET may hold what belongs in no log */
	if (c->verb->role != IDENTITY_ADMIN)
		return;
	if (c->line.has_value)
		snprintf(line, sizeof(line), "SET %s", c->line.arg[0]);
	else
		snprintf(line, sizeof(line), "%.*s", n < 200 ? (int)n : 200, text);
	log_write(LOG_LOG, NULL, "console: %s: %s", c->who, line);
}

void command_begin(struct command *c, const char *text, size_t n)
{
	struct admin *a = c->admin;

	a->console.query_count++;
	a->console.xact_count++;
	a->console.bytes_received += n + 6; /* with the message's header and NUL */
	if (adminparse_command(text, n, &c->line) < 0) {
		command_fail(c, "%s", c->line.error);
		return;
	}
	c->verb = command_find(&c->line);
	if (c->verb == NULL) {
		command_fail(c, "invalid command '%s', use SHOW HELP;", c->line.verb);
		return;
	}
	if (!command_may(c->verb, c->roles)) {
		command_fail(c, "admin access needed");
		return;
	}
	if (c->line.args < c->verb->args_min || c->line.args > c->verb->args_max) {
		command_fail(c, "wrong number of arguments: %s",
			c->verb->usage != NULL ? c->verb->usage : c->verb->word);
		return;
	}
	command_log(c, text, n);
	c->verb->run(c);
}

void command_gather(struct command *c, const struct gather_ops *ops)
{
	gather_start(c->admin->control, c->admin->workers, c->admin->n, ops, c);
}

void command_poll(struct command *c, unsigned ms, void (*fn)(struct timeout *t))
{
	c->poll.fire = fn;
	loop_arm(c->admin->control, &c->poll, (uint64_t)ms * CLOCK_US_PER_MS);
}
