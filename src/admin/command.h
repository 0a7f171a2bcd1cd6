/*
 * command.h - one command of one console client, from its arrival to its answer.
 *
 * The control thread.  Made by admin.c; whoever runs it ends it with exactly one
 * command_answer / command_fail / command_done, at once or later.  Its client may
 * leave in the meantime: then the answer goes nowhere.
 */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include "admin/admin_impl.h"
#include "admin/adminparse.h"

struct command;

/* One row of commands.def. */
struct command_verb {
	const char *word;
	unsigned role; /* IDENTITY_ADMIN or IDENTITY_STATS */
	unsigned args_min, args_max;
	void (*run)(struct command *c);
	const char *usage;
};

enum command_id {
#define COMMAND(id, ...) COMMAND_##id,
#include "admin/commands.def"
#undef COMMAND
	COMMAND_COUNT
};

struct command {
	struct dlist link; /* of admin->open */
	struct admin *admin;
	struct worker *worker;
	uint64_t client; /* handle on worker */
	unsigned roles;
	char who[96]; /* user@address, for the log */
	uint64_t began;
	const struct command_verb *verb;
	struct adminparse line;
	const char *database; /* of commands that take one: NULL = all */
	struct timeout poll;  /* of commands that wait */
	bool is_gone;         /* nobody waits for the answer */
	bool is_canceled;     /* Ctrl-C, or gone */
	/* The client has cancelled, or gone, while the command waits; NULL: it comes to its end by itself. */
	void (*on_cancel)(struct command *c);
	/* what a command keeps of its own */
	uint64_t number, since;
	bool want_id, want_pid;
	unsigned round;
	unsigned *found; /* what the workers answered; freed with the command, as is token */
	uint64_t *token;
};

/* The verb of a parsed line: NULL when there is none. */
const struct command_verb *command_find(const struct adminparse *line);
const struct command_verb *command_at(enum command_id id);
bool command_may(const struct command_verb *verb, unsigned roles);

/* Takes c: everything below ends it. */
void command_done(struct command *c); /* tag = the verb */
void command_done_as(struct command *c, const char *tag);
void command_fail(struct command *c, const char *fmt, ...) FX_PRINTF(2, 3); /* 08P01 */
void command_fail_as(struct command *c, const char *sqlstate, const char *message, const char *detail);
/* Finished wire bytes without ReadyForQuery, which is added.  close: and then the connection. */
void command_answer(struct command *c, struct buf *out);
/* For admin.c: refuses or runs it. */
void command_begin(struct command *c, const char *text, size_t n);
void command_free(struct command *c);

/* Runs part on all workers, then joined on the control thread; c lives at least so long. */
void command_gather(struct command *c, const struct gather_ops *ops);
/* Calls fn after so many milliseconds. */
void command_poll(struct command *c, unsigned ms, void (*fn)(struct timeout *t));
#define COMMAND_OF_POLL(t) container_of(t, struct command, poll)

/* The functions of commands.def. */
#define COMMAND(id, word, role, min, max, run, usage) void run(struct command *c);
#include "admin/commands.def"
#undef COMMAND

#endif
