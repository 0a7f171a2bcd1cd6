/*
 * ldapname.c - escapes, with as few characters left as they are as can be read well.
 */
#include "auth/ldapname.h"

#include "base/mem.h"
#include "conf/ldapopts.h"

#include <string.h>

#include "base/poison.h"

static void append_hex(struct buf *out, char c)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char byte = (unsigned char)c;
	const char text[] = {'\\', digits[byte >> 4], digits[byte & 15]};

	(void)buf_append(out, text, sizeof(text));
}

/* Letters, digits and what has no meaning anywhere. */
static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != '\0' && strchr("-._@", c) != NULL);
}

void ldapname_escape(struct buf *out, const char *name)
{
	for (; *name != '\0'; name++) {
		if (is_plain(*name))
			(void)buf_append_u8(out, (uint8_t)*name);
		else
			append_hex(out, *name);
	}
}

static void fill_filter(struct buf *out, const char *filter, const char *user)
{
	const char *place;

	while ((place = strstr(filter, LDAPOPTS_USERNAME)) != NULL) {
		(void)buf_append(out, filter, (size_t)(place - filter));
		ldapname_escape(out, user);
		filter = place + strlen(LDAPOPTS_USERNAME);
	}
	(void)buf_append_str(out, filter);
}

char *ldapname_make(const struct ldapopts *o, const char *user)
{
	struct buf out;
	char *text = NULL;

	buf_init(&out, 0);
	if (o->basedn != NULL) {
		fill_filter(&out, o->filter, user);
	} else {
		(void)buf_append_str(&out, o->prefix);
		if (o->is_dn)
			ldapname_escape(&out, user);
		else
			(void)buf_append_str(&out, user);
		(void)buf_append_str(&out, o->suffix);
	}
	if (!out.bad)
		text = mem_try_strdup(buf_text(&out));
	buf_fini(&out);
	return text;
}
