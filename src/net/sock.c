/*
 * sock.c - making sockets that connect.
 *
 * For engines; see sock.h.
 */
#include "net/sock.h"

#include "net/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

int sock_connect(int *fd, const struct addr *to, const char *path)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1, err;

	*fd = -1;
	if (path != NULL) {
		if (addr_unix_sockaddr(path, &ss, &len) < 0)
			return ENAMETOOLONG;
	} else {
		len = addr_to_sockaddr(to, &ss);
	}
	*fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return errno;
	if (path == NULL)
		(void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(*fd, (struct sockaddr *)&ss, len) == 0 || errno == EINPROGRESS || errno == EINTR)
		return 0;
	err = errno;
	close(*fd);
	*fd = -1;
	return err;
}

int sock_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? errno : err;
}
