/*
 * requireauth.c - reads libpq's require_auth.
 */
#include "conf/requireauth.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	unsigned bit;
} requireauth_words[] = {
	{"password", REQUIREAUTH_PASSWORD}, {"md5", REQUIREAUTH_MD5},   {"gss", REQUIREAUTH_GSS},
	{"sspi", REQUIREAUTH_SSPI},	    {"scram-sha-256", REQUIREAUTH_SCRAM}, {"none", REQUIREAUTH_NONE},
};

static unsigned requireauth_bit(const char *word, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(requireauth_words); i++)
		if (strlen(requireauth_words[i].word) == n && memcmp(requireauth_words[i].word, word, n) == 0)
			return requireauth_words[i].bit;
	return 0;
}

static int requireauth_bad(char *error, const char *why, const char *word, size_t n)
{
	snprintf(error, REQUIREAUTH_ERROR_MAX, "require_auth: \"%.*s\" %s", n < 40 ? (int)n : 40, word, why);
	return -1;
}

int requireauth_parse(const char *text, unsigned *may, char error[REQUIREAUTH_ERROR_MAX])
{
	unsigned seen = 0;
	bool is_first = true, is_negative = false;

	*may = REQUIREAUTH_ALL;
	if (text[0] == '\0')
		return 0;
	for (;; text++) {
		size_t blanks = strspn(text, " \t"), n, bare;
		bool is_not;
		unsigned bit;

		text += blanks;
		n = bare = strcspn(text, ",");
		while (bare > 0 && (text[bare - 1] == ' ' || text[bare - 1] == '\t'))
			bare--;
		is_not = text[0] == '!';
		bit = requireauth_bit(text + is_not, bare - is_not);
		if (bit == 0)
			return requireauth_bad(error,
				"is none of password, md5, gss, sspi, scram-sha-256, none (each with or without !)", text, bare);
		if ((seen & bit) != 0)
			return requireauth_bad(error, "stands there twice", text, bare);
		if (!is_first && is_not != is_negative)
			return requireauth_bad(error, "cannot be mixed: either all words have a ! or none has", text, bare);
		is_first = false;
		is_negative = is_not;
		seen |= bit;
		text += n;
		if (text[0] == '\0')
			break;
	}
	*may = is_negative ? REQUIREAUTH_ALL & ~seen : seen;
	if ((*may & REQUIREAUTH_OURS) != 0)
		return 0;
	snprintf(error, REQUIREAUTH_ERROR_MAX, "require_auth leaves no method that fynixpool has: no server could be logged in to");
	return -1;
}
