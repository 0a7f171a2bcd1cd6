/*
 * stream: moves large results as cheaply as a client can. For the CPU-per-GB figures of `compare`.
 *
 *   stream CONNINFO CLIENTS SQL [COPY-IN-BYTES]
 *
 * Each client is a thread that logs in with libpq and then speaks on the socket itself: it sends SQL as one simple
 * Query, walks the message headers of what comes back, and begins again at ReadyForQuery. If the server answers with
 * CopyInResponse, it sends COPY-IN-BYTES of CopyData first. It prints "ready" when all are logged in, then obeys
 * lines on stdin: "go" (answer "gone") lets the clients run, "hold" (answer "held") stops each after its result,
 * "mark" (answer "mark SECONDS BYTES") tells the wall clock and the bytes moved so far in both directions. End of
 * input lets every client finish its result, then it ends. Any error ends it with status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libpq-fe.h>
#include <openssl/ssl.h>

#define BUF_SIZE (256 * 1024)
#define COPY_ROW 1000	/* bytes of text in one row of COPY in, newline included */

static atomic_ullong bytes_moved;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool running, stopping;	/* under the lock */
static int busy;		/* clients inside a result; under the lock */
static const char *sql;
static size_t copy_bytes;

struct reader {
	int fd;
	SSL *ssl;		/* NULL: no TLS */
	unsigned char head[5];
	size_t head_len;	/* bytes of the header seen so far */
	size_t skip;		/* bytes of the body still to come */
	unsigned char *buf;
};

static void die(const char *what)
{
	fprintf(stderr, "stream: %s\n", what);
	exit(1);
}

static ssize_t send_some(const struct reader *r, const unsigned char *p, size_t len)
{
	if (r->ssl != NULL)
		return SSL_write(r->ssl, p, (int)len);
	return send(r->fd, p, len, MSG_NOSIGNAL);
}

static ssize_t recv_some(const struct reader *r)
{
	if (r->ssl != NULL)
		return SSL_read(r->ssl, r->buf, BUF_SIZE);
	return recv(r->fd, r->buf, BUF_SIZE, 0);
}

static void send_all(const struct reader *r, const unsigned char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send_some(r, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("send failed");
		p += n;
		len -= (size_t)n;
	}
}

static size_t put_header(unsigned char *p, char type, size_t body)
{
	size_t len = body + 4;

	p[0] = (unsigned char)type;
	p[1] = (unsigned char)(len >> 24);
	p[2] = (unsigned char)(len >> 16);
	p[3] = (unsigned char)(len >> 8);
	p[4] = (unsigned char)len;
	return 5;
}

static void send_query(const struct reader *r, const char *text)
{
	size_t len = strlen(text) + 1;
	unsigned char *msg = malloc(len + 5);

	if (!msg)
		die("out of memory");
	put_header(msg, 'Q', len);
	memcpy(msg + 5, text, len);
	send_all(r, msg, len + 5);
	free(msg);
}

/* One CopyData per row, many rows per send; the counter counts what went over the wire. */
static void send_copy(struct reader *r)
{
	size_t row = 5 + COPY_ROW, rows = BUF_SIZE / row, left = copy_bytes / COPY_ROW, i;

	for (i = 0; i < rows; i++) {
		put_header(r->buf + i * row, 'd', COPY_ROW);
		memset(r->buf + i * row + 5, 'x', COPY_ROW - 1);
		r->buf[i * row + row - 1] = '\n';
	}
	while (left > 0) {
		size_t n = left < rows ? left : rows;

		send_all(r, r->buf, n * row);
		atomic_fetch_add_explicit(&bytes_moved, n * row, memory_order_relaxed);
		left -= n;
	}
	put_header(r->head, 'c', 0);
	send_all(r, r->head, 5);
}

