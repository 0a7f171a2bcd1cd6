/*
 * ldapopts.c - the options of the method ldap, and what they come to together.
 */
#include "conf/ldapopts.h"

#include "base/mem.h"
#include "conf/ldapopts_impl.h"
#include "conf/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const ldapopts_names[LDAPOPTS_TEXTS] = {
	[LDAPOPTS_SERVER] = "ldapserver",     [LDAPOPTS_PORT] = "ldapport",
	[LDAPOPTS_SCHEME] = "ldapscheme",     [LDAPOPTS_TLS] = "ldaptls",
	[LDAPOPTS_PREFIX] = "ldapprefix",     [LDAPOPTS_SUFFIX] = "ldapsuffix",
	[LDAPOPTS_BASEDN] = "ldapbasedn",     [LDAPOPTS_BINDDN] = "ldapbinddn",
	[LDAPOPTS_BINDPASSWD] = "ldapbindpasswd", [LDAPOPTS_ATTRIBUTE] = "ldapsearchattribute",
	[LDAPOPTS_FILTER] = "ldapsearchfilter",	  [LDAPOPTS_URL] = "ldapurl",
};

int ldapopts_bad(char error[LDAPOPTS_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(error, LDAPOPTS_ERROR_MAX, fmt, ap) < 0)
		error[0] = '\0';
	va_end(ap);
	return -1;
}

void ldapopts_wipe_text(char *text)
{
	if (text != NULL)
		secret_wipe(text, strlen(text));
	mem_free(text);
}

struct ldapopts_draft *ldapopts_begin(void)
{
	struct ldapopts_draft *d = mem_zalloc(sizeof(*d));

	d->scope = LDAPOPTS_SUB;
	return d;
}

void ldapopts_drop(struct ldapopts_draft *d)
{
	for (size_t i = 0; i < LDAPOPTS_TEXTS; i++)
		ldapopts_wipe_text(d->text[i]);
	mem_free(d);
}

void ldapopts_free(struct ldapopts *o)
{
	if (o == NULL)
		return;
	for (unsigned i = 0; i < o->uris; i++)
		mem_free(o->uri[i]);
	mem_free(o->prefix);
	mem_free(o->suffix);
	mem_free(o->basedn);
	mem_free(o->filter);
	mem_free(o->binddn);
	secret_drop(&o->bindpasswd);
	mem_free(o);
}

int ldapopts_put(struct ldapopts_draft *d, enum ldapopts_text which, char *text, char error[LDAPOPTS_ERROR_MAX])
{
	if (d->text[which] != NULL) {
		ldapopts_wipe_text(text);
		return ldapopts_bad(error, "%s is said twice", ldapopts_names[which]);
	}
	d->text[which] = text;
	return 0;
}

static bool ldapopts_is_port(const char *text)
{
	int64_t port;

	return strspn(text, "0123456789") == strlen(text) && value_int(text, &port) == 0 && port >= 1 && port <= 65535;
}

static bool ldapopts_is_attribute(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!(*p >= '0' && *p <= '9') && !((*p | 32) >= 'a' && (*p | 32) <= 'z') && strchr("-.;", *p) == NULL)
			return false;
	return text[0] != '\0';
}

/* Parentheses that match, and the place where the user's name goes: without it one entry would be everybody. */
static int ldapopts_check_filter(const char *text, char error[LDAPOPTS_ERROR_MAX])
{
	size_t depth = 0, n = strlen(text);

	if (strstr(text, LDAPOPTS_USERNAME) == NULL)
		return ldapopts_bad(error, "ldapsearchfilter does not contain " LDAPOPTS_USERNAME);
	for (size_t i = 0; i < n; i++) {
		depth += text[i] == '(';
		if (depth == 0 || (text[i] == ')' && --depth == 0 && i + 1 < n))
			break;
		if (i + 1 == n && depth == 0)
			return 0;
	}
	return ldapopts_bad(error, "ldapsearchfilter is no filter: (attribute=value), parentheses included");
}

