/*
 * Addresses and their text.
 */
#include "net/addr.h"
#include "test/unit/base/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

START_TEST(parse_and_format)
{
	static const struct {
		const char *in, *out;
		int family;
	} good[] = {
		{"127.0.0.1", "127.0.0.1", ADDR_IPV4},
		{"0.0.0.0", "0.0.0.0", ADDR_IPV4},
		{"255.255.255.255", "255.255.255.255", ADDR_IPV4},
		{"::", "::", ADDR_IPV6},
		{"::1", "::1", ADDR_IPV6},
		{"2001:DB8::0:1", "2001:db8::1", ADDR_IPV6},
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4", ADDR_IPV6},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_IPV6},
	};
	static const char *const bad[] = {"", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
					  " 1.2.3.4", ":::", "12345::", "[::1]", "1.2.3.4/8", "01.2.3.4x", "0x7f.1"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct addr a;
		char text[ADDR_TEXT_MAX];

		ck_assert_msg(addr_parse(&a, good[i].in, 6432), "%s", good[i].in);
		ck_assert_int_eq(a.family, good[i].family);
		ck_assert_uint_eq(a.port, 6432);
		addr_format(&a, text, sizeof(text));
		ck_assert_str_eq(text, good[i].out);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr a;

		ck_assert_msg(!addr_parse(&a, bad[i], 1), "%s", bad[i]);
		ck_assert_int_eq(a.family, ADDR_NONE);
	}
}
END_TEST

START_TEST(through_a_sockaddr_and_back)
{
	static const char *const texts[] = {"10.1.2.3", "2001:db8::42"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sockaddr_storage ss;
		struct addr a, b;
		socklen_t len;

		ck_assert(addr_parse(&a, texts[i], 65535));
		len = addr_to_sockaddr(&a, &ss);
		ck_assert_uint_eq(len, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		addr_from_sockaddr(&b, &ss);
		ck_assert(addr_is_equal(&a, &b));
		b.port--;
		ck_assert(!addr_is_equal(&a, &b));
		b.port++;
		b.ip[i == 0 ? 3 : 15] ^= 1;
		ck_assert(!addr_is_equal(&a, &b));
	}
}
END_TEST

START_TEST(port_is_in_network_order_inside)
{
	struct sockaddr_storage ss;
	struct sockaddr_in in;
	struct addr a;

	ck_assert(addr_parse(&a, "1.2.3.4", 0x1234));
	(void)addr_to_sockaddr(&a, &ss);
	memcpy(&in, &ss, sizeof(in));
	ck_assert_uint_eq(in.sin_port, htons(0x1234));
	ck_assert_uint_eq(ntohl(in.sin_addr.s_addr), 0x01020304);
}
END_TEST

START_TEST(unix_sockets)
{
	char path[200];
	struct sockaddr_storage ss;
	struct sockaddr_un un;
	struct addr a;
	socklen_t len;
	char text[ADDR_TEXT_MAX];

	ck_assert_int_eq(addr_unix_sockaddr("/run/x/.s.PGSQL.5432", &ss, &len), 0);
	memcpy(&un, &ss, sizeof(un));
	ck_assert_str_eq(un.sun_path, "/run/x/.s.PGSQL.5432");
	addr_from_sockaddr(&a, &ss);
	ck_assert_int_eq(a.family, ADDR_UNIX);
	addr_format(&a, text, sizeof(text));
	ck_assert_str_eq(text, "unix");
	/* abstract: a NUL first, and the length without one behind */
	ck_assert_int_eq(addr_unix_sockaddr("@name", &ss, &len), 0);
	memcpy(&un, &ss, sizeof(un));
	ck_assert_mem_eq(un.sun_path, "\0name", 5);
	ck_assert_uint_eq(len, offsetof(struct sockaddr_un, sun_path) + 5);
	/* what does not fit is refused, to the byte */
	memset(path, 'p', sizeof(path));
	path[sizeof(un.sun_path) - 1] = '\0';
	ck_assert_int_eq(addr_unix_sockaddr(path, &ss, &len), 0);
	path[sizeof(un.sun_path) - 1] = 'p';
	path[sizeof(un.sun_path)] = '\0';
	ck_assert_int_eq(addr_unix_sockaddr(path, &ss, &len), -1);
	ck_assert_int_eq(addr_unix_sockaddr("", &ss, &len), -1);
}
END_TEST

START_TEST(loopback)
{
	static const struct {
		const char *text;
		bool is_ours;
	} row[] = {{"127.0.0.1", true}, {"127.255.255.254", true}, {"::1", true}, {"::ffff:127.0.0.1", true}, {"128.0.0.1", false},
		   {"126.255.255.255", false}, {"0.0.0.0", false}, {"10.127.0.1", false}, {"::", false}, {"::2", false},
		   {"1::1", false}, {"::ffff:10.0.0.127", false}, {"::127.0.0.1", false}, {"fe80::1", false}};
	struct addr a = {.family = ADDR_UNIX};

	ck_assert(!addr_is_loopback(&a));
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		ck_assert(addr_parse(&a, row[i].text, 1));
		ck_assert_msg(addr_is_loopback(&a) == row[i].is_ours, "%s", row[i].text);
	}
}
END_TEST

