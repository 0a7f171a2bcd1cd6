/*
 * addr.c - socket addresses in 20 bytes, and their text.
 */
#include "net/addr.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

bool addr_parse(struct addr *a, const char *text, uint16_t port)
{
	*a = (struct addr){.port = port};
	if (inet_pton(AF_INET, text, a->ip) == 1)
		a->family = ADDR_IPV4;
	else if (inet_pton(AF_INET6, text, a->ip) == 1)
		a->family = ADDR_IPV6;
	return a->family != ADDR_NONE;
}

void addr_from_sockaddr(struct addr *a, const struct sockaddr_storage *ss)
{
	*a = (struct addr){.family = ADDR_NONE};
	if (ss->ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, ss, sizeof(in));
		a->family = ADDR_IPV4;
		a->port = ntohs(in.sin_port);
		memcpy(a->ip, &in.sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, ss, sizeof(in6));
		a->family = ADDR_IPV6;
		a->port = ntohs(in6.sin6_port);
		memcpy(a->ip, &in6.sin6_addr, 16);
	} else if (ss->ss_family == AF_UNIX) {
		a->family = ADDR_UNIX;
	}
}

bool addr_of_socket(struct addr *a, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	addr_from_sockaddr(a, &ss);
	return a->family != ADDR_NONE;
}

const uint8_t *addr_ipv4(const struct addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family == ADDR_IPV4)
		return a->ip;
	return a->family == ADDR_IPV6 && memcmp(a->ip, mapped, sizeof(mapped)) == 0 ? a->ip + sizeof(mapped) : NULL;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = {[15] = 1};
	const uint8_t *ipv4 = addr_ipv4(a);

	if (ipv4 != NULL)
		return ipv4[0] == 127;
	return a->family == ADDR_IPV6 && memcmp(a->ip, one, sizeof(one)) == 0;
}

bool addr_uid(const struct addr *a, uid_t *uid)
{
	if (a->family != ADDR_UNIX)
		return false;
	memcpy(uid, a->ip, sizeof(*uid));
	return true;
}

bool addr_is_own_uid(const struct addr *a)
{
	uid_t uid;

	return addr_uid(a, &uid) && uid == geteuid();
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == ADDR_IPV4) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(ss, &in, sizeof(in));
		return sizeof(in);
	}
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};

	CHECK(a->family == ADDR_IPV6);
	memcpy(&in6.sin6_addr, a->ip, 16);
	memcpy(ss, &in6, sizeof(in6));
	return sizeof(in6);
}

int addr_unix_sockaddr(const char *path, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(un.sun_path))
		return -1;
	memcpy(un.sun_path, path, n);
	if (path[0] == '@') {
		un.sun_path[0] = '\0';
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	} else {
		*len = sizeof(un);
	}
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &un, sizeof(un));
	return 0;
}

void addr_format(const struct addr *a, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	const char *end = out + size;

	switch (a->family) {
	case ADDR_IPV4:
		/* each connection has it in words: inet_ntop takes a printf for it */
		for (int i = 0; i < 4; i++)
			out = str_put_u64(i > 0 ? str_put(out, end, ".") : out, end, a->ip[i]);
		break;
	case ADDR_IPV6:
		str_copy(out, size, inet_ntop(AF_INET6, a->ip, text, sizeof(text)));
		break;
	case ADDR_UNIX:
		str_copy(out, size, "unix");
		break;
	default:
		str_copy(out, size, "?");
		break;
	}
}

bool addr_is_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}
