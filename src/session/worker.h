/*
 * worker.h - everything one worker thread owns: its home of pools, its clients, their keys.
 *
 * The worker's thread, but for what says otherwise.
 */
#ifndef SESSION_WORKER_H
#define SESSION_WORKER_H

#include "pool/pool.h"
#include "session/client.h"
#include "session/gate.h"
#include "session/osname.h"
#include "session/keyring.h"

struct worker;

/* The console's side, implemented above: called on the worker, must not wait. */
struct worker_console {
	/* A command of a console client.  The answer comes with worker_answer. text is borrowed until return. */
	void (*on_command)(struct worker *w, uint64_t client, const struct identity *who, const char *text, size_t n);
	/* The client that waits for an answer has sent a cancel, or has gone. */
	void (*on_cancel)(struct worker *w, uint64_t client, bool is_gone);
	/* ParameterStatus messages of the console's greeting. */
	void (*greet)(struct worker *w, struct buf *out);
};

#define WORKER_SPARES 64
#define WORKER_SPARE_MAX ((size_t)4096)

struct worker {
	struct home home; /* first: loop->owner is both */
	struct loop loop;
	struct dlist clients;
	struct dlist silent;	  /* seat.c: logins that the client is to go on with, longest silent first */
	_Atomic uint64_t silent_since; /* of the first; 0: none.  Read by whoever seeks a seat */
	unsigned console_clients; /* of them */
	struct slots handles;	  /* struct client */
	struct keyring keyring;	  /* cancel keys of its clients; asked by every worker */
	struct hash_map spellings; /* canon.c */
	struct gate_memory gate;
	struct osname_memory osnames;
	struct dlist asks, asks_riding; /* userask.c: questions about users, that wait for a server and that have one */
	uint64_t vars_seed[2];	  /* of the hashes of tracked parameters */
	_Atomic unsigned load;	  /* clients; read by whoever accepts */
	struct worker **all;	  /* every worker of the process, index = loop.index */
	struct buf spares[WORKER_SPARES]; /* record.c */
	unsigned spare_count;
	const struct worker_console *console;
	void *console_owner;	  /* the console's, for its callbacks */
	struct timeout watch;	  /* looks at running queries */
	struct log_limit noise;	  /* for lines that anybody can cause */
	uint64_t long_turn_told;  /* when the log was last told of a long turn; 0: never */
	unsigned long_turns_untold;
	bool is_closing;	  /* no new logins but the console's */
	bool is_draining;	  /* and no new requests */
};

/* 0, or -1 when the loop can't be made (errno). */
int worker_init(struct worker *w, const struct engine_ops *engine, struct hub *hub, unsigned index, struct worker **all,
		struct conf *conf, const struct worker_console *console) FX_MUST_USE;
/* The worker's thread, at the end: drops all clients and servers (servers are told, nobody is waited for). */
void worker_empty(struct worker *w);
/* When no worker runs any more, worker_empty has run on all and their mailboxes are drained. */
void worker_fini(struct worker *w);
/* On the loop of the listener: gives fd to the worker with the fewest clients. */
void worker_accept(struct worker *acceptor, int fd, const struct addr *peer);
/* Any thread: runs fn on the worker's thread.  fn takes arg. */
void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* Answer of the console to a client of this worker: wire bytes; close: and then end the connection. */
void worker_answer(struct worker *w, uint64_t client, const void *bytes, size_t n, bool close);
void worker_reload(struct worker *w, struct conf *conf);
/* Shutdown: clients that wait for a server are told and leave. */
void worker_dismiss_waiting(struct worker *w);
struct client *worker_client(struct worker *w, uint64_t handle);
struct client *worker_find_client_id(struct worker *w, uint64_t id);
struct server *worker_find_server(struct worker *w, uint64_t id, uint32_t pid);
static inline struct worker *worker_of(struct loop *loop)
{
	return loop->owner;
}

#endif