START_TEST(ipv4_in_any_clothes)
{
	static const struct {
		const char *text;
		const char *ipv4; /* NULL: none */
	} row[] = {{"10.1.2.3", "10.1.2.3"}, {"::ffff:10.1.2.3", "10.1.2.3"}, {"::10.1.2.3", NULL}, {"::1", NULL},
		   {"::fffe:10.1.2.3", NULL}, {"1::ffff:10.1.2.3", NULL}};
	struct addr a = {.family = ADDR_UNIX, .ip = {10, 1, 2, 3}}, want;

	ck_assert_ptr_null(addr_ipv4(&a));
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		ck_assert(addr_parse(&a, row[i].text, 1));
		if (row[i].ipv4 == NULL) {
			ck_assert_msg(addr_ipv4(&a) == NULL, "%s", row[i].text);
			continue;
		}
		ck_assert(addr_parse(&want, row[i].ipv4, 1));
		ck_assert_msg(addr_ipv4(&a) != NULL && memcmp(addr_ipv4(&a), want.ip, 4) == 0, "%s", row[i].text);
	}
}
END_TEST

START_TEST(whose_process_it_is)
{
	struct addr a = {.family = ADDR_UNIX};
	uid_t me = geteuid(), other = me + 1, uid = 0;

	memcpy(a.ip, &me, sizeof(me));
	ck_assert(addr_uid(&a, &uid) && uid == me);
	ck_assert(addr_is_own_uid(&a));
	memcpy(a.ip, &other, sizeof(other));
	ck_assert(addr_uid(&a, &uid) && uid == other);
	ck_assert(!addr_is_own_uid(&a));
	/* the same bytes say nothing of the uid elsewhere */
	memcpy(a.ip, &me, sizeof(me));
	for (int family = ADDR_NONE; family < ADDR_UNIX; family++) {
		a.family = (uint8_t)family;
		ck_assert(!addr_uid(&a, &uid));
		ck_assert(!addr_is_own_uid(&a));
	}
}
END_TEST

START_TEST(unknown_families)
{
	struct sockaddr_storage ss = {.ss_family = AF_APPLETALK};
	struct addr a;
	char text[ADDR_TEXT_MAX];

	addr_from_sockaddr(&a, &ss);
	ck_assert_int_eq(a.family, ADDR_NONE);
	addr_format(&a, text, sizeof(text));
	ck_assert_str_eq(text, "?");
	addr_format(&a, text, 1);
	ck_assert_str_eq(text, "");
}
END_TEST

SUITE_MAIN("addr", parse_and_format, through_a_sockaddr_and_back, port_is_in_network_order_inside, unix_sockets,
	   loopback, ipv4_in_any_clothes, whose_process_it_is, unknown_families)
