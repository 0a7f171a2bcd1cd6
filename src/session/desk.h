/*
 * desk.h - a client of the console: collects its commands and hands them upwards.
 *
 * The client's worker.  The command itself runs on the control thread; its answer
 * comes back through worker_answer.
 */
#ifndef SESSION_DESK_H
#define SESSION_DESK_H

#include "session/client.h"

#define DESK_COMMAND_MAX ((size_t)16 * 1024)

/* A command has been answered: go on with what came in the meantime. */
void desk_pump(struct client *c);
size_t desk_on_bytes(struct client *c, const uint8_t *data, size_t n);

#endif