static int ldapopts_check(enum ldapopts_text which, const char *value, char error[LDAPOPTS_ERROR_MAX])
{
	switch (which) {
	case LDAPOPTS_PORT:
		return ldapopts_is_port(value)
			       ? 0 : ldapopts_bad(error, "ldapport is a number from 1 to 65535, not \"%.64s\"", value);
	case LDAPOPTS_SCHEME:
		return strcmp(value, "ldap") == 0 || strcmp(value, "ldaps") == 0
			       ? 0 : ldapopts_bad(error, "ldapscheme is ldap or ldaps, not \"%.64s\"", value);
	case LDAPOPTS_TLS:
		return strcmp(value, "0") == 0 || strcmp(value, "1") == 0
			       ? 0 : ldapopts_bad(error, "ldaptls is 0 or 1, not \"%.64s\"", value);
	case LDAPOPTS_ATTRIBUTE:
		return ldapopts_is_attribute(value)
			       ? 0 : ldapopts_bad(error, "ldapsearchattribute is the name of an attribute, not \"%.64s\"", value);
	case LDAPOPTS_FILTER:
		return ldapopts_check_filter(value, error);
	default:
		return 0;
	}
}

int ldapopts_set(struct ldapopts_draft *d, const char *name, const char *value, char error[LDAPOPTS_ERROR_MAX])
{
	for (size_t i = 0; i < LDAPOPTS_TEXTS; i++) {
		enum ldapopts_text which = (enum ldapopts_text)i;

		if (strcmp(ldapopts_names[i], name) != 0)
			continue;
		if (ldapopts_check(which, value, error) < 0 || ldapopts_put(d, which, mem_strdup(value), error) < 0)
			return -1;
		return which == LDAPOPTS_URL ? ldapurl_read(d, value, error) : 0;
	}
	return ldapopts_bad(error, "\"%.64s\" is no option of ldap", name);
}

static bool ldapopts_is_host(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(p[i] >= '0' && p[i] <= '9') && !((p[i] | 32) >= 'a' && (p[i] | 32) <= 'z') &&
		    memchr("-._:[]", p[i], 6) == NULL)
			return false;
	return true;
}

/* host, host:port, IPv6, [IPv6], [IPv6]:port */
static char *ldapopts_uri(const struct ldapopts_draft *d, const char *host, size_t n)
{
	const char *scheme = d->text[LDAPOPTS_SCHEME] != NULL ? d->text[LDAPOPTS_SCHEME] : "ldap";
	const char *port = d->text[LDAPOPTS_PORT];
	const char *colon = memchr(host, ':', n), *close = memchr(host, ']', n);
	bool is_bare_ip6 = close == NULL && colon != NULL && memchr(colon + 1, ':', n - (size_t)(colon + 1 - host)) != NULL;
	bool has_port = close != NULL ? close + 1 < host + n : colon != NULL && !is_bare_ip6;
	size_t size = n + 32;
	char *uri = mem_alloc(size);

	if (port == NULL)
		port = strcmp(scheme, "ldaps") == 0 ? "636" : "389";
	snprintf(uri, size, "%s://%s%.*s%s%s%s", scheme, is_bare_ip6 ? "[" : "", (int)n, host, is_bare_ip6 ? "]" : "",
		 has_port ? "" : ":", has_port ? "" : port);
	return uri;
}

static int ldapopts_servers(struct ldapopts *o, const struct ldapopts_draft *d, char error[LDAPOPTS_ERROR_MAX])
{
	const char *p = d->text[LDAPOPTS_SERVER];

	if (p == NULL || p[strspn(p, " ")] == '\0')
		return ldapopts_bad(error, "ldapserver is missing (servers are not looked up in the DNS)");
	for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (!ldapopts_is_host(p, n))
			return ldapopts_bad(error, "ldapserver: \"%.*s\" is no name of a host", (int)(n < 64 ? n : 64), p);
		if (o->uris == LDAPOPTS_SERVERS)
			return ldapopts_bad(error, "ldapserver names more than %d servers", LDAPOPTS_SERVERS);
		o->uri[o->uris++] = ldapopts_uri(d, p, n);
		p += n;
	}
	return 0;
}

