/*
 * ifaces.h - the addresses of this machine and the networks they are in.
 *
 * A value with one owner; any thread reads the system's list (a short system call).
 */
#ifndef NET_IFACES_H
#define NET_IFACES_H

#include "net/addr.h"

struct iface {
	struct addr addr;
	uint8_t mask[16]; /* of its network; IPv4: first 4 */
};

struct ifaces {
	struct iface *list;
	size_t n;
};

#define IFACES_MAX 1024 /* more are cut off */

/* i: zeroed, or filled before (replaced then).  -1 (errno): the system does not tell; i is as before. */
int ifaces_read(struct ifaces *i) FX_MUST_USE;
void ifaces_fini(struct ifaces *i);

#endif
