/* ini, connstr, userlist: the grammars and their limits */
#include "conf/connstr.h"
#include "conf/ini.h"
#include "conf/textfile.h"
#include "conf/userlist.h"
#include "test/unit/conf/scratch.h"

static struct buf seen;

static void on_item(void *arg, const struct ini_item *it)
{
	(void)arg;
	if (it->key != NULL)
		buf_printf(&seen, "%s|%s|%s|%s:%d\n", it->section, it->key, it->value, it->file, it->line);
}

static const char *parse_bytes(const void *p, size_t n)
{
	buf_fini(&seen);
	buf_init(&seen, 0);
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	ini_read_bytes(p, n, "f", on_item, NULL, &scratch_report);
	return buf_text(&seen);
}

static const char *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

START_TEST(test_plain)
{
	ck_assert_str_eq(parse("[a]\nk=v\n  k2 =  v2  \n[b]\nk= v w \nempty=\nempty2 =   \n"),
		"a|k|v|f:2\na|k2|v2|f:3\nb|k|v w|f:5\nb|empty||f:6\nb|empty2||f:7\n");
	ck_assert_int_eq(scratch_report.error_count, 0);
	ck_assert_str_eq(parse(""), "");
	ck_assert_str_eq(parse("\n\n \t\n"), "");
	/* no newline at the end, CRLF, the mark of UTF-8, indented section */
	ck_assert_str_eq(parse("\xef\xbb\xbf  [a]  \r\nk=v\r\nl=w"), "a|k|v|f:2\na|l|w|f:3\n");
	ck_assert_int_eq(scratch_report.error_count, 0);
}
END_TEST

START_TEST(test_comments)
{
	ck_assert_str_eq(parse("; c\n# c\n[a]\n  ; c\n\t# c = d\nk = v ; not a comment # nor this\n"),
		"a|k|v ; not a comment # nor this|f:6\n");
	ck_assert_int_eq(scratch_report.error_count, 0);
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(parse("[d]\n* = x\n\"my db\" = y\n\"a\"\"b\"=z\na.b-c_1 = w\n\"\xc3\xa4\"=u\n"),
		"d|*|x|f:2\nd|my db|y|f:3\nd|a\"b|z|f:4\nd|a.b-c_1|w|f:5\nd|\xc3\xa4|u|f:6\n");
	ck_assert_int_eq(scratch_report.error_count, 0);
	/* the value begins at the first = */
	ck_assert_str_eq(parse("[d]\na = b=c = d\n"), "d|a|b=c = d|f:2\n");
}
END_TEST

START_TEST(test_every_problem_is_reported_with_its_place)
{
	parse("k = v\n[a\n[a] b\n[s]\nnothing\nmy db = x\n = v\n\"open = v\n\"\" = v\n\"x\" y\n%inklude "
	      "f\n%\nok = 1\n");
	ck_assert_str_eq(scratch_errors(), "f:1: \"k\" stands before the first [section]\n"
					   "f:2: section name without ]\n"
					   "f:3: text after [section]\n"
					   "f:5: expected \"key = value\"\n"
					   "f:6: expected \"key = value\"\n"
					   "f:7: empty name before =\n"
					   "f:8: quoted name without its closing quote\n"
					   "f:9: empty name before =\n"
					   "f:10: expected \"key = value\"\n"
					   "f:11: unknown directive, only %include is known\n"
					   "f:12: unknown directive, only %include is known\n");
	ck_assert_str_eq(buf_text(&seen), "s|ok|1|f:13\n");
}
END_TEST

START_TEST(test_nul_and_long_lines)
{
	static char big[400000];

	parse_bytes("[a]\nk=v\0x\nl=w\n", 14);
	ck_assert_str_eq(scratch_errors(), "f:2: the line holds a NUL byte\n");
	ck_assert_str_eq(buf_text(&seen), "a|l|w|f:3\n");
	memset(big, 'x', sizeof(big));
	memcpy(big, "[a]\nk=", 6);
	big[TEXTFILE_LINE_MAX + 10] = '\n';
	memcpy(big + TEXTFILE_LINE_MAX + 11, "l=w\n", 4);
	parse_bytes(big, TEXTFILE_LINE_MAX + 15);
	ck_assert_str_eq(scratch_errors(), "f:2: the line is longer than 131072 bytes\n");
	ck_assert_str_eq(buf_text(&seen), "a|l|w|f:3\n");
	/* one that just fits */
	big[4 + TEXTFILE_LINE_MAX] = '\n';
	parse_bytes(big, 4 + TEXTFILE_LINE_MAX + 1);
	ck_assert_int_eq(scratch_report.error_count, 0);
	ck_assert_uint_gt(seen.len, TEXTFILE_LINE_MAX);
}
END_TEST

