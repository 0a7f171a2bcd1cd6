/*
 * ldaptext.c - auth_ldap_options: name=value name=value, or with commas between them.
 */
#include "base/buf.h"
#include "conf/ldapopts_impl.h"
#include "conf/textfile.h"

#include <string.h>

/* One name or value at *at, up to a character of stops or its closing quote.  NULL or what is wrong. */
static const char *ldaptext_word(const char **at, const char *stops, struct buf *word)
{
	const char *p = *at;
	bool is_quoted = *p == '"';

	buf_reset(word);
	for (p += is_quoted; *p != '\0'; p++) {
		if (is_quoted && *p == '"' && *++p != '"') {
			*at = p;
			return NULL;
		}
		if (!is_quoted && (textfile_is_blank(*p) || strchr(stops, *p) != NULL))
			break;
		(void)buf_append_u8(word, (uint8_t)*p);
	}
	*at = p;
	return is_quoted ? "a double quote is not closed" : NULL;
}

static const char *ldaptext_skip(const char *p)
{
	while (textfile_is_blank(*p) || *p == ',')
		p++;
	return p;
}

static int ldaptext_read(struct ldapopts_draft *d, const char *p, struct buf *name, struct buf *value,
			 char error[LDAPOPTS_ERROR_MAX])
{
	const char *wrong;

	for (p = ldaptext_skip(p); *p != '\0'; p = ldaptext_skip(p)) {
		wrong = ldaptext_word(&p, "=,", name);
		if (wrong == NULL && *p++ != '=')
			return ldapopts_bad(error, "\"%.64s\" is no option: name=value", buf_text(name));
		if (wrong == NULL)
			wrong = ldaptext_word(&p, ",", value);
		if (wrong != NULL)
			return ldapopts_bad(error, "%s", wrong);
		if (ldapopts_set(d, buf_text(name), buf_text(value), error) < 0)
			return -1;
	}
	return 0;
}

struct ldapopts *ldaptext_parse(const char *text, char error[LDAPOPTS_ERROR_MAX])
{
	struct ldapopts_draft *d = ldapopts_begin();
	struct buf name, value;
	int rc;

	buf_init(&name, 0);
	buf_init(&value, 0);
	rc = ldaptext_read(d, text, &name, &value, error);
	buf_wipe(&name);
	buf_wipe(&value);
	if (rc == 0)
		return ldapopts_end(d, error);
	ldapopts_drop(d);
	return NULL;
}
