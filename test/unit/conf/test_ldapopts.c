/* options of the method ldap: what they come to, what is wrong with others, in a line of rules and in auth_ldap_options */
#include "conf/ldapopts.h"
#include "test/unit/base/suite.h"

#include <stdio.h>
#include <string.h>

static char error[LDAPOPTS_ERROR_MAX];

static struct ldapopts *good(const char *text)
{
	struct ldapopts *o = ldaptext_parse(text, error);

	ck_assert_msg(o != NULL, "%s: %s", text, error);
	return o;
}

START_TEST(test_servers)
{
	static const struct {
		const char *text, *uris;
	} rows[] = {
		{"ldapserver=a", "ldap://a:389 "},
		{"ldapserver=a ldapport=1", "ldap://a:1 "},
		{"ldapserver=a ldapscheme=ldaps", "ldaps://a:636 "},
		{"ldapserver=\" a  b.example.com:77 10.0.0.1 \" ldapport=2", "ldap://a:2 ldap://b.example.com:77 ldap://10.0.0.1:2 "},
		{"ldapserver=\"::1 [::2] [::3]:4\"", "ldap://[::1]:389 ldap://[::2]:389 ldap://[::3]:4 "},
		{"ldapurl=ldap://a", "ldap://a:389 "},
		{"ldapurl=ldaps://a", "ldaps://a:636 "},
		{"ldapurl=ldap://a:7/", "ldap://a:7 "},
		{"ldapurl=ldaps://[::1]:7", "ldaps://[::1]:7 "},
		{"ldapurl=ldap://a ldapport=8", "ldap://a:8 "},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256], uris[512] = "";
		struct ldapopts *o;

		snprintf(text, sizeof(text), "ldapprefix=x,%s", rows[i].text);
		o = good(text);
		for (unsigned u = 0; u < o->uris; u++)
			snprintf(uris + strlen(uris), sizeof(uris) - strlen(uris), "%s ", o->uri[u]);
		ck_assert_str_eq(uris, rows[i].uris);
		ldapopts_free(o);
	}
}
END_TEST

START_TEST(test_simple)
{
	struct ldapopts *o = good("ldapserver=x, \"ldapprefix\"=\"cn=\"  ldapsuffix=\", ou=\"\"a\"\",dc=b\" ldaptls=1");

	ck_assert_str_eq(o->prefix, "cn=");
	ck_assert_str_eq(o->suffix, ", ou=\"a\",dc=b");
	ck_assert(o->is_dn && o->starts_tls);
	ck_assert_ptr_null(o->basedn);
	ldapopts_free(o);
	o = good("ldapserver=x ldapsuffix=@corp.example.com ldaptls=0");
	ck_assert(!o->is_dn && !o->starts_tls);
	ck_assert_str_eq(o->prefix, "");
	ldapopts_free(o);
}
END_TEST

START_TEST(test_search)
{
	struct ldapopts *o = good("ldapserver=x ldapbasedn=\"dc=a,dc=b\"");

	ck_assert_str_eq(o->basedn, "dc=a,dc=b");
	ck_assert_str_eq(o->filter, "(uid=$username)");
	ck_assert(o->scope == LDAPOPTS_SUB && o->binddn == NULL && o->bindpasswd.data == NULL);
	ldapopts_free(o);
	o = good("ldapserver=x ldapbasedn=b ldapsearchattribute=mail ldapbinddn=\"cn=s, dc=b\" ldapbindpasswd=\"a \"\"b\"\",\"");
	ck_assert_str_eq(o->filter, "(mail=$username)");
	ck_assert_str_eq(o->binddn, "cn=s, dc=b");
	ck_assert_str_eq((const char *)o->bindpasswd.data, "a \"b\",");
	ldapopts_free(o);
	o = good("ldapserver=x ldapbasedn=b ldapsearchfilter=(|(a=$username)(b=$username@x))");
	ck_assert_str_eq(o->filter, "(|(a=$username)(b=$username@x))");
	ldapopts_free(o);
}
END_TEST

