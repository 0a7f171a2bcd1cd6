/*
 * flood.c - cancel requests with keys of nobody, so many a second, on a Unix socket or a TCP port.
 *
 *   flood PATH|PORT RATE SECONDS [sink]
 *
 * Prints how many were sent in how many seconds, and how many connects failed.  With "sink" it listens there instead, and closes
 * what it accepts when the request has come: the same work for the machine without a pooler.
 * Compiled and run by test_cancel.py.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static union {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
} to;
static socklen_t to_len;

static void address(const char *text)
{
	if (text[0] == '/') {
		to.un.sun_family = AF_UNIX;
		snprintf(to.un.sun_path, sizeof(to.un.sun_path), "%s", text);
		to_len = sizeof(to.un);
	} else {
		to.in.sin_family = AF_INET;
		to.in.sin_port = htons((uint16_t)atoi(text));
		to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to_len = sizeof(to.in);
	}
}

static int sink(void)
{
	int one = 1, fd = socket(to.any.sa_family, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &to.any, to_len) < 0 || listen(fd, 1024) < 0) {
		perror("sink");
		return 1;
	}
	for (;;) {
		char body[64];
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		while (read(c, body, sizeof(body)) < 0 && errno == EINTR)
			;
		close(c);
	}
}

int main(int argc, char **argv)
{
	unsigned char packet[44] = {0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e};
	double rate, seconds, begin, end;
	unsigned long sent = 0, failed = 0;

	if (argc < 4)
		return 2;
	address(argv[1]);
	if (argc > 4)
		return sink();
	rate = atof(argv[2]);
	seconds = atof(argv[3]);
	srandom((unsigned)getpid());
	begin = now();
	end = begin + seconds;
	for (double t = begin; t < end; t = now()) {
		/* so many should have gone by now */
		unsigned long due = (unsigned long)((t - begin) * rate);

		if (sent + failed >= due) {
			usleep(200);
			continue;
		}
		for (unsigned n = 0; n < 64 && sent + failed < due; n++) {
			int fd = socket(to.any.sa_family, SOCK_STREAM, 0);
			unsigned length = (sent & 1) ? 44 : 16;

			packet[3] = (unsigned char)length;
			for (unsigned i = 8; i < length; i++)
				packet[i] = (unsigned char)random();
			if (connect(fd, &to.any, to_len) == 0 && write(fd, packet, length) == (ssize_t)length)
				sent++;
			else
				failed++;
			close(fd);
		}
	}
	printf("%lu %.3f %lu\n", sent, now() - begin, failed);
	return 0;
}
