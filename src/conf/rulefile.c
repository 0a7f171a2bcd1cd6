/*
 * rulefile.c - files, includes and lines; the words of a line are rulewords.c's.
 */
#include "conf/rulefile.h"

#include "conf/rulefile_impl.h"
#include "conf/textfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void rulefile_tell(struct rulefile_reader *r, const char *file, int line, const char *error)
{
	struct rulefile_line at = {.file = file, .line = line, .error = error};

	r->ask->on_line(r->ask->arg, &at);
}

/* name as seen from the folder of parent */
static char *rulefile_path(struct rulefile_reader *r, const char *parent, const char *name)
{
	const char *slash = strrchr(parent, '/');
	struct buf path;
	char *out;

	buf_init(&path, 0);
	if (name[0] != '/' && slash != NULL)
		(void)buf_append(&path, parent, (size_t)(slash - parent) + 1);
	(void)buf_append_str(&path, name);
	out = strpool_add(r->ask->texts, (const char *)path.data, path.len);
	buf_fini(&path);
	return out;
}

static int rulefile_open(struct rulefile_reader *r, struct textfile *f, const char *path, char *error, size_t size)
{
	*f = (struct textfile){.line = 0};
	if (!r->ask->may_open_files && r->files > 0)
		snprintf(error, size, "no other file can be read here");
	else if (r->depth >= RULEFILE_DEPTH_MAX)
		snprintf(error, size, "cannot open \"%s\": files include each other more than %d deep", path,
			 RULEFILE_DEPTH_MAX);
	else if (r->files >= RULEFILE_FILES_MAX)
		snprintf(error, size, "cannot open \"%s\": more than %d files are included", path, RULEFILE_FILES_MAX);
	else if (textfile_open(f, path, error, size) == 0) {
		r->files++;
		r->bytes += f->bytes.len;
		if (r->bytes <= RULEFILE_BYTES_MAX)
			return 0;
		snprintf(error, size, "cannot read \"%s\": all files together are larger than %zu MB", path,
			 RULEFILE_BYTES_MAX >> 20);
	}
	textfile_fini(f);
	return -1;
}

/* The next physical line, without newline and carriage return. */
static bool rulefile_physical(struct textfile *f, const char **text, size_t *n)
{
	const char *at = (const char *)f->bytes.data + f->at;
	size_t left = f->bytes.len - f->at;
	const char *nl = left > 0 ? memchr(at, '\n', left) : NULL;

	if (left == 0)
		return false;
	*text = at;
	*n = nl != NULL ? (size_t)(nl - at) : left;
	f->at += nl != NULL ? *n + 1 : *n;
	f->line++;
	while (*n > 0 && at[*n - 1] == '\r')
		(*n)--;
	return true;
}

/* The next line with those that continue it; *line is the number of the first.  false: there is none. */
static bool rulefile_next(struct textfile *f, struct buf *text, int *line, const char **error)
{
	const char *piece;
	bool goes_on = true;
	size_t n;

	buf_reset(text);
	*error = NULL;
	*line = f->line + 1;
	while (goes_on && rulefile_physical(f, &piece, &n)) {
		goes_on = n > 0 && piece[n - 1] == '\\';
		if (memchr(piece, '\0', n) != NULL)
			*error = "the line holds a NUL byte";
		else if (buf_append(text, piece, goes_on ? n - 1 : n) < 0)
			*error = "the line is longer than 65536 bytes";
	}
	return f->line >= *line;
}

static void rulefile_file(struct rulefile_reader *r, struct textfile *f, const char *name);

