/*
 * idle: opens many logged-in connections and does nothing with them. For the memory figures of `compare`.
 *
 *   idle CONNINFO COUNT
 *
 * Prints "ready SECONDS" when all are logged in, then obeys lines on stdin: "query" runs `select 1` on each
 * connection in turn and prints "done SECONDS"; "check" prints "alive N", the connections that the other side has
 * not closed; end of input closes everything and ends. Any failed login or query ends it with status 1.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void login_all(PGconn **conns, int count, const char *conninfo)
{
	int i;

	for (i = 0; i < count; i++) {
		conns[i] = PQconnectdb(conninfo);
		if (!conns[i] || PQstatus(conns[i]) != CONNECTION_OK) {
			fprintf(stderr, "idle: connection %d: %s", i + 1, PQerrorMessage(conns[i]));
			exit(1);
		}
	}
}

static void query_all(PGconn **conns, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		PGresult *res = PQexec(conns[i], "select 1");

		if (PQresultStatus(res) != PGRES_TUPLES_OK || strcmp(PQgetvalue(res, 0, 0), "1") != 0) {
			fprintf(stderr, "idle: query on connection %d: %s", i + 1, PQerrorMessage(conns[i]));
			exit(1);
		}
		PQclear(res);
	}
}

/* An idle connection is readable only when the other side has closed it or told it so. */
static int count_alive(PGconn **conns, int count)
{
	int i, alive = 0;

	for (i = 0; i < count; i++) {
		struct pollfd pfd = { .fd = PQsocket(conns[i]), .events = POLLIN };

		if (poll(&pfd, 1, 0) == 0)
			alive++;
	}
	return alive;
}

int main(int argc, char **argv)
{
	char line[64];
	PGconn **conns;
	int i, count;
	double start;

	if (argc != 3 || (count = atoi(argv[2])) < 1) {
		fprintf(stderr, "usage: idle CONNINFO COUNT\n");
		return 2;
	}
	conns = calloc((size_t)count, sizeof(*conns));
	if (!conns)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	start = now();
	login_all(conns, count, argv[1]);
	printf("ready %.6f\n", now() - start);
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "query\n") == 0) {
			start = now();
			query_all(conns, count);
			printf("done %.6f\n", now() - start);
		} else if (strcmp(line, "check\n") == 0) {
			printf("alive %d\n", count_alive(conns, count));
		} else {
			fprintf(stderr, "idle: unknown command: %s", line);
			return 2;
		}
	}
	for (i = 0; i < count; i++)
		PQfinish(conns[i]);
	free(conns);
	return 0;
}
