/*
 * listener.h - a listening socket, watched by one loop.
 *
 * Opened by the control thread before it is given to a loop; afterwards only
 * that loop's thread touches it.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/addr.h"
#include "net/loop.h"

#define LISTENER_ENGINE_SIZE 56
#define LISTENER_BURST 4 /* connections taken in one turn, so that those who leave are seen before others come */

struct listener {
	int fd;
	bool is_unix;
	bool is_watched;
	struct loop *loop;
	/* Takes fd; peer is filled in, for Unix sockets with the peer's uid (all bits set: unknown).
	 * May call listener_stop, but not listener_free. */
	void (*on_accept)(struct listener *l, int fd, const struct addr *peer);
	/* accept failed for want of descriptors or memory: the listener stopped itself for a while */
	void (*on_starved)(struct listener *l, int err);
	void *owner;
	struct timeout retry;
	char *unlink_path; /* of a Unix socket we made, and what file that was */
	uint64_t file_dev, file_ino;
	struct addr addr;
	_Alignas(8) uint8_t engine[LISTENER_ENGINE_SIZE];
};

/* Options of a connected TCP socket; a listening one hands them on. */
struct listener_tuning {
	bool keepalive;
	int keepcnt, keepidle, keepintvl; /* 0: system's */
	int user_timeout_ms;		  /* 0: system's */
	int socket_buffer;		  /* bytes, 0: system's */
};

struct listener_options {
	struct listener_tuning tuning; /* of the connections; TCP */
	int backlog;
	bool reuse_port;
	int defer_seconds; /* how long a TCP connection without a byte is the kernel's; 0: not at all */
	unsigned unix_mode; /* permission bits of a Unix socket */
	const char *unix_group;
};

/* Binds and listens.  On error NULL and a sentence; errno is EADDRINUSE then if another socket has the address.  A Unix
 * socket's file is replaced when nobody listens on it any more, and has its mode and group before anybody can connect. */
struct listener *listener_new_tcp(const struct addr *at, const struct listener_options *o, char *error, size_t size);
struct listener *listener_new_unix(const char *path, const struct listener_options *o, char *error, size_t size);
/* Closes; a Unix socket's file is removed if it is still ours. */
void listener_free(struct listener *l);
/* on_accept, on_starved and owner must be set. */
int listener_start(struct listener *l, struct loop *loop) FX_MUST_USE;
void listener_stop(struct listener *l);
/* Any thread while l lives: another defer_seconds for those that come now; nothing for a Unix socket. */
void listener_defer(struct listener *l, int seconds);
/* For engines: the socket is readable.  Accepts a few. */
void listener_ready(struct listener *l);
/* For engines: it cannot be watched or accepted from at present. */
void listener_rest(struct listener *l, int err);

/* Takes an accepted fd and closes it. */
void listener_refuse(int fd);
/* ... after saying n bytes to it, if it takes them at once. */
void listener_refuse_with(int fd, const void *bytes, size_t n);

void listener_tune(int fd, const struct listener_tuning *t);
bool listener_is_tuned(const struct listener_tuning *a, const struct listener_tuning *b); /* equally */

#endif