static void rulefile_include(struct rulefile_reader *r, const char *path, const char *from, int line, bool may_lack)
{
	struct textfile f;
	char error[512];

	if (may_lack && r->ask->may_open_files && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return;
	if (rulefile_open(r, &f, path, error, sizeof(error)) < 0) {
		rulefile_tell(r, from, line, error);
		return;
	}
	r->depth++;
	rulefile_file(r, &f, path);
	r->depth--;
	textfile_fini(&f);
}

static int rulefile_is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int rulefile_by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void rulefile_include_dir(struct rulefile_reader *r, const char *path, const char *from, int line)
{
	const char *name[RULEFILE_FILES_MAX];
	struct dirent *d;
	char error[512];
	size_t n = 0;
	DIR *dir = r->ask->may_open_files ? opendir(path) : NULL;

	if (dir == NULL) {
		snprintf(error, sizeof(error), "cannot open the directory \"%s\": %s", path,
			 r->ask->may_open_files ? strerrordesc_np(errno) : "no other file can be read here");
		rulefile_tell(r, from, line, error);
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		if (!rulefile_is_conf(d))
			continue;
		if (n == ARRAY_LEN(name)) {
			snprintf(error, sizeof(error), "the directory \"%s\" holds more than %d files", path,
				 RULEFILE_FILES_MAX);
			rulefile_tell(r, from, line, error);
			break;
		}
		name[n++] = strpool_addz(r->ask->texts, d->d_name);
	}
	closedir(dir);
	qsort(name, n, sizeof(*name), rulefile_by_name);
	for (size_t i = 0; i < n; i++) {
		struct buf file;

		buf_init(&file, 0);
		(void)buf_printf(&file, "%s/%s", path, name[i]);
		rulefile_include(r, strpool_addz(r->ask->texts, buf_text(&file)), from, line, false);
		buf_fini(&file);
	}
}

/* true: the line was an include */
static bool rulefile_directive(struct rulefile_reader *r, const struct rulefile_line *at)
{
	const struct rulefile_word *word = at->field[0].word;
	bool is_dir, may_lack, is_one;
	char *path;

	if (word->is_quoted || strncmp(word->text, "include", 7) != 0)
		return false;
	is_dir = strcmp(word->text, "include_dir") == 0;
	may_lack = strcmp(word->text, "include_if_exists") == 0;
	if (!is_dir && !may_lack && strcmp(word->text, "include") != 0)
		return false;
	is_one = at->fields == 2 && at->field[0].words == 1 && at->field[1].words == 1;
	if (!is_one || at->field[1].word->text[0] == '\0') {
		rulefile_tell(r, at->file, at->line, "an include takes exactly one name");
		return true;
	}
	path = rulefile_path(r, at->file, at->field[1].word->text);
	if (is_dir)
		rulefile_include_dir(r, path, at->file, at->line);
	else
		rulefile_include(r, path, at->file, at->line, may_lack);
	return true;
}

static void rulefile_file(struct rulefile_reader *r, struct textfile *f, const char *name)
{
	struct rulefile_line at = {.file = name};
	struct buf text;

	buf_init(&text, RULEFILE_LINE_MAX);
	while (rulefile_next(f, &text, &at.line, &at.error)) {
		struct rulewords words;

		rulewords_init(&words);
		if (at.error == NULL)
			at.error = rulewords_read(r, &words, buf_text(&text), name);
		rulewords_give(&words, &at);
		/* a broken include is no include: what it would have brought is not known */
		if (at.error != NULL || (at.fields > 0 && !rulefile_directive(r, &at)))
			r->ask->on_line(r->ask->arg, &at);
		rulewords_fini(&words);
	}
	buf_fini(&text);
}

/* @name: all words of the file */
const char *rulefile_words_of(struct rulefile_reader *r, struct rulewords *words, const char *name, const char *from)
{
	const char *path = rulefile_path(r, from, name), *error = NULL;
	struct textfile f;
	struct buf text;
	int line;

	if (rulefile_open(r, &f, path, r->error, sizeof(r->error)) < 0)
		return r->error;
	r->depth++;
	buf_init(&text, RULEFILE_LINE_MAX);
	while (error == NULL && rulefile_next(&f, &text, &line, &error))
		if (error == NULL)
			error = rulewords_read_list(r, words, buf_text(&text), path);
	buf_fini(&text);
	r->depth--;
	textfile_fini(&f);
	return error;
}

int rulefile_read(const struct rulefile_ask *ask, const char *path, char *error, size_t size)
{
	struct rulefile_reader r = {.ask = ask};
	struct textfile f;

	if (rulefile_open(&r, &f, path, error, size) < 0)
		return -1;
	rulefile_file(&r, &f, strpool_addz(ask->texts, path));
	textfile_fini(&f);
	return 0;
}

void rulefile_read_bytes(const struct rulefile_ask *ask, const void *p, size_t n, const char *name)
{
	struct rulefile_reader r = {.ask = ask, .files = 1};
	struct textfile f;

	textfile_open_bytes(&f, p, n);
	rulefile_file(&r, &f, strpool_addz(ask->texts, name));
	textfile_fini(&f);
}
