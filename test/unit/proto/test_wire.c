/*
 * test_wire.c - frames, type names, and every builder read back by its layout.
 */
#include "base/cursor.h"
#include "proto/frontend.h"
#include "proto/reply.h"
#include "test/unit/base/suite.h"

#include <check.h>
#include <stdlib.h>

static struct buf out;

static void setup(void)
{
	buf_init(&out, 0);
}

static void teardown(void)
{
	buf_fini(&out);
}

/* The only message in out: checks type and length, gives its body. */
static struct cursor body_of(char type)
{
	struct cursor c = cursor_over(out.data, out.len);

	ck_assert(!out.bad);
	if (type != 0)
		ck_assert_int_eq(cursor_u8(&c), type);
	ck_assert_uint_eq(cursor_left(&c), cursor_u32(&c));
	return c;
}

static void is_end(const struct cursor *c)
{
	ck_assert(!c->bad);
	ck_assert_uint_eq(cursor_left(c), 0);
}

static void expect_bytes(const void *bytes, size_t n)
{
	ck_assert_uint_eq(out.len, n);
	ck_assert_mem_eq(out.data, bytes, n);
	buf_reset(&out);
}

START_TEST(frame_is_whole_or_absent)
{
	struct buf b;
	size_t at;

	buf_init(&b, 40);
	at = wire_begin(&b, 'C');
	ck_assert_int_eq(buf_append_cstr(&b, "SELECT 1"), 0);
	ck_assert_int_eq(wire_end(&b, at), 0);
	ck_assert_uint_eq(b.len, 14);
	ck_assert_mem_eq(b.data, "C\0\0\0\x0dSELECT 1", 14);

	at = wire_begin(&b, 'D');
	ck_assert_int_lt(buf_append(&b, "123456789012345678901234567890", 30), 0);
	ck_assert_int_eq(buf_append_u8(&b, 'x'), 0); /* the later, smaller piece fits */
	ck_assert_int_lt(wire_end(&b, at), 0);
	ck_assert(b.bad);
	ck_assert_uint_eq(b.len, 14);
	buf_fini(&b);

	/* not even the header fits */
	buf_init(&b, 2);
	at = wire_begin(&b, 'Z');
	ck_assert_int_lt(wire_end(&b, at), 0);
	ck_assert_uint_eq(b.len, 0);
	buf_reset(&b);
	at = wire_begin_untyped(&b);
	ck_assert_int_lt(wire_end_untyped(&b, at), 0);
	ck_assert_uint_eq(b.len, 0);
	buf_fini(&b);
}
END_TEST

START_TEST(every_byte_has_a_name_or_is_none)
{
	int frontend = 0, backend = 0;

	for (unsigned type = 0; type < 256; type++) {
		bool f = wire_is_frontend((uint8_t)type), b = wire_is_backend((uint8_t)type);

		frontend += f;
		backend += b;
		ck_assert_int_eq(f, strcmp(wire_frontend_name((uint8_t)type), "unknown") != 0);
		ck_assert_int_eq(b, strcmp(wire_backend_name((uint8_t)type), "unknown") != 0);
	}
	ck_assert_int_eq(frontend, 14);
	ck_assert_int_eq(backend, 24);
	ck_assert_str_eq(wire_frontend_name('D'), "Describe");
	ck_assert_str_eq(wire_backend_name('D'), "DataRow");
	/* V-F09 */
	ck_assert(!wire_is_frontend(0) && !wire_is_frontend('m') && !wire_is_frontend('z'));
	ck_assert(!wire_is_frontend(0xff) && !wire_is_frontend('!'));
}
END_TEST

START_TEST(authentication_replies)
{
	static const char *const mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", NULL};
	static const char *const none[] = {NULL};

	ck_assert_int_eq(reply_auth_ok(&out), 0);
	expect_bytes("R\0\0\0\x08\0\0\0\0", 9);
	ck_assert_int_eq(reply_auth_cleartext(&out), 0);
	expect_bytes("R\0\0\0\x08\0\0\0\x03", 9);
	ck_assert_int_eq(reply_auth_md5(&out, (const uint8_t *)"\x01\x02\x03\xff"), 0);
	expect_bytes("R\0\0\0\x0c\0\0\0\x05\x01\x02\x03\xff", 13);
	ck_assert_int_eq(reply_auth_sasl(&out, mechanisms), 0);
	expect_bytes("R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", 43);
	ck_assert_int_eq(reply_auth_sasl(&out, none), 0);
	expect_bytes("R\0\0\0\x09\0\0\0\x0a\0", 10);
	ck_assert_int_eq(reply_auth_sasl_continue(&out, "r=x", 3), 0);
	expect_bytes("R\0\0\0\x0b\0\0\0\x0br=x", 12);
	ck_assert_int_eq(reply_auth_sasl_final(&out, "v=x", 3), 0);
	expect_bytes("R\0\0\0\x0b\0\0\0\x0cv=x", 12);
}
END_TEST

