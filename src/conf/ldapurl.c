/*
 * ldapurl.c - ldapurl, as RFC 4516 writes it, as far as pg_hba.conf knows it:
 * ldap[s]://host[:port]/basedn[?[attribute][?[scope][?[filter]]]]
 *
 * Becomes the texts of the other options.
 */
#include "base/mem.h"
#include "conf/ldapopts_impl.h"

#include <string.h>

#define LDAPURL_PARTS 4 /* basedn, attribute, scope, filter */

static int ldapurl_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, (c >= 'A' && c <= 'F') ? c | 32 : c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* %XX becomes a byte, but never NUL; NULL: it is malformed. */
static char *ldapurl_decode(const char *p, size_t n)
{
	char *text = mem_alloc(n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int high, low;

		if (p[i] != '%') {
			text[len++] = p[i];
			continue;
		}
		high = i + 2 < n ? ldapurl_digit(p[i + 1]) : -1;
		low = i + 2 < n ? ldapurl_digit(p[i + 2]) : -1;
		if (high < 0 || low < 0 || (high == 0 && low == 0)) {
			mem_free(text);
			return NULL;
		}
		text[len++] = (char)(high << 4 | low);
		i += 2;
	}
	text[len] = '\0';
	return text;
}

static int ldapurl_scope(struct ldapopts_draft *d, const char *text, char error[LDAPOPTS_ERROR_MAX])
{
	static const char *const names[] = {[LDAPOPTS_BASE] = "base", [LDAPOPTS_ONE] = "one", [LDAPOPTS_SUB] = "sub"};

	/* what an URL without a scope means */
	if (text[0] == '\0')
		text = "base";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		d->scope = (enum ldapopts_scope)i;
		return 0;
	}
	return ldapopts_bad(error, "ldapurl: the scope is base, one or sub, not \"%.64s\"", text);
}

/* Takes text.  An empty part says nothing. */
static int ldapurl_part(struct ldapopts_draft *d, unsigned n, char *text, char error[LDAPOPTS_ERROR_MAX])
{
	static const char *const names[LDAPURL_PARTS] = {"ldapbasedn", "ldapsearchattribute", NULL, "ldapsearchfilter"};
	int rc = 0;

	if (names[n] == NULL)
		rc = ldapurl_scope(d, text, error);
	else if (text[0] != '\0')
		rc = ldapopts_set(d, names[n], text, error);
	mem_free(text);
	return rc;
}

static int ldapurl_place(struct ldapopts_draft *d, const char *p, size_t n, char error[LDAPOPTS_ERROR_MAX])
{
	/* with its port, if it has one: ldapserver takes that too */
	return n > 0 ? ldapopts_put(d, LDAPOPTS_SERVER, mem_strndup(p, n), error) : 0;
}

int ldapurl_read(struct ldapopts_draft *d, const char *url, char error[LDAPOPTS_ERROR_MAX])
{
	size_t scheme = strncmp(url, "ldap://", 7) == 0 ? 4 : strncmp(url, "ldaps://", 8) == 0 ? 5 : 0;
	const char *p = url + scheme + 3;
	size_t n;

	if (scheme == 0)
		return ldapopts_bad(error, "ldapurl begins with ldap:// or ldaps://");
	if (ldapopts_put(d, LDAPOPTS_SCHEME, mem_strndup(url, scheme), error) < 0)
		return -1;
	n = strcspn(p, "/?");
	if (ldapurl_place(d, p, n, error) < 0)
		return -1;
	p += n;
	d->scope = LDAPOPTS_BASE;
	for (unsigned i = 0; *p != '\0'; i++) {
		char *text;

		n = strcspn(++p, "?");
		if (i == LDAPURL_PARTS)
			return ldapopts_bad(error, "ldapurl has more parts than attribute, scope and filter");
		text = ldapurl_decode(p, n);
		if (text == NULL)
			return ldapopts_bad(error, "ldapurl: %% is not followed by two hexadecimal digits");
		if (ldapurl_part(d, i, text, error) < 0)
			return -1;
		p += n;
	}
	return 0;
}
