/*
 * startopt.c - the startup parameter "options", one setting at a time.
 *
 * Tokens are taken apart as PostgreSQL does it (blanks split, a backslash protects
 * the next byte), so every byte is looked at once.
 */
#include "proto/startopt.h"

#include <string.h>

#include "base/poison.h"

/* isspace of the C locale; never the process's locale */
static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void startopt_init(struct startopt *o, const char *options)
{
	o->at = options;
	o->error = NULL;
	o->text[0] = '\0';
}

static int fail(struct startopt *o, const char *error)
{
	o->error = error;
	return -1;
}

/* Unescapes the next token into text from used on; 1, 0 when there is none, -1 when it is too long. */
static int read_token(struct startopt *o, size_t used)
{
	const char *p = o->at;

	while (is_blank(*p))
		p++;
	o->at = p;
	if (*p == '\0')
		return 0;
	for (; *p != '\0' && !is_blank(*p); p++) {
		if (*p == '\\' && *++p == '\0')
			break;
		if (used + 1 >= sizeof(o->text))
			return fail(o, STARTOPT_ERROR_LONG);
		o->text[used++] = *p;
	}
	o->text[used] = '\0';
	o->at = p;
	return 1;
}

/* Splits "name=value" in place. */
static int split(struct startopt *o, char *setting, const char **name, const char **value)
{
	char *equals = strchr(setting, '=');

	if (equals == NULL || equals == setting)
		return fail(o, STARTOPT_ERROR_FORM);
	*equals = '\0';
	for (char *p = setting; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	*name = setting;
	*value = equals + 1;
	return 1;
}

int startopt_next(struct startopt *o, const char **name, const char **value)
{
	int rc;

	if (o->error != NULL)
		return -1;
	rc = read_token(o, 0);
	if (rc <= 0)
		return rc;
	if (strncmp(o->text, "--", 2) == 0)
		return split(o, o->text + 2, name, value);
	if (strncmp(o->text, "-c", 2) != 0)
		return fail(o, STARTOPT_ERROR_FORM);
	if (o->text[2] == '\0') {
		rc = read_token(o, 2);
		if (rc == 0)
			return fail(o, STARTOPT_ERROR_FORM);
		if (rc < 0)
			return -1;
	}
	return split(o, o->text + 2, name, value);
}
