/*
 * adminparse.c - one line of the console to a verb and its arguments.
 */
#include "admin/adminparse.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum adminparse_token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_EQUALS, TOKEN_BAD };

struct adminparse_lexer {
	const char *p, *end;
	struct adminparse *out;
};

static enum adminparse_token adminparse_fail(struct adminparse *out, const char *sentence)
{
	(void)str_copy(out->error, sizeof(out->error), sentence);
	return TOKEN_BAD;
}

static bool adminparse_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool adminparse_is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '.' || c == '-' || c == '$' || c == '@' || (c & 0x80) != 0;
}

static bool adminparse_at(const struct adminparse_lexer *l, const char *two)
{
	return l->end - l->p >= 2 && l->p[0] == two[0] && l->p[1] == two[1];
}

/* blanks and comments; false: a comment has no end */
static bool adminparse_skip(struct adminparse_lexer *l)
{
	while (l->p < l->end) {
		if (adminparse_is_blank(*l->p)) {
			l->p++;
		} else if (adminparse_at(l, "--")) {
			while (l->p < l->end && *l->p != '\n')
				l->p++;
		} else if (adminparse_at(l, "/*")) {
			for (l->p += 2; l->p < l->end && !adminparse_at(l, "*/"); l->p++)
				;
			if (l->p >= l->end)
				return false;
			l->p += 2;
		} else {
			return true;
		}
	}
	return true;
}

static enum adminparse_token adminparse_quoted(struct adminparse_lexer *l, char *out, size_t size)
{
	char quote = *l->p++;
	size_t n = 0;

	for (;; l->p++) {
		if (l->p >= l->end)
			return adminparse_fail(l->out, "quoted text has no end");
		if (*l->p == quote) {
			if (!(l->end - l->p >= 2 && l->p[1] == quote))
				break;
			l->p++; /* doubled: stands for itself */
		}
		if (*l->p == '\0' || n + 1 >= size)
			return adminparse_fail(l->out, "argument is too long, or has a NUL in it");
		out[n++] = *l->p;
	}
	l->p++;
	out[n] = '\0';
	return quote == '"' ? TOKEN_QUOTED : TOKEN_STRING;
}

/* is_value: whatever stands there up to a blank or semicolon */
static enum adminparse_token adminparse_next(
	struct adminparse_lexer *l, bool is_value, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	if (!adminparse_skip(l))
		return adminparse_fail(l->out, "comment has no end");
	if (l->p >= l->end || *l->p == ';')
		return TOKEN_END;
	if (*l->p == '"' || *l->p == '\'')
		return adminparse_quoted(l, out, size);
	if (*l->p == '=' && !is_value) {
		l->p++;
		return TOKEN_EQUALS;
	}
	while (l->p < l->end && !adminparse_at(l, "--") &&
		(is_value ? !adminparse_is_blank(*l->p) && *l->p != ';' && *l->p != '\0' && *l->p != '\'' &&
					*l->p != '"'
			  : adminparse_is_word(*l->p))) {
		if (n + 1 >= size)
			return adminparse_fail(l->out, "word is too long");
		out[n++] = *l->p++;
	}
	out[n] = '\0';
	return n > 0 ? TOKEN_WORD : adminparse_fail(l->out, "syntax error");
}

/* nothing but semicolons may follow */
static int adminparse_end(struct adminparse_lexer *l)
{
	do {
		if (!adminparse_skip(l)) {
			(void)adminparse_fail(l->out, "comment has no end");
			return -1;
		}
		if (l->p >= l->end)
			return 0;
	} while (*l->p == ';' && l->p++ < l->end);
	(void)adminparse_fail(l->out, "one command at a time, use SHOW HELP;");
	return -1;
}

static void adminparse_upper(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'a' && *s <= 'z')
			*s = (char)(*s - 'a' + 'A');
}

static int adminparse_set(struct adminparse_lexer *l)
{
	static const char usage[] = "usage: SET key = value";
	struct adminparse *out = l->out;
	char word[ADMINPARSE_ARG_MAX + 1];
	enum adminparse_token t = adminparse_next(l, false, out->arg[0], sizeof(out->arg[0]));

	if (t != TOKEN_WORD && t != TOKEN_QUOTED) {
		(void)adminparse_fail(out, usage);
		return -1;
	}
	out->args = 1;
	t = adminparse_next(l, false, word, sizeof(word));
	if (t != TOKEN_EQUALS && !(t == TOKEN_WORD && str_is_equal_nocase(word, "to"))) {
		(void)adminparse_fail(out, usage);
		return -1;
	}
	t = adminparse_next(l, true, out->value, sizeof(out->value));
	if (t == TOKEN_END)
		(void)adminparse_fail(out, usage);
	if (t == TOKEN_END || t == TOKEN_BAD)
		return -1;
	out->has_value = true;
	return adminparse_end(l);
}

int adminparse_command(const char *text, size_t n, struct adminparse *out)
{
	struct adminparse_lexer l = {.p = text, .end = text + n, .out = out};
	char spare[ADMINPARSE_ARG_MAX + 1];
	enum adminparse_token t;

	memset(out, 0, sizeof(*out));
	t = adminparse_next(&l, false, out->verb, sizeof(out->verb));
	if (t != TOKEN_WORD) {
		if (out->error[0] == '\0')
			(void)adminparse_fail(out, "invalid command '', use SHOW HELP;");
		return -1;
	}
	adminparse_upper(out->verb);
	if (strcmp(out->verb, "SET") == 0)
		return adminparse_set(&l);
	for (;;) {
		bool is_over = out->args == ADMINPARSE_ARGS;

		t = adminparse_next(&l, false, is_over ? spare : out->arg[out->args], sizeof(spare));
		if (t == TOKEN_END)
			return adminparse_end(&l);
		if (t == TOKEN_BAD)
			return -1;
		if (is_over || t == TOKEN_EQUALS) {
			(void)adminparse_fail(out, "syntax error, use SHOW HELP;");
			return -1;
		}
		out->args++;
	}
}

int adminparse_id(const char *text, uint64_t *out)
{
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned base = is_hex ? 16 : 10;
	uint64_t v = 0;

	if (is_hex)
		text += 2;
	for (; *text != '\0'; text++) {
		unsigned digit;

		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			digit = (unsigned)(*text - 'a') + 10;
		else if (*text >= 'A' && *text <= 'F')
			digit = (unsigned)(*text - 'A') + 10;
		else
			return -1;
		if (digit >= base || v > (UINT64_MAX - digit) / base)
			return -1;
		v = v * base + digit;
	}
	if (v == 0)
		return -1;
	*out = v;
	return 0;
}

int adminparse_seconds(const char *text, double *out)
{
	double v = 0, unit = 1;
	bool saw_digit = false, saw_dot = false;

	for (; *text != '\0'; text++) {
		if (*text == '.' && !saw_dot) {
			saw_dot = true;
			continue;
		}
		if (*text < '0' || *text > '9')
			return -1;
		saw_digit = true;
		if (saw_dot)
			v += (*text - '0') * (unit /= 10);
		else
			v = v * 10 + (*text - '0');
	}
	if (!saw_digit || v > 315360000)
		return -1;
	*out = v;
	return 0;
}
