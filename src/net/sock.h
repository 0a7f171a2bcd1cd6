/*
 * sock.h - sockets as engines want them: non-blocking, closed on exec.
 *
 * Any thread.
 */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "base/check.h"

struct addr;

/* Begins to connect: to path (a Unix socket) when it is not NULL, else to an address.  0 and a socket in *fd, which
 * may still be connecting; else an errno, and *fd is -1. */
int sock_connect(int *fd, const struct addr *to, const char *path) FX_MUST_USE;
/* Takes the socket's pending error: how connecting went.  0, or an errno. */
int sock_error(int fd) FX_MUST_USE;

#endif
