/*
 * conf_report.c - the problems found while reading a configuration.
 */
#include "conf/conf_report.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONF_REPORT_LINE_MAX 1024

void conf_report_init(struct conf_report *r)
{
	*r = (struct conf_report){.error_count = 0};
	buf_init(&r->errors, 0);
	buf_init(&r->warnings, 0);
}

void conf_report_fini(struct conf_report *r)
{
	buf_fini(&r->errors);
	buf_fini(&r->warnings);
	r->error_count = r->warning_count = 0;
}

static FX_PRINTF(5, 0) void conf_report_add(
	struct buf *b, int *count, const char *file, int line, const char *fmt, va_list ap)
{
	char raw[CONF_REPORT_LINE_MAX], text[CONF_REPORT_LINE_MAX];

	(*count)++;
	if (*count > CONF_REPORT_LINES_MAX)
		return;
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		raw[0] = '\0';
	/* what stands in the file may hold anything; a report is read on terminals and in logs */
	str_escape(text, sizeof(text), raw, strlen(raw));
	if (file != NULL && file[0] != '\0') {
		char name[CONF_REPORT_LINE_MAX];

		str_escape(name, sizeof(name), file, strlen(file));
		if (line > 0)
			buf_printf(b, "%s:%d: ", name, line);
		else
			buf_printf(b, "%s: ", name);
	}
	buf_printf(b, "%s\n", text);
	if (*count == CONF_REPORT_LINES_MAX)
		buf_append_str(b, "and more\n");
}

void conf_report_error(struct conf_report *r, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_report_add(&r->errors, &r->error_count, file, line, fmt, ap);
	va_end(ap);
}

void conf_report_warning(struct conf_report *r, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	conf_report_add(&r->warnings, &r->warning_count, file, line, fmt, ap);
	va_end(ap);
}

void conf_report_each(const struct buf *lines, void (*fn)(void *arg, const char *line), void *arg)
{
	const char *at = (const char *)lines->data;
	size_t left = lines->len;

	while (left > 0) {
		const char *nl = memchr(at, '\n', left);
		size_t n = nl != NULL ? (size_t)(nl - at) : left;
		char text[3 * CONF_REPORT_LINE_MAX];

		snprintf(text, sizeof(text), "%.*s", (int)n, at);
		fn(arg, text);
		if (nl == NULL)
			break;
		at += n + 1;
		left -= n + 1;
	}
}
