/*
 * ident.c - auth_ident_file: user name maps.
 */
#include "conf/ident.h"

#include "base/mem.h"
#include "conf/rulefile.h"

#include <stdatomic.h>
#include <string.h>

struct ident_reader {
	struct ident *ident;
	struct conf_report *report;
	bool is_lenient;
};

static struct ident *ident_new(void)
{
	struct ident *i = mem_zalloc(sizeof(*i));

	atomic_init(&i->refs, 1);
	return i;
}

struct ident *ident_ref(struct ident *i)
{
	if (i != NULL)
		atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
	return i;
}

void ident_unref(struct ident *i)
{
	if (i == NULL || atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t n = 0; n < i->lines; n++) {
		pattern_free(i->line[n].system.pattern);
		pattern_free(i->line[n].user.pattern);
	}
	mem_free(i->line);
	strpool_fini(&i->texts);
	mem_free(i);
}

bool ident_has_map(const struct ident *i, const char *map)
{
	for (size_t n = 0; i != NULL && n < i->lines; n++)
		if (strcmp(i->line[n].map, map) == 0)
			return true;
	return false;
}

static const char *ident_pattern(struct ident *i, struct ident_name *name)
{
	const char *error = NULL;

	name->kind = IDENT_PATTERN;
	name->pattern = pattern_new(name->text, &error);
	if (name->pattern == NULL)
		return error;
	i->cost += pattern_cost(name->pattern);
	return i->cost > IDENT_COST_MAX ? "all regular expressions of the file together are too complex" : NULL;
}

static const char *ident_system(struct ident *i, struct ident_name *name, const struct rulefile_word *word)
{
	*name = (struct ident_name){.kind = IDENT_EXACT, .text = word->text};
	if (word->text[0] != '/')
		return word->text[0] == '\0' ? "the system's user name is empty" : NULL;
	name->text++;
	return ident_pattern(i, name);
}

static const char *ident_user(
	struct ident *i, struct ident_name *name, const struct rulefile_word *word, const struct ident_name *system)
{
	const char *part = strstr(word->text, "\\1");

	*name = (struct ident_name){.kind = IDENT_EXACT, .text = word->text};
	if (!word->is_quoted && strcmp(word->text, "all") == 0) {
		name->kind = IDENT_ALL;
	} else if (!word->is_quoted && word->text[0] == '+' && word->text[1] != '\0') {
		name->kind = IDENT_ROLE;
		name->text++;
		i->needs_roles = true;
	} else if (word->text[0] == '/') {
		name->text++;
		return ident_pattern(i, name);
	} else if (system->kind == IDENT_PATTERN && part != NULL) {
		name->kind = IDENT_PARTS;
		name->part = (size_t)(part - word->text);
		if (!pattern_has_group(system->pattern))
			return "\\1 needs parentheses in the regular expression of the system's user name";
	}
	return word->text[0] == '\0' ? "the user name is empty" : NULL;
}

static const char *ident_parse(struct ident *i, struct ident_line *l, const struct rulefile_line *at)
{
	const char *error;

	if (at->error != NULL)
		return at->error;
	if (at->fields != 3)
		return "expected a map, the system's user name and a user";
	for (size_t f = 0; f < 3; f++)
		if (at->field[f].words != 1)
			return "a list is not possible here: write one line for each name";
	if (at->field[0].word->text[0] == '\0')
		return "the name of the map is empty";
	l->map = at->field[0].word->text;
	error = ident_system(i, &l->system, at->field[1].word);
	return error != NULL ? error : ident_user(i, &l->user, at->field[2].word, &l->system);
}

static void ident_on_line(void *arg, const struct rulefile_line *at)
{
	struct ident_reader *r = arg;
	struct ident *i = r->ident;
	struct ident_line l = {.file = at->file, .line = at->line};
	const char *error = ident_parse(i, &l, at);

	if (error == NULL) {
		if (i->lines == i->cap) {
			i->cap = i->cap ? i->cap * 2 : 16;
			i->line = mem_realloc(i->line, i->cap * sizeof(*i->line));
		}
		i->line[i->lines++] = l;
		return;
	}
	pattern_free(l.system.pattern);
	pattern_free(l.user.pattern);
	if (r->is_lenient)
		conf_report_warning(r->report, at->file, at->line, "%s; the line permits nothing", error);
	else
		conf_report_error(r->report, at->file, at->line, "%s", error);
}

struct ident *ident_read(const char *path, bool is_lenient, struct conf_report *report, char *error, size_t size)
{
	struct ident_reader r = {.ident = ident_new(), .report = report, .is_lenient = is_lenient};
	struct rulefile_ask ask = {
		.texts = &r.ident->texts, .on_line = ident_on_line, .arg = &r, .may_open_files = true};

	if (rulefile_read(&ask, path, error, size) == 0)
		return r.ident;
	ident_unref(r.ident);
	return NULL;
}

struct ident *ident_read_bytes(const void *p, size_t n, const char *name, bool is_lenient, struct conf_report *report)
{
	struct ident_reader r = {.ident = ident_new(), .report = report, .is_lenient = is_lenient};
	struct rulefile_ask ask = {.texts = &r.ident->texts, .on_line = ident_on_line, .arg = &r};

	rulefile_read_bytes(&ask, p, n, name);
	return r.ident;
}
