/*
 * params.h - the parameters a server reports (ParameterStatus), as (name, value) pairs.
 *
 * One owner, one thread.  Names are compared without regard to case, as
 * PostgreSQL does.  Bounded: PARAMS_MAX bytes and PARAMS_NAMES names, later pairs
 * are refused.
 */
#ifndef SERVER_PARAMS_H
#define SERVER_PARAMS_H

#include "base/buf.h"

#define PARAMS_MAX ((size_t)64 * 1024)
#define PARAMS_NAMES 128 /* PostgreSQL has fifteen; names are looked for one by one */

struct params {
	struct buf pairs; /* name NUL value NUL ... */
};

void params_init(struct params *p);
void params_fini(struct params *p);
/* -1: the bound is reached or no memory; the former value stays. */
int params_set(struct params *p, const char *name, const char *value) FX_MUST_USE;
/* Harmless when there is no such name. */
void params_remove(struct params *p, const char *name);
void params_clear(struct params *p);
/* -1: no memory; to stays as it was. */
int params_copy(struct params *to, const struct params *from) FX_MUST_USE;
/* Lent until the next change; NULL: never reported. */
const char *params_get(const struct params *p, const char *name);
/* Start with *it = 0; false at the end. */
bool params_next(const struct params *p, size_t *it, const char **name, const char **value);

#endif