static const char *parse_file(const char *name)
{
	buf_fini(&seen);
	buf_init(&seen, 0);
	conf_report_fini(&scratch_report);
	conf_report_init(&scratch_report);
	ini_read(name, on_item, NULL, &scratch_report);
	return buf_text(&seen);
}

START_TEST(test_include)
{
	/* the section in force goes into the included file, and what it ends with comes back */
	scratch_write("a.ini", "[a]\nx=1\n%include b.ini\ny=2\n");
	scratch_write("b.ini", "in=1\n[b]\nin=2\n");
	ck_assert_str_eq(
		parse_file("a.ini"), "a|x|1|a.ini:2\na|in|1|b.ini:1\nb|in|2|b.ini:3\nb|y|2|a.ini:4\n");
	ck_assert_int_eq(scratch_report.error_count, 0);
	/* twice, one after the other, is no loop */
	scratch_write("a.ini", "[a]\n%include b.ini\n%include\tb.ini\n");
	parse_file("a.ini");
	ck_assert_int_eq(scratch_report.error_count, 0);
}
END_TEST

START_TEST(test_include_goes_wrong)
{
	scratch_write("a.ini", "[a]\n%include a.ini\n%include none.ini\n%include\n%include .\nk=v\n");
	ck_assert_str_eq(parse_file("a.ini"), "a|k|v|a.ini:6\n");
	ck_assert_str_eq(scratch_errors(), "a.ini:2: \"a.ini\" includes itself\n"
					   "a.ini:3: cannot open \"none.ini\": No such file or directory\n"
					   "a.ini:4: unknown directive, only %include is known\n"
					   "a.ini:5: cannot read \".\": it is not a regular file\n");
	/* a ring of two, one of them by another name */
	scratch_write("a.ini", "%include b.ini\n");
	scratch_write("b.ini", "%include ./c.ini\n");
	ck_assert_int_eq(symlink("a.ini", "c.ini"), 0);
	parse_file("a.ini");
	ck_assert_str_eq(scratch_errors(), "b.ini:1: \"./c.ini\" includes itself\n");
}
END_TEST

START_TEST(test_include_depth_and_number)
{
	char name[32], text[64];
	struct buf many;

	for (int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		snprintf(text, sizeof(text), "%%include d%d\n", i + 1);
		scratch_write(name, text);
	}
	parse_file("d0");
	ck_assert_str_eq(scratch_errors(), "d9:1: %include is nested more than 10 deep\n");
	buf_init(&many, 0);
	for (int i = 0; i < 1000; i++)
		buf_append_str(&many, "%include leaf\n");
	scratch_write("leaf", "");
	scratch_write("many", buf_text(&many));
	buf_fini(&many);
	parse_file("many");
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "more than 200 files"));
	/* and the report itself is bounded */
	ck_assert_int_gt(scratch_report.error_count, 700);
	ck_assert_uint_lt(scratch_report.errors.len, 10000);
	ck_assert_ptr_nonnull(strstr(scratch_errors(), "and more\n"));
}
END_TEST

START_TEST(test_files_that_are_none)
{
	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	parse_file("pipe"); /* returns at once although nobody writes */
	ck_assert_str_eq(scratch_errors(), "cannot read \"pipe\": it is not a regular file\n");
	parse_file("/dev/null");
	ck_assert_int_eq(scratch_report.error_count, 0);
	parse_file("/dev/zero");
	ck_assert_str_eq(scratch_errors(), "cannot read \"/dev/zero\": it is larger than 64 MB\n");
}
END_TEST

static const char *pairs(const char *text)
{
	struct connstr c;
	char buffer[1024];
	int rc;

	buf_fini(&seen);
	buf_init(&seen, 0);
	ck_assert_uint_lt(strlen(text), sizeof(buffer));
	connstr_init(&c, text, buffer);
	while ((rc = connstr_next(&c)) > 0)
		buf_printf(&seen, "%s<%s>", c.key, c.value);
	if (rc < 0)
		buf_printf(&seen, "!%s", c.error);
	/* after an error reading is over */
	ck_assert_int_eq(connstr_next(&c), 0);
	return buf_text(&seen);
}

START_TEST(test_connstr)
{
	ck_assert_str_eq(pairs(""), "");
	ck_assert_str_eq(pairs("  \t "), "");
	ck_assert_str_eq(pairs("host=a port=1"), "host<a>port<1>");
	ck_assert_str_eq(pairs("host = a  port= 1 "), "host<a>port<1>");
	ck_assert_str_eq(pairs("password='it''s' x='a b=c' y=''"), "password<it's>x<a b=c>y<>");
	ck_assert_str_eq(pairs("host="), "host<>");
	ck_assert_str_eq(pairs("a=b;c#d e=f'g"), "a<b;c#d>e<f'g>");
	ck_assert_str_eq(pairs("q='back\\slash'"), "q<back\\slash>");
	ck_assert_str_eq(pairs("host=a junk"), "host<a>!expected key=value pairs");
	ck_assert_str_eq(pairs("='x'"), "!= without a name before it");
	ck_assert_str_eq(pairs("a='x"), "!a quoted value without its closing quote");
	ck_assert_str_eq(pairs("a='x''"), "!a quoted value without its closing quote");
	ck_assert_str_eq(pairs("a='x'y=1"), "!text directly after a quoted value");
	ck_assert_str_eq(
		pairs("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1"),
		"!a name that is too long");
}
END_TEST

