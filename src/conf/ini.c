/*
 * ini.c - PgBouncer's ini dialect.
 */
#include "conf/ini.h"

#include "base/str.h"
#include "conf/textfile.h"

#include <stdio.h>
#include <string.h>

struct ini_reader {
	void (*fn)(void *arg, const struct ini_item *item);
	void *arg;
	struct conf_report *report;
	char section[64];
	int section_line;
	bool allow_include;
	int depth, files;
	struct {
		dev_t dev;
		ino_t ino;
	} open[INI_DEPTH_MAX];
};

static void ini_file(struct ini_reader *r, const char *path, const char *from, int from_line);

static char *ini_skip_blank(char *p)
{
	while (textfile_is_blank(*p))
		p++;
	return p;
}

static void ini_section(struct ini_reader *r, char *p, const char *file, int line)
{
	char *end = strchr(p, ']');

	if (end == NULL) {
		conf_report_error(r->report, file, line, "section name without ]");
		return;
	}
	if (*ini_skip_blank(end + 1) != '\0') {
		conf_report_error(r->report, file, line, "text after [section]");
		return;
	}
	*end = '\0';
	r->section_line = line;
	if (!str_copy(r->section, sizeof(r->section), p + 1))
		conf_report_error(r->report, file, line, "section name is too long");
	r->fn(r->arg,
		&(struct ini_item){.section = r->section, .section_line = line, .file = file, .line = line});
}

static void ini_include(struct ini_reader *r, char *p, const char *file, int line)
{
	/* the whole line after the word is the name */
	if (!textfile_is_blank(*p)) {
		conf_report_error(r->report, file, line, "unknown directive, only %%include is known");
		return;
	}
	p = ini_skip_blank(p);
	if (!r->allow_include)
		conf_report_error(r->report, file, line, "%%include is not allowed here");
	else if (r->depth >= INI_DEPTH_MAX)
		conf_report_error(
			r->report, file, line, "%%include is nested more than %d deep", INI_DEPTH_MAX);
	else
		ini_file(r, p, file, line);
}

/* Cuts the key off the front; gives what follows, which must be '='. NULL when it was reported. */
static char *ini_key(struct ini_reader *r, char *p, char **key, const char *file, int line)
{
	char *to;

	if (*p != '"') {
		*key = p;
		p += strcspn(p, "= \t\r\v\f");
		to = ini_skip_blank(p);
		if (*to != '=') {
			conf_report_error(r->report, file, line, "expected \"key = value\"");
			return NULL;
		}
		*p = '\0';
		return to;
	}
	*key = to = ++p;
	for (;; p++) {
		if (*p == '\0') {
			conf_report_error(r->report, file, line, "quoted name without its closing quote");
			return NULL;
		}
		if (*p == '"' && *++p != '"')
			break;
		*to++ = *p;
	}
	p = ini_skip_blank(p);
	if (*p != '=') {
		conf_report_error(r->report, file, line, "expected \"key = value\"");
		return NULL;
	}
	*to = '\0';
	return p;
}

static void ini_line(struct ini_reader *r, char *p, const char *file, int line)
{
	char *key, *value;

	if (*p == '\0' || *p == ';' || *p == '#')
		return;
	if (*p == '[') {
		ini_section(r, p, file, line);
		return;
	}
	if (*p == '%') {
		size_t n = strlen("%include");

		ini_include(r, strncmp(p, "%include", n) == 0 ? p + n : p, file, line);
		return;
	}
	value = ini_key(r, p, &key, file, line);
	if (value == NULL)
		return;
	value = ini_skip_blank(value + 1);
	if (*key == '\0') {
		conf_report_error(r->report, file, line, "empty name before =");
		return;
	}
	if (r->section[0] == '\0') {
		conf_report_error(r->report, file, line, "\"%s\" stands before the first [section]", key);
		return;
	}
	r->fn(r->arg, &(struct ini_item){.section = r->section,
			      .section_line = r->section_line,
			      .key = key,
			      .value = value,
			      .file = file,
			      .line = line});
}

static void ini_lines(struct ini_reader *r, struct textfile *f, const char *file)
{
	char *line;
	size_t n;

	for (;;) {
		switch (textfile_next(f, &line, &n)) {
		case TEXTFILE_END:
			return;
		case TEXTFILE_TOO_LONG:
			conf_report_error(r->report, file, f->line, "the line is longer than %zu bytes",
				TEXTFILE_LINE_MAX);
			break;
		case TEXTFILE_HAS_NUL:
			conf_report_error(r->report, file, f->line, "the line holds a NUL byte");
			break;
		case TEXTFILE_LINE:
			ini_line(r, line, file, f->line);
			break;
		}
	}
}

static void ini_file(struct ini_reader *r, const char *path, const char *from, int from_line)
{
	struct textfile f;
	char error[512];

	if (++r->files > INI_FILES_MAX) {
		conf_report_error(
			r->report, from, from_line, "more than %d files are included", INI_FILES_MAX);
		return;
	}
	if (textfile_open(&f, path, error, sizeof(error)) < 0) {
		conf_report_error(r->report, from, from_line, "%s", error);
		textfile_fini(&f);
		return;
	}
	for (int i = 0; i < r->depth; i++) {
		if (S_ISREG(f.st.st_mode) && r->open[i].dev == f.st.st_dev && r->open[i].ino == f.st.st_ino) {
			conf_report_error(r->report, from, from_line, "\"%s\" includes itself", path);
			textfile_fini(&f);
			return;
		}
	}
	r->open[r->depth].dev = f.st.st_dev;
	r->open[r->depth].ino = f.st.st_ino;
	r->depth++;
	ini_lines(r, &f, path);
	r->depth--;
	textfile_fini(&f);
}

void ini_read(const char *path, void (*fn)(void *arg, const struct ini_item *item), void *arg,
	struct conf_report *report)
{
	struct ini_reader r = {.fn = fn, .arg = arg, .report = report, .allow_include = true};

	ini_file(&r, path, NULL, 0);
}

void ini_read_bytes(const void *p, size_t n, const char *name,
	void (*fn)(void *arg, const struct ini_item *item), void *arg, struct conf_report *report)
{
	struct ini_reader r = {.fn = fn, .arg = arg, .report = report};
	struct textfile f;

	textfile_open_bytes(&f, p, n);
	ini_lines(&r, &f, name);
	textfile_fini(&f);
}
