/*
 * dburl.c - a database URL, taken apart (libpq's form, section 34.1.1.2 of
 * PostgreSQL's manual).
 */
#include "conf/dburl.h"

#include "base/str.h"

#include <string.h>

static int dburl_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes [a, b) into out; false when it does not fit, holds %00 or a broken %. */
static bool dburl_decode(const char *a, const char *b, char *out, size_t size)
{
	size_t n = 0;

	for (; a < b; a++) {
		int c = (unsigned char)*a;

		if (*a == '%') {
			int hi = b - a > 2 ? dburl_hex(a[1]) : -1;
			int lo = hi >= 0 ? dburl_hex(a[2]) : -1;

			if (lo < 0 || (hi | lo) == 0)
				return false;
			c = hi << 4 | lo;
			a += 2;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

static const char *dburl_find(const char *a, const char *b, char c)
{
	const char *at = memchr(a, c, (size_t)(b - a));

	return at != NULL ? at : b;
}

/* The last c in [a, b), or b. */
static const char *dburl_find_last(const char *a, const char *b, char c)
{
	const char *at = memrchr(a, c, (size_t)(b - a));

	return at != NULL ? at : b;
}

static int dburl_fail(const char **error, const char *why)
{
	*error = why;
	return -1;
}

/* host, host:port, [v6]:port, or a list of such with one and the same port */
static int dburl_hosts(const char *a, const char *b, struct dburl *out, const char **error)
{
	size_t used = 0;

	while (a < b) {
		const char *comma = dburl_find(a, b, ','), *end, *colon;
		char host[DBURL_PART_MAX], port[16] = "";

		if (*a == '[') {
			a++;
			end = dburl_find(a, comma, ']');
			if (end == comma)
				return dburl_fail(error, "it has [ without ]");
			colon = end + 1;
		} else {
			colon = end = dburl_find_last(a, comma, ':');
		}
		if (colon < comma && (*colon != ':' || !dburl_decode(colon + 1, comma, port, sizeof(port))))
			return dburl_fail(error, "its port is broken");
		if (!dburl_decode(a, end, host, sizeof(host)) || strlen(host) + used + 2 > sizeof(out->host))
			return dburl_fail(error, "its host is broken");
		if (used > 0 && strcmp(port, out->port) != 0)
			return dburl_fail(error, "it lists hosts with different ports");
		str_copy(out->port, sizeof(out->port), port);
		if (used > 0)
			out->host[used++] = ',';
		str_copy(out->host + used, sizeof(out->host) - used, host);
		used += strlen(host);
		a = comma < b ? comma + 1 : b;
	}
	return 0;
}

static int dburl_parameter(const char *a, const char *b, struct dburl *out, const char **error)
{
	const char *eq = dburl_find(a, b, '=');
	char name[64];
	char *to;
	size_t size;

	if (eq == b || !dburl_decode(a, eq, name, sizeof(name)))
		return dburl_fail(error, "a parameter after ? is broken");
	if (strcmp(name, "host") == 0) {
		to = out->host;
		size = sizeof(out->host);
	} else if (strcmp(name, "port") == 0) {
		to = out->port;
		size = sizeof(out->port);
	} else if (strcmp(name, "user") == 0) {
		to = out->user;
		size = sizeof(out->user);
	} else if (strcmp(name, "password") == 0) {
		to = out->password;
		size = sizeof(out->password);
		out->has_password = true;
	} else if (strcmp(name, "dbname") == 0) {
		to = out->dbname;
		size = sizeof(out->dbname);
	} else if (strcmp(name, "sslmode") == 0) {
		to = out->sslmode;
		size = sizeof(out->sslmode);
	} else if (strcmp(name, "application_name") == 0) {
		to = out->application_name;
		size = sizeof(out->application_name);
	} else {
		size_t used = strlen(out->ignored);

		if (used > 0 && used + 2 < sizeof(out->ignored))
			out->ignored[used++] = ',';
		str_copy(out->ignored + used, sizeof(out->ignored) - used, name);
		return 0;
	}
	return dburl_decode(eq + 1, b, to, size) ? 0 : dburl_fail(error, "a parameter after ? is broken");
}

static const char *dburl_after_scheme(const char *text)
{
	const char *at = strstr(text, "://");
	size_t n = at != NULL ? (size_t)(at - text) : 0;

	if ((n == 8 && strncmp(text, "postgres", 8) == 0) ||
		(n == 10 && strncmp(text, "postgresql", 10) == 0) ||
		(n > 11 && strncmp(text, "postgresql+", 11) == 0) ||
		(n > 9 && strncmp(text, "postgres+", 9) == 0))
		return at + 3;
	return NULL;
}

int dburl_parse(const char *text, struct dburl *out, const char **error)
{
	const char *a = dburl_after_scheme(text);
	const char *end, *query, *path, *at, *colon;

	*out = (struct dburl){.has_password = false};
	if (a == NULL)
		return dburl_fail(error, "it must begin with postgresql:// or postgres://");
	end = a + strlen(a);
	query = dburl_find(a, end, '?');
	path = dburl_find(a, query, '/');
	at = dburl_find_last(a, path, '@');
	if (at < path) {
		colon = dburl_find(a, at, ':');
		out->has_password = colon < at;
		if (!dburl_decode(a, colon, out->user, sizeof(out->user)) ||
			(colon < at && !dburl_decode(colon + 1, at, out->password, sizeof(out->password))))
			return dburl_fail(error,
				"its user or password is broken (characters such as @ : / ? % must be "
				"written as %40 %3A %2F %3F %25)");
		a = at + 1;
	}
	if (dburl_hosts(a, path, out, error) < 0)
		return -1;
	if (path < query && !dburl_decode(path + 1, query, out->dbname, sizeof(out->dbname)))
		return dburl_fail(error, "its database name is broken");
	for (a = query; a < end; a = at) {
		at = dburl_find(a + 1, end, '&');
		if (at > a + 1 && dburl_parameter(a + 1, at, out, error) < 0)
			return -1;
	}
	if (out->dbname[0] == '\0' && out->user[0] != '\0')
		str_copy(out->dbname, sizeof(out->dbname), out->user);
	return 0;
}
