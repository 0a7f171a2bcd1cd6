/*
 * pattern_parse.c - from the text of a pattern to its program.
 *
 * Code is written as it is read; what is repeated is copied, so a pattern that would
 * grow beyond PATTERN_CODE_MAX is refused.  Everything we do not know is an error:
 * a rule of access must not mean something else than its author thinks.
 */
#include "base/pattern_impl.h"

#include <string.h>

#define PATTERN_DEPTH_MAX  100 /* parentheses and alternatives inside each other */
#define PATTERN_REPEAT_MAX 255 /* PostgreSQL's bound */

struct pattern_reader {
	struct pattern *p;
	const char *at;
	const char *error;
	unsigned depth;
	bool is_group_open; /* the first parentheses have been met */
};

static bool pattern_bad(struct pattern_reader *r, const char *error)
{
	if (r->error == NULL)
		r->error = error;
	return false;
}

static bool pattern_emit(struct pattern_reader *r, enum pattern_op op, size_t x, size_t y)
{
	if (r->p->codes >= PATTERN_CODE_MAX - 1)
		return pattern_bad(r, "the regular expression is too complex");
	r->p->code[r->p->codes++] = (struct pattern_code){.op = (uint8_t)op, .x = (int16_t)x, .y = (int16_t)y};
	return true;
}

/* Puts a SPLIT before the code that begins at start. */
static bool pattern_insert_split(struct pattern_reader *r, size_t start, size_t x, size_t y)
{
	struct pattern *p = r->p;

	if (!pattern_emit(r, PATTERN_SPLIT, 0, 0))
		return false;
	memmove(&p->code[start + 1], &p->code[start], (p->codes - 1 - start) * sizeof(*p->code));
	p->code[start] = (struct pattern_code){.op = PATTERN_SPLIT, .x = (int16_t)x, .y = (int16_t)y};
	return true;
}

static bool pattern_emit_class(struct pattern_reader *r, const struct pattern_class *c)
{
	struct pattern *p = r->p;
	size_t i = 0;

	while (i < p->classes && memcmp(&p->class[i], c, sizeof(*c)) != 0)
		i++;
	if (i == PATTERN_CLASSES_MAX - 1)
		return pattern_bad(r, "the regular expression is too complex");
	if (i == p->classes)
		p->class[p->classes++] = *c;
	return pattern_emit(r, PATTERN_CLASS, i, 0);
}

static void pattern_class_add(struct pattern_class *c, uint8_t from, uint8_t to)
{
	for (unsigned b = from; b <= to; b++)
		c->bit[b >> 3] |= (uint8_t)(1u << (b & 7));
}

static void pattern_class_remove(struct pattern_class *c, const struct pattern_class *what)
{
	for (size_t i = 0; i < sizeof(c->bit); i++)
		c->bit[i] &= (uint8_t)~what->bit[i];
}

/* Any character but those ASCII ones that what names: one byte, or the begin of a longer character and the rest of it. */
static bool pattern_emit_other(struct pattern_reader *r, const struct pattern_class *what)
{
	struct pattern_class first = {{0}}, rest = {{0}};

	pattern_class_add(&first, 1, 0x7f);
	pattern_class_add(&first, 0xc0, 0xff);
	pattern_class_remove(&first, what);
	pattern_class_add(&rest, 0x80, 0xbf);
	return pattern_emit_class(r, &first) && pattern_emit(r, PATTERN_SPLIT, 1, 3) && pattern_emit_class(r, &rest) &&
	       pattern_emit(r, PATTERN_JUMP, (size_t)-2, 0);
}

static const struct {
	const char *name;
	const char *ranges; /* pairs of first and last */
} pattern_named[] = {
	{"alpha", "AZaz"}, {"digit", "09"},	     {"alnum", "AZaz09"}, {"upper", "AZ"},	   {"lower", "az"},
	{"space", "\t\r  "}, {"blank", "\t\t  "},    {"xdigit", "09AFaf"}, {"punct", "!/:@[`{~"}, {"word", "AZaz09__"},
	{"print", " ~"},   {"graph", "!~"},	     {"cntrl", "\x01\x1f\x7f\x7f"},
};