START_TEST(welcome_replies)
{
	ck_assert_int_eq(reply_backend_key(&out, 0x01020304, "abcd", 4), 0);
	expect_bytes("K\0\0\0\x0c\x01\x02\x03\x04"
		     "abcd",
		13);
	ck_assert_int_eq(reply_parameter(&out, "a", "b"), 0);
	expect_bytes("S\0\0\0\x08"
		     "a\0b",
		9);
	ck_assert_int_eq(reply_ready(&out, TRANSACTION_IDLE), 0);
	expect_bytes("Z\0\0\0\x05I", 6);
	ck_assert_int_eq(reply_empty_query(&out), 0);
	expect_bytes("I\0\0\0\x04", 5);
	ck_assert_int_eq(reply_bare(&out, BE_PARSE_COMPLETE), 0);
	expect_bytes("1\0\0\0\x04", 5);
	ck_assert_int_eq(reply_command_complete(&out, "SHOW"), 0);
	expect_bytes("C\0\0\0\x09SHOW", 10);
}
END_TEST

START_TEST(errors_come_back_as_sent)
{
	struct errfields sent = {
		.severity = "FATAL", .sqlstate = "57P01", .message = "bye", .detail = "a detail", .hint = "a hint"};
	struct errfields got;
	struct cursor c;

	ck_assert_int_eq(reply_fields(&out, BE_ERROR_RESPONSE, &sent), 0);
	c = body_of('E');
	errfields_parse(c.p, cursor_left(&c), &got);
	ck_assert_str_eq(got.severity, "FATAL");
	ck_assert_str_eq(got.sqlstate, "57P01");
	ck_assert_str_eq(got.message, "bye");
	ck_assert_str_eq(got.detail, "a detail");
	ck_assert_str_eq(got.hint, "a hint");
	ck_assert(!got.is_damaged);
	buf_reset(&out);

	ck_assert_int_eq(reply_error(&out, "ERROR", "08P01", "no"), 0);
	expect_bytes("E\0\0\0\x1eSERROR\0VERROR\0C08P01\0Mno\0\0", 31);
	ck_assert_int_eq(reply_notice(&out, "NOTICE", "00000", "psst"), 0);
	c = body_of('N');
	errfields_parse(c.p, cursor_left(&c), &got);
	ck_assert_str_eq(got.message, "psst");
	ck_assert_ptr_null(got.detail);
}
END_TEST

START_TEST(rows)
{
	static const struct reply_column columns[] = {
		{"t", REPLY_TEXT},
		{"i", REPLY_INT4},
		{"q", REPLY_INT8},
		{"n", REPLY_NUMERIC},
		{"b", REPLY_BYTEA},
		{"o", REPLY_BOOL},
		{"f", REPLY_FLOAT8},
	};
	static const uint32_t oids[] = {25, 23, 20, 1700, 17, 16, 701};
	static const uint16_t lens[] = {UINT16_MAX, 4, 8, UINT16_MAX, UINT16_MAX, 1, 8};
	static const char *const values[] = {
		"-9223372036854775808", "18446744073709551615", "f", "\\x00ff", "1.50", "text", ""};
	struct cursor c;
	size_t at;

	ck_assert_uint_eq(ARRAY_LEN(columns), REPLY_TYPE_COUNT);
	ck_assert_int_eq(reply_row_description(&out, columns, ARRAY_LEN(columns)), 0);
	c = body_of('T');
	ck_assert_uint_eq(cursor_u16(&c), ARRAY_LEN(columns));
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		ck_assert_str_eq(cursor_cstr(&c), columns[i].name);
		ck_assert_uint_eq(cursor_u32(&c), 0);
		ck_assert_uint_eq(cursor_u16(&c), 0);
		ck_assert_uint_eq(cursor_u32(&c), oids[i]);
		ck_assert_uint_eq(cursor_u16(&c), lens[i]);
		ck_assert_uint_eq(cursor_u32(&c), UINT32_MAX);
		ck_assert_uint_eq(cursor_u16(&c), 0);
	}
	is_end(&c);
	buf_reset(&out);

	at = reply_row_begin(&out, 8);
	reply_put_int(&out, INT64_MIN);
	reply_put_uint(&out, UINT64_MAX);
	reply_put_bool(&out, false);
	reply_put_bytea(&out, "\x00\xff", 2);
	reply_put_format(&out, "%.2f", 1.5);
	reply_put_text(&out, "text");
	reply_put_text(&out, "");
	reply_put_text(&out, NULL);
	ck_assert_int_eq(reply_row_end(&out, at), 0);
	c = body_of('D');
	ck_assert_uint_eq(cursor_u16(&c), 8);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		uint32_t n = cursor_u32(&c);

		ck_assert_uint_eq(n, strlen(values[i]));
		ck_assert_mem_eq(cursor_bytes(&c, n), values[i], n);
	}
	ck_assert_uint_eq(cursor_u32(&c), UINT32_MAX);
	is_end(&c);
}
END_TEST