static char *ldapopts_take(struct ldapopts_draft *d, enum ldapopts_text which)
{
	char *text = d->text[which];

	d->text[which] = NULL;
	return text;
}

static int ldapopts_simple(struct ldapopts *o, struct ldapopts_draft *d, char error[LDAPOPTS_ERROR_MAX])
{
	if (d->text[LDAPOPTS_BASEDN] != NULL || d->text[LDAPOPTS_BINDDN] != NULL || d->text[LDAPOPTS_BINDPASSWD] != NULL ||
	    d->text[LDAPOPTS_ATTRIBUTE] != NULL || d->text[LDAPOPTS_FILTER] != NULL)
		return ldapopts_bad(error, "ldapprefix and ldapsuffix (simple bind) do not go with ldapbasedn, ldapbinddn, "
					   "ldapbindpasswd, ldapsearchattribute, ldapsearchfilter or what ldapurl says of them");
	o->prefix = ldapopts_take(d, LDAPOPTS_PREFIX);
	o->suffix = ldapopts_take(d, LDAPOPTS_SUFFIX);
	if (o->prefix == NULL)
		o->prefix = mem_strdup("");
	if (o->suffix == NULL)
		o->suffix = mem_strdup("");
	o->is_dn = strchr(o->prefix, '=') != NULL || strchr(o->suffix, '=') != NULL;
	return 0;
}

static int ldapopts_search(struct ldapopts *o, struct ldapopts_draft *d, char error[LDAPOPTS_ERROR_MAX])
{
	const char *attribute = d->text[LDAPOPTS_ATTRIBUTE], *passwd = d->text[LDAPOPTS_BINDPASSWD];
	size_t size;

	if (d->text[LDAPOPTS_BASEDN] == NULL)
		return ldapopts_bad(error, "ldap needs ldapprefix or ldapsuffix (simple bind), or ldapbasedn (search)");
	if (attribute != NULL && d->text[LDAPOPTS_FILTER] != NULL)
		return ldapopts_bad(error, "ldapsearchattribute and ldapsearchfilter do not go together");
	o->basedn = ldapopts_take(d, LDAPOPTS_BASEDN);
	o->filter = ldapopts_take(d, LDAPOPTS_FILTER);
	if (o->filter == NULL) {
		size = (attribute != NULL ? strlen(attribute) : 0) + sizeof("(uid=" LDAPOPTS_USERNAME ")");
		o->filter = mem_alloc(size);
		snprintf(o->filter, size, "(%s=" LDAPOPTS_USERNAME ")", attribute != NULL ? attribute : "uid");
	}
	o->binddn = ldapopts_take(d, LDAPOPTS_BINDDN);
	if (passwd != NULL && passwd[0] != '\0')
		secret_set(&o->bindpasswd, passwd, strlen(passwd));
	o->scope = d->scope;
	return 0;
}

static int ldapopts_judge(struct ldapopts *o, struct ldapopts_draft *d, char error[LDAPOPTS_ERROR_MAX])
{
	bool is_simple = d->text[LDAPOPTS_PREFIX] != NULL || d->text[LDAPOPTS_SUFFIX] != NULL;

	o->starts_tls = d->text[LDAPOPTS_TLS] != NULL && d->text[LDAPOPTS_TLS][0] == '1';
	if (o->starts_tls && d->text[LDAPOPTS_SCHEME] != NULL && strcmp(d->text[LDAPOPTS_SCHEME], "ldaps") == 0)
		return ldapopts_bad(error, "ldaptls=1 (StartTLS) does not go with ldaps");
	if (ldapopts_servers(o, d, error) < 0)
		return -1;
	return is_simple ? ldapopts_simple(o, d, error) : ldapopts_search(o, d, error);
}

struct ldapopts *ldapopts_end(struct ldapopts_draft *d, char error[LDAPOPTS_ERROR_MAX])
{
	struct ldapopts *o = mem_zalloc(sizeof(*o));

	if (ldapopts_judge(o, d, error) < 0) {
		ldapopts_free(o);
		o = NULL;
	}
	ldapopts_drop(d);
	return o;
}