static bool pattern_class_add_named(struct pattern_class *c, const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(pattern_named); i++) {
		if (strlen(pattern_named[i].name) != n || memcmp(pattern_named[i].name, name, n) != 0)
			continue;
		for (const char *p = pattern_named[i].ranges; *p != '\0'; p += 2)
			pattern_class_add(c, (uint8_t)p[0], (uint8_t)p[1]);
		return true;
	}
	return false;
}

/* \d \w \s as a class; false: c is none of them */
static bool pattern_class_add_letter(struct pattern_class *c, char letter)
{
	const char *name = letter == 'd' ? "digit" : letter == 'w' ? "word" : letter == 's' ? "space" : NULL;

	return name != NULL && pattern_class_add_named(c, name, strlen(name));
}

static bool pattern_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* behind the backslash: a single character that it stands for */
static bool pattern_escaped(struct pattern_reader *r, char *out)
{
	char c = *r->at;

	if (c == '\0')
		return pattern_bad(r, "a backslash ends the regular expression");
	if (c >= '0' && c <= '9')
		return pattern_bad(r, "back references are not supported inside a regular expression");
	if (c == 't' || c == 'n' || c == 'r')
		*out = c == 't' ? '\t' : c == 'n' ? '\n' : '\r';
	else if (pattern_is_alnum(c))
		return pattern_bad(r, "this escape is not supported in a regular expression");
	else
		*out = c;
	r->at++;
	return true;
}

/* one character inside brackets; *is_class: it stood for several, which have been added */
static bool pattern_read_member(struct pattern_reader *r, struct pattern_class *c, char *out, bool *is_class)
{
	*is_class = false;
	if (r->at[0] == '[' && (r->at[1] == '.' || r->at[1] == '='))
		return pattern_bad(r, "[. and [= are not supported in a regular expression");
	if (r->at[0] == '[' && r->at[1] == ':') {
		const char *end = strstr(r->at + 2, ":]");

		if (end == NULL || !pattern_class_add_named(c, r->at + 2, (size_t)(end - r->at - 2)))
			return pattern_bad(r, "unknown class of characters in a regular expression");
		r->at = end + 2;
		*is_class = true;
		return true;
	}
	if ((uint8_t)*r->at >= 0x80)
		return pattern_bad(r, "only ASCII characters are supported in brackets of a regular expression");
	if (*r->at != '\\') {
		*out = *r->at++;
		return true;
	}
	r->at++;
	*is_class = pattern_class_add_letter(c, *r->at);
	if (*is_class)
		r->at++;
	return *is_class || pattern_escaped(r, out);
}

static bool pattern_read_range(struct pattern_reader *r, struct pattern_class *c)
{
	char from, to;
	bool is_class;

	if (!pattern_read_member(r, c, &from, &is_class))
		return false;
	if (is_class)
		return true;
	to = from;
	if (r->at[0] == '-' && r->at[1] != ']') {
		r->at++;
		if (!pattern_read_member(r, c, &to, &is_class))
			return false;
		if (is_class || (uint8_t)to < (uint8_t)from)
			return pattern_bad(r, "invalid range of characters in a regular expression");
	}
	pattern_class_add(c, (uint8_t)from, (uint8_t)to);
	return true;
}

static bool pattern_read_brackets(struct pattern_reader *r)
{
	struct pattern_class c = {{0}};
	bool is_negated = *r->at == '^', is_first = true;

	if (is_negated)
		r->at++;
	while (is_first || *r->at != ']') {
		if (*r->at == '\0')
			return pattern_bad(r, "brackets [ ] are not closed in a regular expression");
		if (!pattern_read_range(r, &c))
			return false;
		is_first = false;
	}
	r->at++;
	return is_negated ? pattern_emit_other(r, &c) : pattern_emit_class(r, &c);
}

static bool pattern_read_any_of(struct pattern_reader *r);

