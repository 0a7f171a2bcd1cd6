/*
 * pqlink.c - libpq's non-blocking interface, waited for with poll().
 *
 * libpq's own blocking calls have no deadline that a silent peer cannot pass.
 */
#include "net/pqlink.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

void pqlink_rows_init(struct pqlink_rows *r)
{
	*r = (struct pqlink_rows){.rows = 0};
	buf_init(&r->text, PQLINK_BYTES_MAX);
}

void pqlink_rows_fini(struct pqlink_rows *r)
{
	buf_fini(&r->text);
	mem_free(r->cell);
	pqlink_rows_init(r);
}

#ifdef HAVE_LIBPQ

#include "base/clock.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>

struct pqlink {
	PGconn *conn;
};

/* libpq's messages have several lines and a newline at the end */
static void pqlink_one_line(char *out, size_t size, const char *text)
{
	size_t at = 0;

	for (; *text != '\0' && at + 1 < size; text++) {
		char c = *text == '\n' || *text == '\t' || *text == '\r' ? ' ' : *text;

		if (c != ' ' || (at > 0 && out[at - 1] != ' '))
			out[at++] = c;
	}
	while (at > 0 && out[at - 1] == ' ')
		at--;
	out[at] = '\0';
}

/* false: the limit was reached (error says so), or poll failed */
static bool pqlink_wait(PGconn *conn, short events, const struct pqlink_limit *limit, char *error, size_t size)
{
	for (;;) {
		uint64_t now = clock_mono_us();
		struct pollfd fds[2] = {{.fd = PQsocket(conn), .events = events}, {.fd = limit->stop_fd, .events = POLLIN}};
		int n;

		if (now >= limit->until) {
			snprintf(error, size, "no answer in time");
			return false;
		}
		n = poll(fds, limit->stop_fd >= 0 ? 2 : 1, (int)((limit->until - now) / 1000) + 1);
		if (n > 0 && limit->stop_fd >= 0 && fds[1].revents != 0) {
			snprintf(error, size, "shutting down");
			return false;
		}
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR) {
			snprintf(error, size, "poll: %s", strerrordesc_np(errno));
			return false;
		}
	}
}

static void pqlink_on_notice(void *arg FX_UNUSED, const PGresult *res FX_UNUSED)
{
	/* libpq would print it */
}

static const char *pqlink_file(const char *path)
{
	/* without a name libpq would look into ~/.postgresql */
	return path != NULL && path[0] != '\0' ? path : "/dev/null/none";
}

static PGconn *pqlink_start(const struct pqlink_where *w)
{
	char port[8];
	const char *const keys[] = {"host", "hostaddr", "port", "dbname", "user", "password", "passfile",
				    "application_name", "sslmode", "gssencmode", "options", "client_encoding",
				    "target_session_attrs", "sslrootcert", "sslcert", "sslkey", "sslcrl", NULL};
	/* an empty value would let the environment speak */
	const char *const values[] = {w->host, w->hostaddr, port, w->dbname, w->user, w->password, "/dev/null/none",
				      w->application_name, w->sslmode, "disable", w->options, "UTF8", "any",
				      pqlink_file(w->sslrootcert), pqlink_file(w->sslcert), pqlink_file(w->sslkey),
				      pqlink_file(w->sslcrl), NULL};

	_Static_assert(ARRAY_LEN(keys) == ARRAY_LEN(values), "one value for each key");
	snprintf(port, sizeof(port), "%u", w->port);
	return PQconnectStartParams(keys, values, 0);
}

/* 0: logged in */
static int pqlink_log_in(PGconn *conn, const struct pqlink_limit *limit, char *error, size_t size)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (PQstatus(conn) == CONNECTION_BAD)
		status = PGRES_POLLING_FAILED;
	while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
		if (!pqlink_wait(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, limit, error, size))
			return -1;
		status = PQconnectPoll(conn);
	}
	if (status != PGRES_POLLING_OK) {
		pqlink_one_line(error, size, PQerrorMessage(conn));
		return -1;
	}
	if (PQsetnonblocking(conn, 1) == 0)
		return 0;
	snprintf(error, size, "cannot be made non-blocking");
	return -1;
}

struct pqlink *pqlink_open(const struct pqlink_where *where, const struct pqlink_limit *limit, char *error, size_t size)
{
	PGconn *conn = pqlink_start(where);
	struct pqlink *link;

	if (conn == NULL) {
		snprintf(error, size, "out of memory");
		return NULL;
	}
	(void)PQsetNoticeReceiver(conn, pqlink_on_notice, NULL);
	if (pqlink_log_in(conn, limit, error, size) < 0) {
		PQfinish(conn);
		return NULL;
	}
	link = mem_alloc(sizeof(*link));
	link->conn = conn;
	return link;
}

void pqlink_close(struct pqlink *link)
{
	if (link == NULL)
		return;
	PQfinish(link->conn);
	mem_free(link);
}

bool pqlink_is_lost(struct pqlink *link)
{
	struct pollfd fd = {.fd = PQsocket(link->conn), .events = POLLIN};

	/* idle, the server says nothing but goodbye (and parameters, which is no harm) */
	if (poll(&fd, 1, 0) > 0 && PQconsumeInput(link->conn) == 0)
		return true;
	return PQstatus(link->conn) == CONNECTION_BAD;
}