/* Walks LEN received bytes. Returns the last message type of interest: 'Z' (end), 'G' (COPY in) or 0 (more to come). */
static char walk(struct reader *r, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t n;

		if (r->skip > 0) {
			n = len - at < r->skip ? len - at : r->skip;
			r->skip -= n;
			at += n;
			if (r->skip > 0)
				return 0;
		} else {
			n = 5 - r->head_len < len - at ? 5 - r->head_len : len - at;
			memcpy(r->head + r->head_len, r->buf + at, n);
			r->head_len += n;
			at += n;
			if (r->head_len < 5)
				return 0;
			r->skip = ((size_t)r->head[1] << 24 | (size_t)r->head[2] << 16 | (size_t)r->head[3] << 8 |
				   r->head[4]) - 4;
			if (r->head[0] == 'E')
				die("the server answered with an error");
			if (r->skip > 0)
				continue;
		}
		r->head_len = 0;
		if (r->head[0] == 'Z' || r->head[0] == 'G') {
			if (at != len)
				die("bytes after the end of a result");
			return (char)r->head[0];
		}
	}
	return 0;
}

static void run_one(struct reader *r)
{
	char end = 0;

	r->head_len = r->skip = 0;
	send_query(r, sql);
	while (end != 'Z') {
		ssize_t n = recv_some(r);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("connection closed in a result");
		atomic_fetch_add_explicit(&bytes_moved, (unsigned long long)n, memory_order_relaxed);
		end = walk(r, (size_t)n);
		if (end == 'G') {
			if (!copy_bytes)
				die("COPY IN asked for, but no COPY-IN-BYTES given");
			send_copy(r);
			r->head_len = r->skip = 0;
		}
	}
}

/* Waits for its turn; false when it is time to end. */
static bool may_run(void)
{
	bool go;

	pthread_mutex_lock(&lock);
	while (!running && !stopping)
		pthread_cond_wait(&changed, &lock);
	go = !stopping;
	if (go)
		busy++;
	pthread_mutex_unlock(&lock);
	return go;
}

static void has_run(void)
{
	pthread_mutex_lock(&lock);
	if (--busy == 0)
		pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* Sets what the clients shall do; when they shall not run, returns only after the last has finished its result. */
static void command(bool run, bool stop)
{
	pthread_mutex_lock(&lock);
	running = run;
	stopping = stop;
	pthread_cond_broadcast(&changed);
	while (!run && busy > 0)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void *client_main(void *arg)
{
	struct reader r = { .fd = PQsocket(arg), .ssl = PQsslStruct(arg, "OpenSSL"), .buf = malloc(BUF_SIZE) };

	if (!r.buf)
		die("out of memory");
	while (may_run()) {
		run_one(&r);
		has_run();
	}
	free(r.buf);
	return NULL;
}

/* libpq's sockets are non-blocking whatever PQsetnonblocking says. */
static void make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
		die("cannot make a socket blocking");
}

static void mark(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	printf("mark %lld.%09ld %llu\n", (long long)ts.tv_sec, ts.tv_nsec, (unsigned long long)bytes_moved);
}

int main(int argc, char **argv)
{
	char line[64];
	pthread_t threads[64];
	PGconn *conns[64];
	int i, clients;

	if (argc < 4 || argc > 5 || (clients = atoi(argv[2])) < 1 || clients > 64) {
		fprintf(stderr, "usage: stream CONNINFO CLIENTS(1-64) SQL [COPY-IN-BYTES]\n");
		return 2;
	}
	sql = argv[3];
	copy_bytes = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < clients; i++) {
		conns[i] = PQconnectdb(argv[1]);
		if (PQstatus(conns[i]) != CONNECTION_OK)
			die(PQerrorMessage(conns[i]));
		make_blocking(PQsocket(conns[i]));
	}
	printf("ready\n");
	for (i = 0; i < clients; i++)
		if (pthread_create(&threads[i], NULL, client_main, conns[i]) != 0)
			die("cannot start a thread");
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "mark\n") == 0) {
			mark();
		} else if (strcmp(line, "go\n") == 0) {
			command(true, false);
			printf("gone\n");
		} else if (strcmp(line, "hold\n") == 0) {
			command(false, false);
			printf("held\n");
		} else {
			die("unknown command");
		}
	}
	command(false, true);
	for (i = 0; i < clients; i++) {
		pthread_join(threads[i], NULL);
		PQfinish(conns[i]);
	}
	return 0;
}
