/*
 * test_startup.c - the first packet: the vectors V-S and V-C, and every split of a good one.
 */
#include "base/buf.h"
#include "proto/frontend.h"
#include "proto/reply.h"
#include "proto/startup.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Bytes at the very end of a heap block, so that a sanitizer sees one byte too far. */
static uint8_t *exact(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	return copy;
}

static enum startup_peek peek(const void *p, size_t n, size_t *need)
{
	uint8_t *copy = exact(p, n);
	enum startup_peek answer = startup_peek(copy, n, need);

	free(copy);
	return answer;
}

#define PEEK(bytes, need) peek(bytes, sizeof(bytes) - 1, need)

/* A packet with the right length around code and rest. */
static uint8_t *packet(uint32_t code, const void *rest, size_t n, size_t *len)
{
	struct buf b;
	uint8_t *copy;

	buf_init(&b, 0);
	ck_assert_int_eq(buf_append_u32(&b, (uint32_t)(n + 8)), 0);
	ck_assert_int_eq(buf_append_u32(&b, code), 0);
	ck_assert_int_eq(buf_append(&b, rest, n), 0);
	*len = b.len;
	copy = exact(b.data, b.len);
	buf_fini(&b);
	return copy;
}

static uint8_t *last; /* the texts of a struct startup are lent from it */

static int parse(uint32_t code, const void *rest, size_t n, struct startup *out)
{
	size_t len;

	free(last);
	last = packet(code, rest, n, &len);
	return startup_parse(last, len, out);
}

#define LOGIN(rest, out) parse(WIRE_PROTOCOL_3_0, rest, sizeof(rest) - 1, out)

static void is_bad(const char *sqlstate, const struct startup *s)
{
	ck_assert_ptr_nonnull(s->error);
	ck_assert_str_eq(s->sqlstate, sqlstate);
}

static void teardown(void)
{
	free(last);
	last = NULL;
}

