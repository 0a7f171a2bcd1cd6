/*
 * addr.h - socket addresses in 20 bytes, and their text.
 *
 * Values; any thread.  No name look-up here (see resolve.h).
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/check.h"

#include <sys/socket.h>
#include <sys/types.h>

enum addr_family {
	ADDR_NONE,
	ADDR_IPV4,
	ADDR_IPV6,
	ADDR_UNIX, /* the path is kept by whoever needs it; uid of the peer where known */
};

struct addr {
	uint8_t family; /* enum addr_family */
	uint16_t port;	/* host order */
	uint8_t ip[16]; /* IPv4: first 4; unix: uid of the peer in the first 4, native order */
};

#define ADDR_TEXT_MAX 48

/* Numeric IPv4/IPv6 text only. */
bool addr_parse(struct addr *a, const char *text, uint16_t port);
void addr_from_sockaddr(struct addr *a, const struct sockaddr_storage *ss);
/* Our own end of a connected socket; false: it has none (any more). */
bool addr_of_socket(struct addr *a, int fd);
/* Length of the sockaddr written.  IPv4 and IPv6 only. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/* "127.0.0.1", "::1", "unix"; without port */
void addr_format(const struct addr *a, char *out, size_t size);
/* This machine's own: 127.0.0.0/8, in IPv6's clothes as well, and ::1. */
bool addr_is_loopback(const struct addr *a);
/* The 4 bytes of an IPv4 address, of one in IPv6's clothes (::ffff:10.0.0.1) as well; lent with a.  NULL: it is none. */
const uint8_t *addr_ipv4(const struct addr *a);
/* Of the process at the other end of a Unix socket, (uid_t)-1 where the system did not say; false: it came by another way. */
bool addr_uid(const struct addr *a, uid_t *uid);
/* It came over a Unix socket, and its user is who we are. */
bool addr_is_own_uid(const struct addr *a);
bool addr_is_equal(const struct addr *a, const struct addr *b);
/* Where we connect to: an address, or a Unix socket path.  Path of more than sun_path: -1.
 * A path that begins with '@' is abstract. */
int addr_unix_sockaddr(const char *path, struct sockaddr_storage *ss, socklen_t *len) FX_MUST_USE;

#endif
