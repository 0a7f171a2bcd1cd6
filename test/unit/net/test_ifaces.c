/* ifaces.h: loopback is there with its mask; reading again replaces */
#include "net/ifaces.h"
#include "test/unit/base/suite.h"

#include <string.h>

static const struct iface *find(const struct ifaces *i, const char *text)
{
	struct addr wanted;

	ck_assert(addr_parse(&wanted, text, 0));
	for (size_t k = 0; k < i->n; k++)
		if (i->list[k].addr.family == wanted.family && memcmp(i->list[k].addr.ip, wanted.ip, sizeof(wanted.ip)) == 0)
			return &i->list[k];
	return NULL;
}

START_TEST(test_loopback)
{
	static const uint8_t mask[16] = {255};
	struct ifaces i = {.n = 0};
	size_t before;

	ck_assert_int_eq(ifaces_read(&i), 0);
	ck_assert_ptr_nonnull(find(&i, "127.0.0.1"));
	ck_assert_mem_eq(find(&i, "127.0.0.1")->mask, mask, sizeof(mask));
	ck_assert_ptr_null(find(&i, "192.0.2.1"));
	before = i.n;
	ck_assert_int_eq(ifaces_read(&i), 0);
	ck_assert_uint_eq(i.n, before);
	ifaces_fini(&i);
	ck_assert(i.n == 0 && i.list == NULL);
	ifaces_fini(&i);
}
END_TEST

SUITE_MAIN("ifaces", test_loopback)