START_TEST(peek_lengths) /* V-S01..V-S07, V-S15..V-S17 */
{
	size_t need;

	ck_assert_int_eq(PEEK("\0\0\0\0", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\0\0\0\4", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\0\0\0\7\0\3\0", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\x80\0\0\0\0\3\0\0", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\xff\xff\xff\xff\0\3\0\0", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\x7f\xff\xff\xff\0\3\0\0", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\0\0\x27\x11", &need), STARTUP_BAD); /* 10001 */
	ck_assert_uint_le(need, STARTUP_LENGTH_MAX);
	ck_assert_int_eq(PEEK("\0\0\x27\x10", &need), STARTUP_MORE); /* 10000 */
	ck_assert_uint_eq(need, 10000);
	ck_assert_int_eq(PEEK("\0\0\0\x08", &need), STARTUP_MORE);
	ck_assert_uint_eq(need, 8);
	ck_assert_int_eq(PEEK("G", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("GET / HTTP/1.1\r\n", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("SSH-2.0-OpenSSH_9.2\r\n", &need), STARTUP_BAD);
	ck_assert_int_eq(PEEK("\x16\x03\x01\x02\x00\x01\x00", &need), STARTUP_BAD);
	ck_assert(startup_is_tls("\x16", 1));
	ck_assert(!startup_is_tls("\0", 1));
	ck_assert(!startup_is_tls("\x16", 0));
	ck_assert_int_eq(PEEK("\0\1", &need), STARTUP_BAD);
}
END_TEST

START_TEST(peek_every_split) /* V-S18 and pieces of every size */
{
	static const char rest[] = "user\0alice\0";
	size_t len, need;
	uint8_t *p = packet(WIRE_PROTOCOL_3_0, rest, sizeof(rest), &len);

	for (size_t n = 0; n <= len + 3; n++) {
		uint8_t *more = exact("", 0);
		enum startup_peek answer;

		free(more);
		more = malloc(len + 3);
		memset(more, 'x', len + 3);
		memcpy(more, p, len);
		answer = peek(more, n, &need);
		free(more);
		ck_assert_int_eq(answer, n < len ? STARTUP_MORE : STARTUP_WHOLE);
		ck_assert_uint_eq(need, n < 4 ? 4 : len);
	}
	free(p);
}
END_TEST

START_TEST(good_login)
{
	struct startup s;
	const char *name, *value;
	size_t it = 0;

	ck_assert_int_eq(LOGIN("user\0alice\0database\0db\0options\0-c a=b\0replication\0database\0"
			       "application_name\0psql\0DateStyle\0ISO\0application_name\0again\0\0",
				 &s),
		0);
	ck_assert_int_eq(s.kind, STARTUP_LOGIN);
	ck_assert_uint_eq(s.major, 3);
	ck_assert_uint_eq(s.minor, 0);
	ck_assert_str_eq(s.user, "alice");
	ck_assert_str_eq(s.database, "db");
	ck_assert_str_eq(s.options, "-c a=b");
	ck_assert_str_eq(s.application_name, "again");
	ck_assert_int_eq(startup_replication(&s), STARTUP_REPLICATION_LOGICAL);
	ck_assert(!s.needs_negotiation);
	ck_assert(startup_next(&s, &it, &name, &value));
	ck_assert_str_eq(name, "application_name");
	ck_assert_str_eq(value, "psql");
	ck_assert(startup_next(&s, &it, &name, &value));
	ck_assert_str_eq(name, "DateStyle");
	ck_assert_str_eq(value, "ISO");
	ck_assert(startup_next(&s, &it, &name, &value));
	ck_assert_str_eq(value, "again");
	ck_assert(!startup_next(&s, &it, &name, &value));
	ck_assert(!startup_next(&s, &it, &name, &value));
}
END_TEST

START_TEST(database_is_the_user_by_default)
{
	struct startup s;

	ck_assert_int_eq(LOGIN("user\0alice\0\0", &s), 0);
	ck_assert_str_eq(s.database, "alice");
	ck_assert_ptr_null(s.options);
	ck_assert_ptr_null(s.application_name);
	ck_assert_int_eq(startup_replication(&s), STARTUP_REPLICATION_NONE);
	ck_assert_int_eq(LOGIN("database\0\0user\0alice\0\0", &s), 0);
	ck_assert_str_eq(s.database, "alice");
}
END_TEST

START_TEST(bad_layouts) /* V-S08..V-S11 */
{
	struct startup s;
	struct buf b;

	ck_assert_int_lt(parse(WIRE_PROTOCOL_3_0, "user\0bob\0", 9, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(parse(WIRE_PROTOCOL_3_0, "user\0bob", 8, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(parse(WIRE_PROTOCOL_3_0, "user\0", 5, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(parse(WIRE_PROTOCOL_3_0, "user", 4, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(parse(WIRE_PROTOCOL_3_0, "", 0, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("user\0bob\0\0x", &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("user\0bob\0\0\0", &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("\0", &s), 0);
	is_bad("28000", &s);
	ck_assert_int_lt(LOGIN("user\0\0\0", &s), 0);
	is_bad("28000", &s);
	ck_assert_int_lt(LOGIN("database\0x\0\0", &s), 0);
	is_bad("28000", &s);
	ck_assert_int_lt(LOGIN("user\0alice\0user\0postgres\0\0", &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("user\0\0user\0postgres\0\0", &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("user\0a\0database\0x\0database\0y\0\0", &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("user\0a\0options\0\0options\0\0\0", &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(LOGIN("user\0a\0replication\0off\0replication\0on\0\0", &s), 0);
	is_bad("08P01", &s);

	/* 5000 parameters are more than a packet holds */
	buf_init(&b, 0);
	(void)buf_append(&b, "user\0a\0", 7);
	for (int i = 0; i < 5000; i++)
		(void)buf_append(&b, "k\0v\0", 4);
	(void)buf_append_u8(&b, 0);
	ck_assert_int_lt(parse(WIRE_PROTOCOL_3_0, b.data, b.len, &s), 0);
	is_bad("08P01", &s);
	buf_fini(&b);
}
END_TEST

START_TEST(as_many_parameters_as_fit)
{
	struct startup s;
	struct buf b;
	const char *name, *value;
	size_t it = 0, count = 0;

	buf_init(&b, 0);
	(void)buf_append(&b, "user\0a\0", 7);
	while (b.len + 3 + 1 + 8 <= STARTUP_LENGTH_MAX)
		(void)buf_append(&b, "k\0\0", 3);
	(void)buf_append_u8(&b, 0);
	ck_assert_int_eq(parse(WIRE_PROTOCOL_3_0, b.data, b.len, &s), 0);
	while (startup_next(&s, &it, &name, &value))
		count++;
	ck_assert_uint_eq(count, (b.len - 8) / 3);
	buf_fini(&b);
}
END_TEST

START_TEST(declared_length_must_be_the_length)
{
	struct startup s;

	ck_assert_int_lt(startup_parse("\0\0\0\x09\0\3\0\0", 8, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(startup_parse("\0\0\0\x08\0\3\0\0\0", 9, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(startup_parse("\0\0\0\x07\0\3\0", 7, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(startup_parse("", 0, &s), 0);
	is_bad("08P01", &s);
}
END_TEST

START_TEST(versions) /* V-S13 */
{
	static const char rest[] = "user\0a\0";
	struct startup s;
	struct buf b, out;
	const char *name, *value;
	size_t it = 0;

	ck_assert_int_eq(parse(0x00020000, rest, sizeof(rest), &s), 0);
	ck_assert_int_eq(s.kind, STARTUP_UNSUPPORTED);
	ck_assert_uint_eq(s.major, 2);
	ck_assert_int_eq(parse(0x00040000, rest, sizeof(rest), &s), 0);
	ck_assert_int_eq(s.kind, STARTUP_UNSUPPORTED);
	ck_assert_int_eq(parse(80877105, "", 0, &s), 0);
	ck_assert_int_eq(s.kind, STARTUP_UNSUPPORTED);
	ck_assert_uint_eq(s.major, 1234);
	ck_assert_int_eq(parse(0, "", 0, &s), 0);
	ck_assert_int_eq(s.kind, STARTUP_UNSUPPORTED);
	for (uint32_t minor = 1; minor < 0x10000; minor += 0x270e) {
		ck_assert_int_eq(parse(WIRE_PROTOCOL(3, minor), rest, sizeof(rest), &s), 0);
		ck_assert_int_eq(s.kind, STARTUP_LOGIN);
		ck_assert_uint_eq(s.minor, minor);
		ck_assert(s.needs_negotiation);
		ck_assert_uint_eq(s.protocol, minor == 1 ? WIRE_PROTOCOL_3_0 : WIRE_PROTOCOL_3_2);
	}
	/* exactly what was asked for: nothing to negotiate */
	ck_assert_int_eq(parse(WIRE_PROTOCOL_3_2, rest, sizeof(rest), &s), 0);
	ck_assert(!s.needs_negotiation);
	ck_assert_uint_eq(s.protocol, WIRE_PROTOCOL_3_2);
	ck_assert_int_eq(parse(WIRE_PROTOCOL_3_0, rest, sizeof(rest), &s), 0);
	ck_assert(!s.needs_negotiation);
	ck_assert_uint_eq(s.protocol, WIRE_PROTOCOL_3_0);
	/* nothing newer than what was asked for, whatever else there is to say */
	ck_assert_int_eq(parse(WIRE_PROTOCOL_3_0, "user\0a\0_pq_.x\0\0", 16, &s), 0);
	ck_assert(s.needs_negotiation);
	ck_assert_uint_eq(s.protocol, WIRE_PROTOCOL_3_0);
	ck_assert_int_eq(parse(WIRE_PROTOCOL_3_2, "user\0a\0_pq_.x\0\0", 16, &s), 0);
	ck_assert(s.needs_negotiation);
	ck_assert_uint_eq(s.protocol, WIRE_PROTOCOL_3_2);
	buf_init(&b, 0);
	buf_init(&out, 0);
	(void)buf_append(&b, "user\0a\0x\0y\0", 11);
	for (int i = 0; i < 100; i++)
		(void)buf_append(&b, "_pq_.x\0001\0", 9);
	(void)buf_append_u8(&b, 0);
	ck_assert_int_eq(parse(WIRE_PROTOCOL_3_0, b.data, b.len, &s), 0);
	ck_assert_uint_eq(s.extensions, 100);
	ck_assert(s.needs_negotiation);
	ck_assert(startup_next(&s, &it, &name, &value));
	ck_assert_str_eq(name, "x");
	ck_assert(!startup_next(&s, &it, &name, &value));
	ck_assert_int_eq(reply_negotiate(&out, WIRE_PROTOCOL_3_0, &s), 0);
	ck_assert_uint_eq(out.len, 13 + 100 * 7);
	ck_assert_mem_eq(out.data, "v\0\0\x02\xc8\0\3\0\0\0\0\0\x64_pq_.x\0_pq_.x", 26);
	buf_fini(&b);
	buf_fini(&out);
}
END_TEST

START_TEST(requests) /* V-T04: lengths of the requests */
{
	struct startup s;

	ck_assert_int_eq(parse(80877103, "", 0, &s), 0);
	ck_assert_int_eq(s.kind, STARTUP_SSL);
	ck_assert_int_eq(parse(80877104, "", 0, &s), 0);
	ck_assert_int_eq(s.kind, STARTUP_GSSENC);
	ck_assert_int_lt(parse(80877103, "x", 1, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(parse(80877103, "xxxx", 4, &s), 0);
	is_bad("08P01", &s);
	ck_assert_int_lt(parse(80877104, "xxxx", 4, &s), 0);
	is_bad("08P01", &s);
}
END_TEST

START_TEST(cancels) /* V-C01, V-C04 */
{
	static const struct {
		size_t length;
		bool is_good;
	} cases[] = {{8, false}, {11, false}, {12, false}, {15, false}, {16, true}, {17, true}, {44, true},
		{267, true}, {268, true}, {269, false}, {10000, false}};
	uint8_t rest[10000];
	struct startup s;

	memset(rest, 0xff, sizeof(rest));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = parse(80877102, rest, cases[i].length - 8, &s);

		ck_assert_int_eq(rc == 0, cases[i].is_good);
		if (rc == 0) {
			ck_assert_int_eq(s.kind, STARTUP_CANCEL);
			ck_assert_uint_eq(s.cancel_pid, 0xffffffff);
			ck_assert_uint_eq(s.cancel_key_len, cases[i].length - 12);
			ck_assert_mem_eq(s.cancel_key, rest, s.cancel_key_len);
		} else {
			is_bad("08P01", &s);
		}
	}
	ck_assert_int_eq(parse(80877102, "\0\0\0\x07\x01\x02\x03\x04", 8, &s), 0);
	ck_assert_uint_eq(s.cancel_pid, 7);
	ck_assert_mem_eq(s.cancel_key, "\1\2\3\4", 4);
}
END_TEST

START_TEST(replication_words) /* V-S14 */
{
	static const struct {
		const char *word;
		enum startup_replication expected;
	} cases[] = {
		{"true", STARTUP_REPLICATION_PHYSICAL},
		{"T", STARTUP_REPLICATION_PHYSICAL},
		{"on", STARTUP_REPLICATION_PHYSICAL},
		{"1", STARTUP_REPLICATION_PHYSICAL},
		{"yes", STARTUP_REPLICATION_PHYSICAL},
		{"database", STARTUP_REPLICATION_LOGICAL},
		{"Database", STARTUP_REPLICATION_INVALID},
		{"off", STARTUP_REPLICATION_NONE},
		{"of", STARTUP_REPLICATION_NONE},
		{"o", STARTUP_REPLICATION_INVALID},
		{"fAlse", STARTUP_REPLICATION_NONE},
		{"0", STARTUP_REPLICATION_NONE},
		{"n", STARTUP_REPLICATION_NONE},
		{"garbage", STARTUP_REPLICATION_INVALID},
		{"", STARTUP_REPLICATION_INVALID},
		{"10", STARTUP_REPLICATION_INVALID},
		{"truer", STARTUP_REPLICATION_INVALID},
	};
	struct startup s = {0};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		s.replication = cases[i].word;
		ck_assert_msg(startup_replication(&s) == cases[i].expected, "%s", cases[i].word);
	}
}
END_TEST

START_TEST(names_of_any_length_and_kind) /* V-S19, V-S20 */
{
	static const size_t lengths[] = {1, 63, 64, 65, 128, 1000, 4900, 9900};
	static char name[10000];
	struct startup s;
	struct buf b;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		memset(name, 'x', lengths[i]);
		name[lengths[i]] = '\0';
		buf_init(&b, 0);
		ck_assert_int_eq(frontend_startup(&b, WIRE_PROTOCOL_3_0,
					 (struct frontend_param[]){{"user", name},
						 {"database", lengths[i] > 4900 ? NULL : name}},
					 2),
			0);
		free(last);
		last = exact(b.data, b.len);
		ck_assert_int_eq(startup_parse(last, b.len, &s), 0);
		ck_assert_uint_eq(strlen(s.user), lengths[i]);
		ck_assert_uint_eq(strlen(s.database), lengths[i]);
		buf_fini(&b);
	}
	ck_assert_int_eq(LOGIN("user\0a\"b\n\x1b[31m%n\0application_name\0\n\x1b[31m%n\0\0", &s), 0);
	ck_assert_str_eq(s.user, "a\"b\n\x1b[31m%n");
	ck_assert_str_eq(s.application_name, "\n\x1b[31m%n");
}
END_TEST

START_TEST(every_damage_of_one_byte)
{
	static const char rest[] = "user\0alice\0database\0db\0_pq_.a\0001\0x\0y\0";
	size_t len, need;
	uint8_t *good = packet(WIRE_PROTOCOL_3_0, rest, sizeof(rest), &len);
	const char *name, *value;
	size_t parsed = 0;

	for (size_t at = 0; at < len; at++) {
		for (unsigned v = 0; v < 256; v++) {
			uint8_t *p = exact(good, len);
			struct startup s;
			size_t it = 0;

			p[at] = (uint8_t)v;
			if (startup_peek(p, len, &need) == STARTUP_WHOLE && startup_parse(p, need, &s) == 0) {
				parsed++;
				if (s.kind == STARTUP_LOGIN)
					while (startup_next(&s, &it, &name, &value))
						ck_assert_uint_le(strlen(name) + strlen(value), len);
			}
			free(p);
		}
	}
	ck_assert_uint_gt(parsed, len);
	free(good);
}
END_TEST

SUITE_MAIN_WITH("startup", NULL, teardown, peek_lengths, peek_every_split, good_login,
		database_is_the_user_by_default, bad_layouts, as_many_parameters_as_fit,
		declared_length_must_be_the_length, versions, requests, cancels, replication_words,
		names_of_any_length_and_kind, every_damage_of_one_byte)
