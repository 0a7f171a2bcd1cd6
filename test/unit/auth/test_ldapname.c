/* names of users inside names and filters of a directory: never more than a name */
#include "auth/ldapname.h"
#include "base/mem.h"
#include "conf/ldapopts.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static char *escaped(const char *name)
{
	struct buf out;
	char *text;

	buf_init(&out, 0);
	ldapname_escape(&out, name);
	text = mem_strdup(buf_text(&out));
	buf_fini(&out);
	return text;
}

START_TEST(test_escapes)
{
	static const struct {
		const char *name, *wanted;
	} rows[] = {
		{"anna", "anna"},
		{"a.b-c_d@e9", "a.b-c_d@e9"},
		{"*)(uid=*", "\\2a\\29\\28uid\\3d\\2a"},
		{"a,b", "a\\2cb"},
		{" a ", "\\20a\\20"},
		{"#a", "\\23a"},
		{"a\\b", "a\\5cb"},
		{"\"+<>;", "\\22\\2b\\3c\\3e\\3b"},
		{"\x01\x7f", "\\01\\7f"},
		{"\xc3\xb6", "\\c3\\b6"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = escaped(rows[i].name);

		ck_assert_str_eq(text, rows[i].wanted);
		mem_free(text);
	}
}
END_TEST

/* Every byte: what is left as it is has no meaning in RFC 4514 or RFC 4515. */
START_TEST(test_every_byte)
{
	for (int c = 1; c < 256; c++) {
		char name[] = {(char)c, '\0'}, wanted[8];
		char *text = escaped(name);

		if (strlen(text) == 1) {
			ck_assert_ptr_null(strchr("\"+,;<>\\#= *()/&|!~$", c));
			ck_assert_int_eq(text[0], (char)c);
		} else {
			snprintf(wanted, sizeof(wanted), "\\%02x", (unsigned)c);
			ck_assert_str_eq(text, wanted);
		}
		mem_free(text);
	}
}
END_TEST

static void makes(const char *options, const char *user, const char *wanted)
{
	char error[LDAPOPTS_ERROR_MAX];
	struct ldapopts *o = ldaptext_parse(options, error);
	char *text;

	ck_assert_msg(o != NULL, "%s", error);
	text = ldapname_make(o, user);
	ck_assert_str_eq(text, wanted);
	mem_free(text);
	ldapopts_free(o);
}

START_TEST(test_makes)
{
	makes("ldapserver=x ldapprefix=uid= ldapsuffix=\",dc=y\"", "anna", "uid=anna,dc=y");
	makes("ldapserver=x ldapprefix=uid= ldapsuffix=\",dc=y\"", "a,dc=z", "uid=a\\2cdc\\3dz,dc=y");
	/* no distinguished name: as Active Directory has it */
	makes("ldapserver=x ldapsuffix=@corp.example.com", "o'neil", "o'neil@corp.example.com");
	makes("ldapserver=x ldapprefix=CORP\\", "a b", "CORP\\a b");
	makes("ldapserver=x ldapbasedn=y", "a*", "(uid=a\\2a)");
	makes("ldapserver=x ldapbasedn=y ldapsearchfilter=(|(a=$username)(b=$usernam)(c=$username.x))", "$username",
	      "(|(a=\\24username)(b=$usernam)(c=\\24username.x))");
}
END_TEST

SUITE_MAIN("ldapname", test_escapes, test_every_byte, test_makes)
