/*
 * waitrow.c - what PostgreSQL says of one backend.
 *
 * The server is not ours: everything is bounded and nothing is believed to be well-formed.
 */
#include "report/waitrow.h"

#include "base/str.h"

#include <string.h>

const char waitrow_sql[] =
	"SELECT a.pid, a.wait_event_type, a.wait_event, a.state, "
	"CASE WHEN a.wait_event_type OPERATOR(pg_catalog.=) 'Lock' "
	"THEN pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(a.pid), ',') END "
	"FROM pg_catalog.pg_stat_activity AS a "
	"WHERE a.pid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int4[])";

void waitrow_pids(struct buf *out, const uint32_t *pid, size_t n)
{
	(void)buf_append_u8(out, '{');
	for (size_t i = 0; i < n; i++)
		(void)buf_printf(out, "%s%u", i > 0 ? "," : "", pid[i]);
	(void)buf_append_u8(out, '}');
}

/* NULL: no number here */
static const char *waitrow_number(const char *p, uint32_t *out)
{
	uint64_t n = 0;
	const char *begin = p;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > INT32_MAX)
			return NULL;
	}
	*out = (uint32_t)n;
	return p > begin ? p : NULL;
}

static void waitrow_add_blocker(struct waitrow *row, uint32_t pid)
{
	/* workers of one parallel query come with the pid of their leader */
	for (unsigned i = 0; i < row->blockers; i++)
		if (row->blocker[i] == pid)
			return;
	if (row->blockers < WAITROW_BLOCKERS_MAX)
		row->blocker[row->blockers++] = pid;
	else
		row->has_more = true;
}

int waitrow_parse(struct waitrow *row, const char *const *cell)
{
	const char *p = cell[WAITROW_PID];
	uint32_t pid;

	memset(row, 0, sizeof(*row));
	if (p == NULL || (p = waitrow_number(p, &row->pid)) == NULL || *p != '\0')
		return -1;
	row->is_hidden = cell[WAITROW_STATE] == NULL;
	if (cell[WAITROW_TYPE] != NULL)
		str_escape(row->type, sizeof(row->type), cell[WAITROW_TYPE], strlen(cell[WAITROW_TYPE]));
	if (cell[WAITROW_EVENT] != NULL)
		str_escape(row->event, sizeof(row->event), cell[WAITROW_EVENT], strlen(cell[WAITROW_EVENT]));
	row->is_locked = strcmp(row->type, "Lock") == 0;
	p = cell[WAITROW_BLOCKERS];
	if (p == NULL || *p == '\0')
		return 0;
	for (;; p++) {
		if ((p = waitrow_number(p, &pid)) == NULL)
			return -1;
		waitrow_add_blocker(row, pid);
		if (*p == '\0')
			return 0;
		if (*p != ',')
			return -1;
	}
}

void waitrow_blocked_by(const struct waitrow *row, const char *(*name)(void *arg, uint32_t pid), void *arg,
			struct buf *out)
{
	for (unsigned i = 0; i < row->blockers; i++) {
		const char *known;

		if (i > 0)
			(void)buf_append_str(out, ", ");
		if (row->blocker[i] == 0) {
			(void)buf_append_str(out, "a prepared transaction");
			continue;
		}
		known = name(arg, row->blocker[i]);
		(void)buf_printf(out, "%u", row->blocker[i]);
		if (known != NULL && known[0] != '\0')
			(void)buf_printf(out, " (%s)", known);
	}
	if (row->has_more)
		(void)buf_append_str(out, ", ...");
}
