/*
 * actkill.c - KILL_CLIENT, KILL_QUERY, KILL_SERVER.
 *
 * Numbers come from SHOW CLIENTS, SERVERS or LONG_QUERIES: ids of ours, or process
 * ids of PostgreSQL's.  The workers are first asked who that is; where one number
 * means two, the operator has to say which.
 */
#include "admin/command.h"

#include "base/mem.h"
#include "base/str.h"
#include "session/orders.h"

/* found[] has what each worker did */
static void actkill_report(struct command *c, const char *nobody)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->admin->n; i++)
		n += c->found[i];
	if (n > 0)
		command_done(c);
	else
		command_fail(c, "%s", nobody);
}

static void actkill_client_part(struct worker *w, unsigned i, void *arg)
{
	struct command *c = arg;

	c->found[i] = orders_kill_client(w, c->number);
}

static void actkill_client_joined(void *arg)
{
	actkill_report(arg, "client not found");
}

static const struct gather_ops actkill_client_ops = {
	.part = actkill_client_part, .joined = actkill_client_joined};

void actkill_client(struct command *c)
{
	if (adminparse_id(c->line.arg[0], &c->number) < 0) {
		command_fail(c, "invalid client pointer supplied");
		return;
	}
	c->found = mem_zalloc(c->admin->n * sizeof(c->found[0]));
	command_gather(c, &actkill_client_ops);
}

/* "id 5", "pid 5" or "5"; found[2 i] is what worker i knows of the id, found[2 i + 1] of the pid */
static bool actkill_parse(struct command *c)
{
	bool is_id = str_is_equal_nocase(c->line.arg[0], "id"),
	     is_pid = str_is_equal_nocase(c->line.arg[0], "pid");

	if (c->line.args > 1 && !is_id && !is_pid) {
		command_fail(c, "usage: %s", c->verb->usage);
		return false;
	}
	if (adminparse_id(c->line.arg[c->line.args - 1], &c->number) < 0) {
		command_fail(c, "invalid id or pid supplied");
		return false;
	}
	c->want_id = c->line.args == 1 || is_id;
	c->want_pid = (c->line.args == 1 || is_pid) && c->number <= INT32_MAX;
	c->found = mem_zalloc(2 * c->admin->n * sizeof(c->found[0]));
	c->token = mem_zalloc(2 * c->admin->n * sizeof(c->token[0]));
	return true;
}

/* The best answer of the workers for the id (which 0) or the pid (1). */
static enum orders_found actkill_best(const struct command *c, unsigned which, uint64_t *token)
{
	unsigned best = ORDERS_NOBODY;

	for (unsigned i = 0; i < c->admin->n; i++) {
		if (c->found[2 * i + which] >= best) {
			best = c->found[2 * i + which];
			*token = c->token[2 * i + which];
		}
	}
	return (enum orders_found)best;
}

static void actkill_ambiguous(struct command *c)
{
	command_fail(c, "%llu is an id and a pid: say %s id %llu or %s pid %llu",
		(unsigned long long)c->number, c->verb->word, (unsigned long long)c->number, c->verb->word,
		(unsigned long long)c->number);
}

/* what worker i knows of an id, of a client or a server, and of a pid */
static void actkill_find(struct worker *w, unsigned i, struct command *c, bool is_client)
{
	if (c->want_id)
		c->found[2 * i] = is_client ? orders_find_client(w, c->number, &c->token[2 * i])
					    : orders_find_server(w, c->number, 0, &c->token[2 * i]);
	if (c->want_pid)
		c->found[2 * i + 1] = orders_find_server(w, 0, (uint32_t)c->number, &c->token[2 * i + 1]);
}

static void actkill_query_part(struct worker *w, unsigned i, void *arg)
{
	actkill_find(w, i, arg, true);
}

static void actkill_cancel_part(struct worker *w, unsigned i, void *arg)
{
	struct command *c = arg;

	c->found[i] = c->want_id ? orders_cancel_client(w, c->number, c->since)
				 : orders_cancel_server(w, 0, (uint32_t)c->number, c->since);
}

static void actkill_cancel_joined(void *arg)
{
	actkill_report(arg, "the query is over already");
}

static const struct gather_ops actkill_cancel_ops = {
	.part = actkill_cancel_part, .joined = actkill_cancel_joined};

static void actkill_query_joined(void *arg)
{
	struct command *c = arg;
	uint64_t of_id = 0, of_pid = 0;
	enum orders_found id = actkill_best(c, 0, &of_id), pid = actkill_best(c, 1, &of_pid);

	if (id == ORDERS_FOUND && pid == ORDERS_FOUND) {
		actkill_ambiguous(c);
	} else if (id == ORDERS_FOUND || pid == ORDERS_FOUND) {
		c->want_id = id == ORDERS_FOUND;
		c->since = c->want_id ? of_id : of_pid;
		command_gather(c, &actkill_cancel_ops);
	} else if (id == ORDERS_IDLE || pid == ORDERS_IDLE) {
		command_fail(c, "%s runs no query", c->line.arg[c->line.args - 1]);
	} else {
		command_fail(c, "client or server not found");
	}
}

static const struct gather_ops actkill_query_ops = {
	.part = actkill_query_part, .joined = actkill_query_joined};

void actkill_query(struct command *c)
{
	if (actkill_parse(c))
		command_gather(c, &actkill_query_ops);
}

static void actkill_server_part(struct worker *w, unsigned i, void *arg)
{
	actkill_find(w, i, arg, false);
}

static void actkill_close_part(struct worker *w, unsigned i, void *arg)
{
	struct command *c = arg;

	c->found[i] = c->want_id ? orders_kill_server(w, c->number, 0)
				 : orders_kill_server(w, 0, (uint32_t)c->number);
}

static void actkill_close_joined(void *arg)
{
	actkill_report(arg, "server not found");
}

static const struct gather_ops actkill_close_ops = {
	.part = actkill_close_part, .joined = actkill_close_joined};

/* process ids are unique on one host only */
static unsigned actkill_count(const struct command *c, unsigned which)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->admin->n; i++)
		n += c->found[2 * i + which] != ORDERS_NOBODY;
	return n;
}

static void actkill_server_joined(void *arg)
{
	struct command *c = arg;
	uint64_t token;
	bool id = actkill_best(c, 0, &token) != ORDERS_NOBODY,
	     pid = actkill_best(c, 1, &token) != ORDERS_NOBODY;

	if (id && pid) {
		actkill_ambiguous(c);
	} else if (actkill_count(c, 1) > 1) {
		command_fail(c, "several servers have pid %llu: give the id", (unsigned long long)c->number);
	} else if (id || pid) {
		c->want_id = id;
		command_gather(c, &actkill_close_ops);
	} else {
		command_fail(c, "server not found");
	}
}

static const struct gather_ops actkill_server_ops = {
	.part = actkill_server_part, .joined = actkill_server_joined};

void actkill_server(struct command *c)
{
	if (actkill_parse(c))
		command_gather(c, &actkill_server_ops);
}
