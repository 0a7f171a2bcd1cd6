/*
 * connstr.c - key=value pairs as in a libpq connection string.
 */
#include "conf/connstr.h"

#include "conf/textfile.h"

#include <string.h>

void connstr_init(struct connstr *c, const char *text, char *buffer)
{
	*c = (struct connstr){.at = text, .out = buffer};
}

static int connstr_fail(struct connstr *c, const char *why)
{
	c->error = why;
	c->at = "";
	return -1;
}

static void connstr_skip_blank(struct connstr *c)
{
	while (textfile_is_blank(*c->at))
		c->at++;
}

/* Never writes more than it reads, so the buffer of the text's size always suffices. */
static int connstr_value(struct connstr *c)
{
	char *to = c->out;

	c->value = to;
	if (*c->at != '\'') {
		while (*c->at != '\0' && !textfile_is_blank(*c->at))
			*to++ = *c->at++;
	} else {
		c->at++;
		for (;; c->at++) {
			if (*c->at == '\0')
				return connstr_fail(c, "a quoted value without its closing quote");
			if (*c->at == '\'' && *++c->at != '\'')
				break;
			*to++ = *c->at;
		}
		if (*c->at != '\0' && !textfile_is_blank(*c->at))
			return connstr_fail(c, "text directly after a quoted value");
	}
	*to++ = '\0';
	c->out = to;
	return 1;
}

int connstr_next(struct connstr *c)
{
	size_t n;

	connstr_skip_blank(c);
	if (*c->at == '\0')
		return 0;
	n = strcspn(c->at, "= \t\r\v\f");
	if (n == 0)
		return connstr_fail(c, "= without a name before it");
	if (n >= sizeof(c->key))
		return connstr_fail(c, "a name that is too long");
	memcpy(c->key, c->at, n);
	c->key[n] = '\0';
	c->at += n;
	connstr_skip_blank(c);
	if (*c->at != '=')
		return connstr_fail(c, "expected key=value pairs");
	c->at++;
	connstr_skip_blank(c);
	return connstr_value(c);
}
