/*
 * listener.c - listening sockets.
 *
 * Made on the control thread, run on one loop.  Accepting never spins when
 * descriptors run out: the listener rests for a while instead.
 */
#include "net/listener.h"

#include "base/mem.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTENER_REST_US 100000

static void listener_on_retry(struct timeout *t)
{
	struct listener *l = container_of(t, struct listener, retry);

	if (l->loop->engine->listen(l) == 0)
		l->is_watched = true;
	else
		loop_arm(l->loop, &l->retry, LISTENER_REST_US);
}

static struct listener *listener_new(int fd, const struct addr *at)
{
	struct listener *l = mem_zalloc(sizeof(*l));

	l->fd = fd;
	l->addr = *at;
	timeout_init(&l->retry, listener_on_retry);
	return l;
}

static void listener_error(char *error, size_t size, const char *what, const char *where, int err)
{
	snprintf(error, size, "cannot %s %s: %s", what, where, strerrordesc_np(err));
}

static void listener_set_defer(int fd, int seconds)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

struct listener *listener_new_tcp(const struct addr *at, const struct listener_options *o, char *error, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	char text[ADDR_TEXT_MAX], where[ADDR_TEXT_MAX + 8];
	int one = 1, fd, err;

	addr_format(at, text, sizeof(text));
	snprintf(where, sizeof(where), at->family == ADDR_IPV6 ? "[%s]:%u" : "%s:%u", text, at->port);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		listener_error(error, size, "make a socket for", where, errno);
		return NULL;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (o->reuse_port)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (at->family == ADDR_IPV6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	/* the connections have it from here */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	listener_tune(fd, &o->tuning);
	listener_set_defer(fd, o->defer_seconds);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, o->backlog) < 0) {
		err = errno;
		listener_error(error, size, "listen on", where, err);
		close(fd);
		errno = err;
		return NULL;
	}
	return listener_new(fd, at);
}

/* a socket file that nobody listens on any more is removed; a live one, or another kind of file, is an error */
static int listener_unix_clear(const char *path, const struct sockaddr_storage *ss, socklen_t len, char *error,
			       size_t size)
{
	struct stat st;
	int fd, rc, err;

	if (path[0] == '@' || lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, size, "cannot listen on %s: there is a file that is not a socket", path);
		return -1;
	}
	/* not waiting: a live one with a full queue says EAGAIN */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		listener_error(error, size, "make a socket for", path, errno);
		return -1;
	}
	rc = connect(fd, (const struct sockaddr *)ss, len);
	err = errno;
	close(fd);
	if (rc == 0 || err == EAGAIN || err == EINPROGRESS) {
		snprintf(error, size, "unix socket %s is in use by a running process", path);
		errno = EADDRINUSE;
		return -1;
	}
	if (err == ECONNREFUSED && unlink(path) < 0 && errno != ENOENT) {
		listener_error(error, size, "remove the stale unix socket", path, errno);
		return -1;
	}
	return 0;
}

static int listener_unix_group(const char *path, const char *group, char *error, size_t size)
{
	struct group gr, *found = NULL;
	char room[4096];

	if (group == NULL || group[0] == '\0' || path[0] == '@')
		return 0;
	if (getgrnam_r(group, &gr, room, sizeof(room), &found) != 0 || found == NULL) {
		snprintf(error, size, "unix_socket_group: no such group \"%s\"", group);
		return -1;
	}
	if (chown(path, (uid_t)-1, found->gr_gid) < 0) {
		listener_error(error, size, "set the group of", path, errno);
		return -1;
	}
	return 0;
}

/* Binds so that the file is born with at most the wanted mode (umask may take bits off, which come back with chmod),
 * and nobody can connect before listen.  -1 with a sentence; the file is gone again then. */
static int listener_unix_bind(int fd, const char *path, const struct sockaddr_storage *ss, socklen_t len,
			      const struct listener_options *o, char *error, size_t size)
{
	mode_t mode = (mode_t)o->unix_mode & 0777;

	if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)ss, len) < 0) {
		listener_error(error, size, "listen on", path, errno);
		return -1;
	}
	if (path[0] != '@' && chmod(path, mode) < 0)
		listener_error(error, size, "set the mode of", path, errno);
	else if (listener_unix_group(path, o->unix_group, error, size) < 0)
		;
	else if (listen(fd, o->backlog) < 0)
		listener_error(error, size, "listen on", path, errno);
	else
		return 0;
	if (path[0] != '@')
		(void)unlink(path);
	return -1;
}

struct listener *listener_new_unix(const char *path, const struct listener_options *o, char *error, size_t size)
{
	struct addr at = {.family = ADDR_UNIX};
	struct sockaddr_storage ss;
	struct listener *l;
	struct stat st;
	socklen_t len;
	int fd, err;

