/*
 * gate.h - by which proof a client has to say who it is, or that it need not try.
 *
 * The client's worker, between the startup packet and the proof.  auth_type decides,
 * and with hba the first rule that fits.  Whether the user or the database exists
 * changes nothing in what a client can see of it.  What may make the system wait is
 * asked by a helper thread.
 */
#ifndef SESSION_GATE_H
#define SESSION_GATE_H

#include "auth/clientauth.h"
#include "net/ifaces.h"

struct client;

#define GATE_TEXT_MAX 512

/* What a worker remembers of the system, for some seconds. */
struct gate_memory {
	struct ifaces ifaces;
	uint64_t ifaces_until;
};

void gate_fini(struct gate_memory *m);

struct gate {
	enum clientauth_method method;
	const char *sqlstate; /* refused: of [fynixpool] */
	char sentence[GATE_TEXT_MAX]; /* refused: for the client */
	char why[GATE_TEXT_MAX];      /* refused: for the log */
};

enum gate_answer {
	GATE_PROOF,   /* by method */
	GATE_REFUSED, /* see sentence and why */
	GATE_WAITS,   /* the system is being asked; the client is paused, and admit_again comes */
};

/* is_known: auth_file has the user, or auth_query has found him, or is to be asked once the rules let him come so far. */
enum gate_answer gate_choose(struct client *c, bool is_known, struct gate *out) FX_MUST_USE;

#endif
