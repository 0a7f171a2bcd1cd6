/*
 * logins: logs in and leaves, again and again, from several threads. For the scenarios logins_* of `compare`.
 *
 *   logins CONNINFO THREADS COUNT
 *
 * Logs in once, prints "ready", then obeys lines on stdin: "go" makes COUNT logins in all and prints
 * "done SECONDS"; end of input ends it. Any failed login ends it with status 1.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

static const char *conninfo;
static atomic_int left;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void login(void)
{
	PGconn *conn = PQconnectdb(conninfo);

	if (!conn || PQstatus(conn) != CONNECTION_OK) {
		fprintf(stderr, "logins: %s", PQerrorMessage(conn));
		exit(1);
	}
	PQfinish(conn);
}

static void *worker(void *arg)
{
	while (atomic_fetch_sub(&left, 1) > 0)
		login();
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread[256];
	int i, threads, count;
	char line[64];

	if (argc != 4 || (threads = atoi(argv[2])) < 1 || threads > 256 || (count = atoi(argv[3])) < 1) {
		fprintf(stderr, "usage: logins CONNINFO THREADS COUNT\n");
		return 2;
	}
	conninfo = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	login();
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		double start = now();

		if (strcmp(line, "go\n") != 0) {
			fprintf(stderr, "logins: unknown command: %s", line);
			return 2;
		}
		atomic_store(&left, count);
		for (i = 0; i < threads; i++)
			if (pthread_create(&thread[i], NULL, worker, NULL) != 0)
				return 1;
		for (i = 0; i < threads; i++)
			pthread_join(thread[i], NULL);
		printf("done %.6f\n", now() - start);
	}
	return 0;
}