	errno = 0;
	if (addr_unix_sockaddr(path, &ss, &len) < 0) {
		snprintf(error, size, "unix socket path is empty or too long: %s", path);
		return NULL;
	}
	if (listener_unix_clear(path, &ss, len, error, size) < 0)
		return NULL;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		listener_error(error, size, "make a socket for", path, errno);
		return NULL;
	}
	if (listener_unix_bind(fd, path, &ss, len, o, error, size) < 0) {
		err = errno;
		close(fd);
		errno = err;
		return NULL;
	}
	l = listener_new(fd, &at);
	l->is_unix = true;
	if (path[0] != '@' && lstat(path, &st) == 0) {
		l->unlink_path = mem_strdup(path);
		l->file_dev = st.st_dev;
		l->file_ino = st.st_ino;
	}
	return l;
}

void listener_free(struct listener *l)
{
	struct stat st;

	if (l == NULL)
		return;
	CHECK(l->loop == NULL);
	close(l->fd);
	/* another process may have put its own in the place of ours */
	if (l->unlink_path != NULL && lstat(l->unlink_path, &st) == 0 && st.st_dev == l->file_dev &&
	    st.st_ino == l->file_ino)
		(void)unlink(l->unlink_path);
	mem_free(l->unlink_path);
	mem_free(l);
}

int listener_start(struct listener *l, struct loop *loop)
{
	l->loop = loop;
	if (loop->engine->listen(l) < 0) {
		l->loop = NULL;
		return -1;
	}
	l->is_watched = true;
	return 0;
}

void listener_stop(struct listener *l)
{
	timeout_disarm(&l->retry);
	if (l->is_watched)
		l->loop->engine->unlisten(l);
	l->is_watched = false;
	l->loop = NULL;
}

void listener_defer(struct listener *l, int seconds)
{
	if (!l->is_unix)
		listener_set_defer(l->fd, seconds);
}

static void listener_peer(int fd, const struct sockaddr_storage *ss, struct addr *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	addr_from_sockaddr(peer, ss);
	if (ss->ss_family != AF_UNIX)
		return;
	peer->family = ADDR_UNIX;
	memset(peer->ip, 0xff, sizeof(peer->ip));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		memcpy(peer->ip, &cred.uid, sizeof(cred.uid));
}

void listener_rest(struct listener *l, int err)
{
	l->loop->engine->unlisten(l);
	l->is_watched = false;
	loop_arm(l->loop, &l->retry, LISTENER_REST_US);
	l->on_starved(l, err);
}

/* errors of the one connection that was to be accepted, which is gone now */
static bool listener_is_peers_error(int err)
{
	switch (err) {
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

void listener_ready(struct listener *l)
{
	l->loop->events++;
	for (int i = 0; i < LISTENER_BURST && l->is_watched; i++) {
		struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(ss);
		struct addr peer;
		int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			if (!listener_is_peers_error(errno))
				listener_rest(l, errno);
			continue;
		}
		if (l->is_unix)
			ss.ss_family = AF_UNIX;
		listener_peer(fd, &ss, &peer);
		l->on_accept(l, fd, &peer);
	}
}

void listener_refuse(int fd)
{
	close(fd);
}

void listener_refuse_with(int fd, const void *bytes, size_t n)
{
	char unread[1024];

	if (n > 0)
		(void)send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* what is left unread makes a reset of the end, and may overtake the words */
	(void)shutdown(fd, SHUT_WR);
	(void)recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
	close(fd);
}

bool listener_is_tuned(const struct listener_tuning *a, const struct listener_tuning *b)
{
	return a->keepalive == b->keepalive && a->keepcnt == b->keepcnt && a->keepidle == b->keepidle &&
	       a->keepintvl == b->keepintvl && a->user_timeout_ms == b->user_timeout_ms &&
	       a->socket_buffer == b->socket_buffer;
}

void listener_tune(int fd, const struct listener_tuning *t)
{
	int on = t->keepalive ? 1 : 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (t->keepcnt > 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &t->keepcnt, sizeof(t->keepcnt));
	if (t->keepidle > 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &t->keepidle, sizeof(t->keepidle));
	if (t->keepintvl > 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &t->keepintvl, sizeof(t->keepintvl));
	if (t->user_timeout_ms > 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &t->user_timeout_ms, sizeof(t->user_timeout_ms));
	if (t->socket_buffer > 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &t->socket_buffer, sizeof(t->socket_buffer));
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &t->socket_buffer, sizeof(t->socket_buffer));
	}
}
