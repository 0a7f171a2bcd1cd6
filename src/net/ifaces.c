/*
 * ifaces.c - the addresses of this machine.
 */
#include "net/ifaces.h"

#include "base/mem.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

static bool ifaces_take(struct iface *out, const struct ifaddrs *from)
{
	struct sockaddr_storage addr, mask;
	struct addr netmask;
	socklen_t len;

	if (from->ifa_addr == NULL || from->ifa_netmask == NULL)
		return false;
	if (from->ifa_addr->sa_family != AF_INET && from->ifa_addr->sa_family != AF_INET6)
		return false;
	len = from->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	memset(&addr, 0, sizeof(addr));
	memset(&mask, 0, sizeof(mask));
	memcpy(&addr, from->ifa_addr, len);
	memcpy(&mask, from->ifa_netmask, len);
	mask.ss_family = addr.ss_family;
	addr_from_sockaddr(&out->addr, &addr);
	addr_from_sockaddr(&netmask, &mask);
	memcpy(out->mask, netmask.ip, sizeof(out->mask));
	return true;
}

int ifaces_read(struct ifaces *i)
{
	struct ifaddrs *all;
	size_t n = 0;

	if (getifaddrs(&all) < 0)
		return -1;
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
		n++;
	ifaces_fini(i);
	i->list = mem_zalloc((n > IFACES_MAX ? IFACES_MAX : n + 1) * sizeof(*i->list));
	for (const struct ifaddrs *a = all; a != NULL && i->n < n && i->n < IFACES_MAX; a = a->ifa_next)
		if (ifaces_take(&i->list[i->n], a))
			i->n++;
	freeifaddrs(all);
	return 0;
}

void ifaces_fini(struct ifaces *i)
{
	mem_free(i->list);
	*i = (struct ifaces){.n = 0};
}
