/*
 * fakevar.h - variables that drivers ask for although the console is no PostgreSQL.  Any thread.
 */
#ifndef ADMIN_FAKEVAR_H
#define ADMIN_FAKEVAR_H

/* Its value, and its name as we write it; NULL: no such variable.  Case-blind. */
const char *fakevar_value(const char *name, const char **own_name);

#endif
