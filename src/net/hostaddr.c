/*
 * hostaddr.c - the system's resolver, asked once.  Blocks; see resolve.c for who may.
 */
#include "net/hostaddr.h"

#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

enum hostaddr_result hostaddr_look_up(const char *host, struct addr *list, unsigned *n, char *error, size_t size)
{
	static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	unsigned max = *n, count = 0;
	int rc = getaddrinfo(host, NULL, &hints, &found), err = errno;

	*n = 0;
	if (rc != 0) {
		str_copy(error, size, rc == EAI_SYSTEM ? strerrordesc_np(err) : gai_strerror(rc));
		return rc == EAI_NONAME || rc == EAI_NODATA ? HOSTADDR_NO_SUCH_NAME : HOSTADDR_FAILED;
	}
	for (const struct addrinfo *ai = found; ai != NULL && count < max; ai = ai->ai_next) {
		struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};

		if (ai->ai_addrlen > sizeof(ss))
			continue;
		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
		addr_from_sockaddr(&list[count], &ss);
		if (list[count].family == ADDR_IPV4 || list[count].family == ADDR_IPV6)
			count++;
	}
	freeaddrinfo(found);
	*n = count;
	if (count > 0)
		return HOSTADDR_FOUND;
	str_copy(error, size, "no address of a known family");
	return HOSTADDR_NO_SUCH_NAME;
}
