/*
 * machine.h - which PostgreSQL a server connection goes to: process ids mean something together with this only.
 *
 * A value; any thread, but machine_of (the server's worker).
 */
#ifndef REPORT_MACHINE_H
#define REPORT_MACHINE_H

#include "server/server.h"

struct machine {
	char where[128]; /* path of its Unix socket, or its address as numbers: names have been looked up */
	uint16_t port;
	bool is_unix;
};

void machine_of(const struct server *s, struct machine *out);
bool machine_is_same(const struct machine *a, const struct machine *b);
/* The folder of its Unix socket as libpq wants it, in out; false: it has none, or out is too small. */
bool machine_folder(const struct machine *m, char *out, size_t size);

#endif