static int pqlink_add_row(struct pqlink_rows *rows, const PGresult *res, char *error, size_t size)
{
	unsigned columns = (unsigned)PQnfields(res);

	for (unsigned i = 0; i < columns; i++) {
		/* a mark, so that null can be told from empty */
		if (PQgetisnull(res, 0, (int)i))
			(void)buf_append_u8(&rows->text, 0);
		else if (buf_append_u8(&rows->text, 1) == 0)
			(void)buf_append_cstr(&rows->text, PQgetvalue(res, 0, (int)i));
	}
	rows->columns = columns;
	rows->rows++;
	if (!rows->text.bad && rows->rows <= PQLINK_ROWS_MAX)
		return 0;
	snprintf(error, size, "the answer is too large");
	return -1;
}

/* the next result; false: none will come (LOST in *out when the link is broken, else OK) */
static PGresult *pqlink_next(struct pqlink *link, const struct pqlink_limit *limit, enum pqlink_result *out, char *error,
			     size_t size)
{
	PGconn *conn = link->conn;
	int unsent;

	while ((unsent = PQflush(conn)) > 0 || PQisBusy(conn)) {
		*out = PQLINK_LOST;
		if (!pqlink_wait(conn, unsent > 0 ? POLLIN | POLLOUT : POLLIN, limit, error, size))
			return NULL;
		if (unsent < 0 || PQconsumeInput(conn) == 0) {
			pqlink_one_line(error, size, PQerrorMessage(conn));
			return NULL;
		}
	}
	*out = PQLINK_OK;
	return PQgetResult(conn);
}

static enum pqlink_result pqlink_take(struct pqlink *link, const PGresult *res, struct pqlink_rows *rows, char *error,
				      size_t size)
{
	switch (PQresultStatus(res)) {
	case PGRES_SINGLE_TUPLE:
		return pqlink_add_row(rows, res, error, size) == 0 ? PQLINK_OK : PQLINK_LOST;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		rows->columns = (unsigned)PQnfields(res);
		return PQLINK_OK;
	case PGRES_FATAL_ERROR:
		pqlink_one_line(error, size, PQresultErrorMessage(res));
		return PQstatus(link->conn) == CONNECTION_BAD ? PQLINK_LOST : PQLINK_REFUSED;
	default:
		snprintf(error, size, "an answer of an unexpected kind");
		return PQLINK_LOST;
	}
}

/* after the last row: where each cell begins */
static void pqlink_index(struct pqlink_rows *rows)
{
	size_t n = (size_t)rows->rows * rows->columns;
	const uint8_t *p = rows->text.data;

	if (n == 0)
		return;
	rows->cell = mem_alloc(n * sizeof(*rows->cell));
	for (size_t i = 0; i < n; i++) {
		rows->cell[i] = p[0] == 0 ? NULL : (const char *)p + 1;
		p += p[0] == 0 ? 1 : 1 + strlen((const char *)p + 1) + 1;
	}
}

enum pqlink_result pqlink_ask(struct pqlink *link, const char *sql, const char *const *param, unsigned params,
			      const struct pqlink_limit *limit, struct pqlink_rows *rows, char *error, size_t size)
{
	enum pqlink_result result = PQLINK_OK, next = PQLINK_OK;
	PGresult *res;

	pqlink_rows_init(rows);
	error[0] = '\0';
	if (PQsendQueryParams(link->conn, sql, (int)params, NULL, param, NULL, NULL, 0) == 0 ||
	    PQsetSingleRowMode(link->conn) == 0) {
		pqlink_one_line(error, size, PQerrorMessage(link->conn));
		return PQLINK_LOST;
	}
	while (result != PQLINK_LOST && (res = pqlink_next(link, limit, &next, error, size)) != NULL) {
		enum pqlink_result taken = pqlink_take(link, res, rows, error, size);

		PQclear(res);
		/* what comes after an error is the end */
		if (taken > result)
			result = taken;
	}
	if (result != PQLINK_LOST && next == PQLINK_LOST)
		result = PQLINK_LOST;
	if (result == PQLINK_OK)
		pqlink_index(rows);
	else
		pqlink_rows_fini(rows);
	return result;
}

#else

struct pqlink {
	int unused;
};

struct pqlink *pqlink_open(const struct pqlink_where *where FX_UNUSED, const struct pqlink_limit *limit FX_UNUSED,
			   char *error, size_t size)
{
	snprintf(error, size, "fynixpool was built without libpq");
	return NULL;
}

enum pqlink_result pqlink_ask(struct pqlink *link FX_UNUSED, const char *sql FX_UNUSED,
			      const char *const *param FX_UNUSED, unsigned params FX_UNUSED,
			      const struct pqlink_limit *limit FX_UNUSED, struct pqlink_rows *rows, char *error, size_t size)
{
	pqlink_rows_init(rows);
	snprintf(error, size, "fynixpool was built without libpq");
	return PQLINK_LOST;
}

bool pqlink_is_lost(struct pqlink *link FX_UNUSED)
{
	return true;
}

void pqlink_close(struct pqlink *link FX_UNUSED)
{
}

#endif
