/*
 * machine.c - which PostgreSQL a server connection goes to.
 */
#include "report/machine.h"

#include "base/str.h"

#include <string.h>

void machine_of(const struct server *s, struct machine *out)
{
	*out = (struct machine){.port = s->target->port, .is_unix = s->host->path != NULL};
	if (out->is_unix)
		(void)str_copy(out->where, sizeof(out->where), s->host->path);
	else
		addr_format(&s->remote, out->where, sizeof(out->where));
}

bool machine_is_same(const struct machine *a, const struct machine *b)
{
	return a->port == b->port && a->is_unix == b->is_unix && strcmp(a->where, b->where) == 0;
}

bool machine_folder(const struct machine *m, char *out, size_t size)
{
	const char *end = strrchr(m->where, '/');
	size_t n = end != NULL ? (size_t)(end - m->where) : 0;

	if (!m->is_unix || end == NULL || n >= size)
		return false;
	memcpy(out, m->where, n);
	out[n] = '\0';
	return true;
}
