/*
 * hostaddr.h - the system's resolver (getaddrinfo: hosts file, DNS, whatever nsswitch says).
 *
 * Any thread, but it blocks for as long as that takes: for helper threads only.
 */
#ifndef NET_HOSTADDR_H
#define NET_HOSTADDR_H

#include "net/addr.h"

enum hostaddr_result {
	HOSTADDR_FOUND,
	HOSTADDR_NO_SUCH_NAME,
	HOSTADDR_FAILED, /* for now: no server answers, or says that it can't */
};

/* Fills list with at most *n addresses in the order of preference (port 0) and sets *n; or writes a sentence to error,
 * and *n is 0. */
enum hostaddr_result hostaddr_look_up(const char *host, struct addr *list, unsigned *n, char *error, size_t size);

#endif