START_TEST(frontend_messages)
{
	static const struct frontend_param params[] = {{"user", "u"}, {"database", NULL}, {"x", "y"}};
	static const char *const values[] = {"one", NULL, ""};
	struct cursor c;

	ck_assert_int_eq(frontend_startup(&out, WIRE_PROTOCOL_3_0, params, 3), 0);
	expect_bytes("\0\0\0\x14\0\x03\0\0user\0u\0x\0y\0", 20);
	ck_assert_int_eq(frontend_ssl_request(&out), 0);
	expect_bytes("\0\0\0\x08\x04\xd2\x16\x2f", 8);
	ck_assert_int_eq(frontend_cancel(&out, 1, "abcd", 4), 0);
	expect_bytes("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01"
		     "abcd",
		16);
	ck_assert_int_eq(frontend_password(&out, "pw", 2), 0);
	expect_bytes("p\0\0\0\x07pw", 8);
	ck_assert_int_eq(frontend_sasl_initial(&out, "M", "xyz", 3), 0);
	expect_bytes("p\0\0\0\x0dM\0\0\0\0\x03xyz", 14);
	ck_assert_int_eq(frontend_sasl_response(&out, "xyz", 3), 0);
	expect_bytes("p\0\0\0\x07xyz", 8);
	ck_assert_int_eq(frontend_query(&out, "SELECT 1"), 0);
	expect_bytes("Q\0\0\0\x0dSELECT 1", 14);
	ck_assert_int_eq(frontend_close(&out, 'S', "n"), 0);
	expect_bytes("C\0\0\0\x07Sn", 8);
	ck_assert_int_eq(frontend_flush(&out), 0);
	expect_bytes("H\0\0\0\x04", 5);
	ck_assert_int_eq(frontend_terminate(&out), 0);
	expect_bytes("X\0\0\0\x04", 5);
	ck_assert_int_eq(frontend_copy_fail(&out, "no"), 0);
	expect_bytes("f\0\0\0\x07no", 8);
	ck_assert_int_eq(frontend_bind(&out, "po", "st", values, 3), 0);
	c = body_of('B');
	ck_assert_str_eq(cursor_cstr(&c), "po");
	ck_assert_str_eq(cursor_cstr(&c), "st");
	ck_assert_uint_eq(cursor_u16(&c), 0);
	ck_assert_uint_eq(cursor_u16(&c), 3);
	ck_assert_uint_eq(cursor_u32(&c), 3);
	ck_assert_mem_eq(cursor_bytes(&c, 3), "one", 3);
	ck_assert_uint_eq(cursor_u32(&c), UINT32_MAX);
	ck_assert_uint_eq(cursor_u32(&c), 0);
	ck_assert_uint_eq(cursor_u16(&c), 0);
	is_end(&c);
}
END_TEST

START_TEST(ask_is_five_messages)
{
	static const char *const values[] = {"v"};
	struct buf small;

	ck_assert_int_eq(frontend_ask(&out, "SELECT $1", values, 1), 0);
	expect_bytes("P\0\0\0\x11\0SELECT $1\0\0\0"
		     "B\0\0\0\x11\0\0\0\0\0\x01\0\0\0\x01v\0\0"
		     "D\0\0\0\x06P\0"
		     "E\0\0\0\x09\0\0\0\0\0"
		     "S\0\0\0\x04",
		18 + 18 + 7 + 10 + 5);
	buf_init(&small, 50);
	ck_assert_int_lt(frontend_ask(&small, "SELECT $1", values, 1), 0);
	ck_assert_uint_eq(small.len, 0);
	buf_fini(&small);
}
END_TEST

SUITE_MAIN_WITH("wire", setup, teardown, frame_is_whole_or_absent, every_byte_has_a_name_or_is_none,
		authentication_replies, welcome_replies, errors_come_back_as_sent, rows, frontend_messages,
		ask_is_five_messages)