static bool pattern_read_group(struct pattern_reader *r)
{
	bool is_first = false;

	if (r->at[0] == '?') {
		if (r->at[1] != ':')
			return pattern_bad(r, "(? is supported as (?: only in a regular expression");
		r->at += 2;
	} else if (!r->is_group_open) {
		is_first = r->is_group_open = r->p->has_group = true;
	}
	if (++r->depth > PATTERN_DEPTH_MAX)
		return pattern_bad(r, "the regular expression is too complex");
	if (is_first && !pattern_emit(r, PATTERN_OPEN, 0, 0))
		return false;
	if (!pattern_read_any_of(r))
		return false;
	if (*r->at != ')')
		return pattern_bad(r, "parentheses ( ) are not closed in a regular expression");
	r->at++;
	r->depth--;
	return !is_first || pattern_emit(r, PATTERN_CLOSE, 0, 0);
}

static bool pattern_read_escape(struct pattern_reader *r)
{
	struct pattern_class c = {{0}};
	char letter = *r->at, one;

	if (letter == 'A' || letter == 'Z') {
		r->at++;
		return pattern_emit(r, letter == 'A' ? PATTERN_BEGIN : PATTERN_END, 0, 0);
	}
	if (pattern_class_add_letter(&c, letter)) {
		r->at++;
		return pattern_emit_class(r, &c);
	}
	if ((letter == 'D' || letter == 'W' || letter == 'S') && pattern_class_add_letter(&c, (char)(letter + 32))) {
		r->at++;
		return pattern_emit_other(r, &c);
	}
	if (!pattern_escaped(r, &one))
		return false;
	pattern_class_add(&c, (uint8_t)one, (uint8_t)one);
	return pattern_emit_class(r, &c);
}

/* what a quantifier can follow; a character of several bytes is one such thing */
static bool pattern_read_atom(struct pattern_reader *r)
{
	struct pattern_class c = {{0}};
	uint8_t byte = (uint8_t)*r->at++;

	switch (byte) {
	case '(':
		return pattern_read_group(r);
	case '[':
		return pattern_read_brackets(r);
	case '.':
		return pattern_emit_other(r, &c);
	case '^':
		return pattern_emit(r, PATTERN_BEGIN, 0, 0);
	case '$':
		return pattern_emit(r, PATTERN_END, 0, 0);
	case '\\':
		return pattern_read_escape(r);
	case '*':
	case '+':
	case '?':
		return pattern_bad(r, "nothing stands before *, + or ? in a regular expression");
	}
	pattern_class_add(&c, byte, byte);
	if (!pattern_emit_class(r, &c))
		return false;
	if (byte >= 0xc0 && ((uint8_t)*r->at & 0xc0) == 0x80)
		return pattern_read_atom(r);
	return byte < 0x80 || ((uint8_t)*r->at & 0xc0) != 0x80 || pattern_read_atom(r);
}

static bool pattern_read_count(struct pattern_reader *r, unsigned *out)
{
	*out = 0;
	if (*r->at < '0' || *r->at > '9')
		return pattern_bad(r, "{ } does not hold a count in a regular expression");
	while (*r->at >= '0' && *r->at <= '9') {
		*out = *out * 10 + (unsigned)(*r->at++ - '0');
		if (*out > PATTERN_REPEAT_MAX)
			return pattern_bad(r, "the count in { } is greater than 255 in a regular expression");
	}
	return true;
}

#define PATTERN_ENDLESS UINT32_MAX

/* a quantifier, if there is one; *max 0 and *min 1: none */
static bool pattern_read_quantifier(struct pattern_reader *r, unsigned *min, unsigned *max)
{
	char c = *r->at;

	*min = c == '*' || c == '?' ? 0 : 1;
	*max = c == '?' ? 1 : c == '*' || c == '+' ? PATTERN_ENDLESS : 0;
	if (*max != 0) {
		r->at++;
		return true;
	}
	if (c != '{' || r->at[1] < '0' || r->at[1] > '9')
		return true;
	r->at++;
	if (!pattern_read_count(r, min))
		return false;
	*max = *min;
	if (*r->at == ',') {
		r->at++;
		*max = PATTERN_ENDLESS;
		if (*r->at != '}' && !pattern_read_count(r, max))
			return false;
	}
	if (*r->at++ != '}' || *max < *min || *max == 0)
		return pattern_bad(r, "invalid { } in a regular expression");
	return true;
}