START_TEST(test_url)
{
	struct ldapopts *o = good("ldapurl=\"ldap://x/ou=a%20b,dc=c%2c?cn?one\"");

	ck_assert_str_eq(o->basedn, "ou=a b,dc=c,");
	ck_assert_str_eq(o->filter, "(cn=$username)");
	ck_assert_int_eq(o->scope, LDAPOPTS_ONE);
	ldapopts_free(o);
	o = good("ldapurl=ldap://x/b??sub?(a=$username)");
	ck_assert_str_eq(o->filter, "(a=$username)");
	ck_assert_int_eq(o->scope, LDAPOPTS_SUB);
	ldapopts_free(o);
	o = good("ldapurl=ldap://x/b ldapsearchattribute=cn");
	ck_assert_int_eq(o->scope, LDAPOPTS_BASE);
	ck_assert_str_eq(o->filter, "(cn=$username)");
	ldapopts_free(o);
}
END_TEST

START_TEST(test_bad)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "ldapserver is missing"},
		{" , ", "ldapserver is missing"},
		{"ldapprefix=x", "ldapserver is missing"},
		{"ldapserver=\" \" ldapprefix=x", "ldapserver is missing"},
		{"ldapserver=x", "needs ldapprefix or ldapsuffix"},
		{"ldapserver=x ldapurl=ldap://y/z", "said twice"},
		{"ldapserver=x ldapserver=y", "said twice"},
		{"ldapserver=a/b ldapprefix=x", "\"a/b\" is no name of a host"},
		{"ldapserver=\"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\" ldapprefix=x", "more than 16 servers"},
		{"ldapserver=a ldapprefix=x ldapport=65536", "1 to 65535"},
		{"ldapserver=a ldapprefix=x ldapport=\"\"", "1 to 65535"},
		{"ldapserver=a ldapprefix=x ldapport=-1", "1 to 65535"},
		{"ldapserver=a ldapprefix=x ldapscheme=LDAP", "ldap or ldaps"},
		{"ldapserver=a ldapprefix=x ldaptls=2", "0 or 1"},
		{"ldapurl=ldaps://a ldapprefix=x ldaptls=1", "does not go with ldaps"},
		{"ldapserver=a ldapprefix=x ldapbasedn=y", "do not go with"},
		{"ldapserver=a ldapsuffix=x ldapsearchattribute=y", "do not go with"},
		{"ldapurl=ldap://a/b ldapprefix=x", "do not go with"},
		{"ldapserver=a ldapbasedn=x ldapsearchattribute=y ldapsearchfilter=(z=$username)", "do not go together"},
		{"ldapserver=a ldapbasedn=x ldapsearchattribute=\"y)(z\"", "name of an attribute"},
		{"ldapserver=a ldapbasedn=x ldapsearchattribute=\"\"", "name of an attribute"},
		{"ldapserver=a ldapbasedn=x ldapsearchfilter=(uid=x)", "does not contain $username"},
		{"ldapserver=a ldapbasedn=x ldapsearchfilter=uid=$username", "no filter"},
		{"ldapserver=a ldapbasedn=x ldapsearchfilter=(uid=$username", "no filter"},
		{"ldapserver=a ldapbasedn=x ldapsearchfilter=(uid=$username))", "no filter"},
		{"ldapserver=a ldapbasedn=x ldapsearchfilter=(a=$username)(b=c)", "no filter"},
		{"ldapserver=a ldapbasedn=x ldapsearchfilter=$username()", "no filter"},
		{"ldapurl=http://x", "begins with ldap://"},
		{"ldapurl=ldap://x/b?a?all", "base, one or sub"},
		{"ldapurl=ldap://x/b?a?sub?(b=$username)", "do not go together"},
		{"ldapurl=ldap://x/b%2", "two hexadecimal digits"},
		{"ldapurl=ldap://x/b%", "two hexadecimal digits"},
		{"ldapurl=ldap://x/b%zz", "two hexadecimal digits"},
		{"ldapurl=ldap://x/b%00", "two hexadecimal digits"},
		{"ldapurl=ldap://x/b?a?sub?" "?ext", "more parts"},
		{"ldapurl=ldap://x@y/b", "no name of a host"},
		{"ldapserver", "\"ldapserver\" is no option"},
		{"ldapserver a", "\"ldapserver\" is no option"},
		{"=a", "\"\" is no option of ldap"},
		{"pamservice=a", "\"pamservice\" is no option of ldap"},
		{"ldapserver=\"a", "quote is not closed"},
		{"\"ldapserver=a", "quote is not closed"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		error[0] = '\0';
		ck_assert_msg(ldaptext_parse(rows[i].text, error) == NULL, "%s is taken", rows[i].text);
		ck_assert_msg(strstr(error, rows[i].why) != NULL, "%s: %s", rows[i].text, error);
	}
}
END_TEST

SUITE_MAIN("ldapopts", test_servers, test_simple, test_search, test_url, test_bad)
