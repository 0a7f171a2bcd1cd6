/*
 * rulewords.c - the words of a line of rules.
 */
#include "base/mem.h"
#include "conf/rulefile_impl.h"
#include "conf/textfile.h"

#include <string.h>

void rulewords_init(struct rulewords *w)
{
	*w = (struct rulewords){.words = 0};
}

void rulewords_fini(struct rulewords *w)
{
	mem_free(w->word);
	mem_free(w->end);
	mem_free(w->field);
}

static void rulewords_add(struct rulewords *w, const char *text, bool is_quoted)
{
	if (w->words == w->words_cap) {
		w->words_cap = w->words_cap ? w->words_cap * 2 : 16;
		w->word = mem_realloc(w->word, w->words_cap * sizeof(*w->word));
	}
	w->word[w->words++] = (struct rulefile_word){text, is_quoted};
}

static void rulewords_end_field(struct rulewords *w)
{
	if (w->ends == w->ends_cap) {
		w->ends_cap = w->ends_cap ? w->ends_cap * 2 : 8;
		w->end = mem_realloc(w->end, w->ends_cap * sizeof(*w->end));
	}
	w->end[w->ends++] = w->words;
}

void rulewords_give(struct rulewords *w, struct rulefile_line *at)
{
	size_t from = 0;

	w->field = mem_alloc((w->ends + 1) * sizeof(*w->field));
	for (size_t i = 0; i < w->ends; i++) {
		w->field[i] = (struct rulefile_field){&w->word[from], w->end[i] - from};
		from = w->end[i];
	}
	at->field = w->field;
	at->fields = w->ends;
}

static const char *rulewords_skip_blanks(const char *p)
{
	while (textfile_is_blank(*p))
		p++;
	return p;
}

static bool rulewords_is_end(char c)
{
	return c == '\0' || c == '#';
}

/* One word at *at, which is none of blank, comma, # and end.  NULL or what is wrong. */
static const char *rulewords_word(struct rulefile_reader *r, const char **at, struct rulefile_word *out)
{
	const char *p = *at;
	bool in_quotes = false;
	struct buf text;

	buf_init(&text, RULEFILE_LINE_MAX);
	out->is_quoted = *p == '"';
	for (; *p != '\0'; p++) {
		if (in_quotes && p[0] == '"' && p[1] == '"')
			(void)buf_append_u8(&text, (uint8_t)*p++);
		else if (*p == '"')
			in_quotes = !in_quotes;
		else if (!in_quotes && (textfile_is_blank(*p) || *p == ',' || *p == '#'))
			break;
		else
			(void)buf_append_u8(&text, (uint8_t)*p);
	}
	out->text = strpool_add(r->ask->texts, (const char *)text.data, text.len);
	buf_fini(&text);
	*at = p;
	return in_quotes ? "a double quote is not closed" : NULL;
}

/* One word or what @file stands for. */
static const char *rulewords_item(struct rulefile_reader *r, struct rulewords *w, const char **at, const char *file)
{
	struct rulefile_word word;
	const char *error;

	if (**at == ',')
		return "a word is missing before the comma";
	error = rulewords_word(r, at, &word);
	if (error != NULL)
		return error;
	if (!word.is_quoted && word.text[0] == '@' && word.text[1] != '\0')
		return rulefile_words_of(r, w, word.text + 1, file);
	rulewords_add(w, word.text, word.is_quoted);
	return NULL;
}

/* Words with commas between them. */
static const char *rulewords_field(struct rulefile_reader *r, struct rulewords *w, const char **at, const char *file)
{
	const char *error;

	for (;;) {
		error = rulewords_item(r, w, at, file);
		if (error != NULL)
			return error;
		*at = rulewords_skip_blanks(*at);
		if (**at != ',')
			return NULL;
		*at = rulewords_skip_blanks(*at + 1);
		if (rulewords_is_end(**at))
			return "a word is missing behind the comma";
	}
}

const char *rulewords_read(struct rulefile_reader *r, struct rulewords *w, const char *text, const char *file)
{
	const char *at = rulewords_skip_blanks(text), *error;

	while (!rulewords_is_end(*at)) {
		size_t before = w->words;

		error = rulewords_field(r, w, &at, file);
		if (error == NULL && w->words == before)
			error = "the file after @ names nothing";
		if (error != NULL) {
			w->words = before; /* a field that is not whole is not there */
			return error;
		}
		rulewords_end_field(w);
	}
	return NULL;
}

const char *rulewords_read_list(struct rulefile_reader *r, struct rulewords *w, const char *text, const char *file)
{
	const char *at = rulewords_skip_blanks(text), *error;

	/* a comma may end a line here, or stand for itself between names */
	while (!rulewords_is_end(*at)) {
		if (*at != ',') {
			error = rulewords_item(r, w, &at, file);
			if (error != NULL)
				return error;
		} else {
			at++;
		}
		at = rulewords_skip_blanks(at);
	}
	return NULL;
}