static bool pattern_copy(struct pattern_reader *r, const struct pattern_code *code, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!pattern_emit(r, code[i].op, (size_t)code[i].x, (size_t)code[i].y))
			return false;
	return true;
}

/* x? or x* at the end of the code, x being the last n instructions */
static bool pattern_make_optional(struct pattern_reader *r, size_t n, bool is_endless, bool is_lazy)
{
	size_t start = r->p->codes - n, over = n + 1 + (is_endless ? 1 : 0);

	if (!pattern_insert_split(r, start, is_lazy ? over : 1, is_lazy ? 1 : over))
		return false;
	return !is_endless || pattern_emit(r, PATTERN_JUMP, (size_t)0 - (n + 1), 0);
}

/* the last n instructions min to max times */
static bool pattern_repeat(struct pattern_reader *r, size_t n, unsigned min, unsigned max, bool is_lazy)
{
	struct pattern_code piece[PATTERN_CODE_MAX];
	unsigned optional = max == PATTERN_ENDLESS ? 1 : max - min;

	memcpy(piece, &r->p->code[r->p->codes - n], n * sizeof(*piece));
	r->p->codes -= n;
	for (unsigned i = 0; i < min; i++)
		if (!pattern_copy(r, piece, n))
			return false;
	for (unsigned i = 0; i < optional; i++)
		if (!pattern_copy(r, piece, n) || !pattern_make_optional(r, n, max == PATTERN_ENDLESS, is_lazy))
			return false;
	return true;
}

static bool pattern_read_piece(struct pattern_reader *r)
{
	size_t start = r->p->codes;
	unsigned min, max;
	bool is_lazy;

	if (!pattern_read_atom(r) || !pattern_read_quantifier(r, &min, &max))
		return false;
	if (max == 0)
		return true;
	is_lazy = *r->at == '?';
	if (is_lazy)
		r->at++;
	if (*r->at == '*' || *r->at == '+' || *r->at == '?')
		return pattern_bad(r, "two quantifiers follow each other in a regular expression");
	return pattern_repeat(r, r->p->codes - start, min, max, is_lazy);
}

/* branches between | */
static bool pattern_read_any_of(struct pattern_reader *r)
{
	struct pattern *p = r->p;
	size_t start = p->codes, jump;

	while (*r->at != '\0' && *r->at != '|' && *r->at != ')')
		if (!pattern_read_piece(r))
			return false;
	if (*r->at != '|')
		return true;
	r->at++;
	if (++r->depth > PATTERN_DEPTH_MAX)
		return pattern_bad(r, "the regular expression is too complex");
	if (!pattern_insert_split(r, start, 1, p->codes - start + 2) || !pattern_emit(r, PATTERN_JUMP, 0, 0))
		return false;
	jump = p->codes - 1;
	if (!pattern_read_any_of(r))
		return false;
	p->code[jump].x = (int16_t)(p->codes - jump);
	r->depth--;
	return true;
}

int pattern_parse_text(struct pattern *p, const char *text, const char **error)
{
	struct pattern_reader r = {.p = p, .at = text};

	if (strnlen(text, PATTERN_TEXT_MAX + 1) > PATTERN_TEXT_MAX)
		(void)pattern_bad(&r, "the regular expression is longer than 1024 bytes");
	else if (strncmp(text, "***", 3) == 0)
		(void)pattern_bad(&r, "*** is not supported in a regular expression");
	else if (pattern_read_any_of(&r) && *r.at == ')')
		(void)pattern_bad(&r, "parentheses ( ) are not opened in a regular expression");
	else if (r.error == NULL)
		p->code[p->codes++] = (struct pattern_code){.op = PATTERN_FOUND};
	if (r.error != NULL)
		*error = r.error;
	return r.error != NULL ? -1 : 0;
}
