/*
 * actdb.h - databases as arguments of commands.  The control thread.
 */
#ifndef ADMIN_ACTDB_H
#define ADMIN_ACTDB_H

#include "admin/command.h"

/* Finds out which database c means (c->database; NULL = all).  false: there is none such, c has been ended. */
bool actdb_resolve(struct command *c);
/* The pooler stops: c has been ended. */
bool actdb_is_stopping(struct command *c);
/* Servers that are logged in, of one database or of all, on any worker. */
unsigned actdb_servers(struct hub *hub, const char *database);

#endif