static void check_user(const struct userlist *l, const char *user, const char *secret)
{
	const struct conf_secret *s = userlist_find(l, user);

	ck_assert_msg(s != NULL, "no %s", user);
	ck_assert_str_eq(s->user, user);
	ck_assert_int_eq(s->has_secret, secret[0] != '\0');
	if (s->has_secret)
		ck_assert_str_eq((char *)s->secret.data, secret);
	else
		ck_assert_ptr_null(s->secret.data);
}

START_TEST(test_userlist)
{
	static const char text[] =
		"; comment\n# comment\n\"plain\" \"pass word\"\n  \"md\"\t\"md5abc\" \"ignored\" rest\n"
		"\"scram\" \"SCRAM-SHA-256$4096:c2FsdA==$a:b\"\n\"empty\" \"\"\n\n"
		"\"q\"\"uote\" \"s\"\"\"\"t\"\n\"plain\" \"second\"\r\n\"x\"\"y\" \"a;b#c\"";
	struct userlist *l = userlist_new();

	userlist_read_bytes(l, text, sizeof(text) - 1, "u", &scratch_report);
	ck_assert_str_eq(scratch_errors(), "");
	check_user(l, "plain", "second");
	check_user(l, "md", "md5abc");
	check_user(l, "scram", "SCRAM-SHA-256$4096:c2FsdA==$a:b");
	check_user(l, "empty", "");
	check_user(l, "q\"uote", "s\"\"t");
	check_user(l, "x\"y", "a;b#c");
	ck_assert_uint_eq(l->count, 6);
	ck_assert_ptr_null(userlist_find(l, "PLAIN"));
	ck_assert_ptr_null(userlist_find(l, ""));
	userlist_unref(l);
}
END_TEST

START_TEST(test_userlist_bad_lines)
{
	static const char text[] = "\"good\" \"1\"\nuser pass\n\"one\"\n\"open\n\"a\" \"b\n\"\" "
				   "\"x\"\n\"nul\" \"a\0b\"\n\"last\" \"2\"\n";
	struct userlist *l = userlist_new();

	userlist_read_bytes(l, text, sizeof(text) - 1, "u", &scratch_report);
	ck_assert_str_eq(scratch_errors(), "u:2: expected \"user\" \"password\", both in double quotes\n"
					   "u:3: expected \"user\" \"password\", both in double quotes\n"
					   "u:4: expected \"user\" \"password\", both in double quotes\n"
					   "u:5: expected \"user\" \"password\", both in double quotes\n"
					   "u:6: empty user name\n"
					   "u:7: the line holds a NUL byte\n");
	check_user(l, "good", "1");
	check_user(l, "last", "2");
	ck_assert_uint_eq(l->count, 2);
	userlist_unref(l);
}
END_TEST

START_TEST(test_userlist_of_many_and_long)
{
	struct userlist *l = userlist_new();
	struct buf b;
	char name[32];

	buf_init(&b, 0);
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "\"user%d\" \"pw%d\"\n", i, i);
	buf_append_str(&b, "\"long\" \"");
	for (int i = 0; i < 65536; i++)
		buf_append_u8(&b, 'p');
	buf_append_str(&b, "\"\n");
	userlist_read_bytes(l, b.data, b.len, "u", &scratch_report);
	ck_assert_str_eq(scratch_errors(), "");
	ck_assert_uint_eq(l->count, 5001);
	for (int i = 0; i < 5000; i += 7) {
		char secret[32];

		snprintf(name, sizeof(name), "user%d", i);
		snprintf(secret, sizeof(secret), "pw%d", i);
		check_user(l, name, secret);
	}
	ck_assert_uint_eq(userlist_find(l, "long")->secret.len, 65536);
	buf_fini(&b);
	userlist_unref(l);
}
END_TEST

SCRATCH_MAIN("ini", test_plain, test_comments, test_names, test_every_problem_is_reported_with_its_place,
	test_nul_and_long_lines, test_include, test_include_goes_wrong, test_include_depth_and_number,
	test_files_that_are_none, test_connstr, test_userlist, test_userlist_bad_lines,
	test_userlist_of_many_and_long)
