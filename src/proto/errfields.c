/*
 * errfields.c - reads ErrorResponse and NoticeResponse from any peer.
 */
#include "proto/errfields.h"

#include "base/cursor.h"

#include "base/poison.h"

static bool is_sqlstate(const char *s)
{
	size_t n = 0;

	for (; s[n] != '\0'; n++)
		if (n >= 5 || !((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'A' && s[n] <= 'Z')))
			return false;
	return n == 5;
}

/* the first of several counts, and an empty text is no text */
static void take(const char **field, const char *text)
{
	if (*field == NULL && text[0] != '\0')
		*field = text;
}

void errfields_parse(const void *body, size_t n, struct errfields *out)
{
	struct cursor c = cursor_over(body, n);
	const char *severity_v = NULL, *severity_s = NULL;

	*out = (struct errfields){0};
	for (;;) {
		uint8_t code = cursor_u8(&c);
		const char *text;

		if (c.bad || code == 0)
			break;
		text = cursor_cstr(&c);
		if (text == NULL)
			break;
		switch (code) {
		case 'V':
			take(&severity_v, text);
			break;
		case 'S':
			take(&severity_s, text);
			break;
		case 'C':
			if (is_sqlstate(text))
				take(&out->sqlstate, text);
			break;
		case 'M':
			take(&out->message, text);
			break;
		case 'D':
			take(&out->detail, text);
			break;
		case 'H':
			take(&out->hint, text);
			break;
		case 'R':
			take(&out->routine, text);
			break;
		default: /* fields we don't need, and those not invented yet */
			break;
		}
	}
	out->is_damaged = c.bad || cursor_left(&c) > 0;
	out->severity = severity_v ? severity_v : severity_s ? severity_s : "ERROR";
	if (out->sqlstate == NULL)
		out->sqlstate = "XX000";
	if (out->message == NULL)
		out->message = "the error message has no text";
}

bool errfields_is_fatal(const struct errfields *e)
{
	return strcmp(e->severity, "FATAL") == 0 || strcmp(e->severity, "PANIC") == 0;
}
