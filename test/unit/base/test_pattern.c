/* pattern: what matches, what the first group takes, what is refused, bounds, and the libc's opinion of the same */
#include "base/mem.h"
#include "base/pattern.h"
#include "base/rnd.h"
#include "test/unit/base/suite.h"

#include <regex.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *pattern, *subject;
	bool matches;
	const char *group; /* NULL: none */
} cases[] = {
	{"^(.*)@example\\.com$", "anna@example.com", true, "anna"},
	{"^(.*)@example\\.com$", "anna@example.comx", false, NULL},
	{"^(.*)@example\\.com$", "anna@exampleXcom", false, NULL},
	{"^(.*)@example\\.com$", "@example.com", true, ""},
	{"db", "mydb1", true, NULL},
	{"^db", "mydb1", false, NULL},
	{"", "anything", true, NULL},
	{"^$", "", true, NULL},
	{"^$", "x", false, NULL},
	{"^db\\d{2,4}$", "db1", false, NULL},
	{"^db\\d{2,4}$", "db12", true, NULL},
	{"^db\\d{2,4}$", "db1234", true, NULL},
	{"^db\\d{2,4}$", "db12345", false, NULL},
	{"^a{0,2}$", "", true, NULL},
	{"^a{0,2}$", "aa", true, NULL},
	{"^a{0,2}$", "aaa", false, NULL},
	{"^a{2,}$", "a", false, NULL},
	{"^a{2,}$", "aaaaa", true, NULL},
	{"^(a|b|cd)+$", "abcdba", true, "a"},
	{"^(a|b|cd)+$", "abc", false, NULL},
	{"^(?:x|y)(z*)$", "xzzz", true, "zzz"},
	{"^(a)?b$", "b", true, NULL},
	{"^(a+?)(a*)$", "aaa", true, "a"},
	{"^[[:alpha:]_][[:alnum:]_]*$", "_a1", true, NULL},
	{"^[[:alpha:]_][[:alnum:]_]*$", "1a", false, NULL},
	{"^[^@]+$", "abc", true, NULL},
	{"^[^@]+$", "a@c", false, NULL},
	{"^[]a]+$", "]a]", true, NULL},
	{"^[a\\]\\d-]+$", "a]7-", true, NULL},
	{"^\\w+\\s\\S+$", "ab cd", true, NULL},
	{"^\\W\\D$", "-x", true, NULL},
	{"^\\W\\D$", "-1", false, NULL},
	{"\\Aab\\Z", "ab", true, NULL},
	{"^a{$", "a{", true, NULL},
	{"^{$", "{", true, NULL},
	{"^(a*)*$", "aaa", true, "aaa"},
	{"^(a|)+$", "aa", true, "a"},
	{"^...$", "a\xc3\xbc\xe2\x82\xac", true, NULL}, /* three characters of one, two and three bytes */
	{"^..$", "a\xc3\xbc\xe2\x82\xac", false, NULL},
	{"^[^x]$", "\xc3\xbc", true, NULL},
	{"^\xc3\xbc+$", "\xc3\xbc\xc3\xbc", true, NULL},
	{"a|^b|c$", "xxc", true, NULL},
	{"^(ab|a)(bc)?$", "abc", true, "a"},
};

START_TEST(test_match)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *error = NULL;
		struct pattern *p = pattern_new(cases[i].pattern, &error);
		struct pattern_group group = {.from = NULL};
		enum pattern_result result;

		ck_assert_msg(p != NULL, "%s: %s", cases[i].pattern, error);
		result = pattern_match(p, cases[i].subject, &group);
		ck_assert_msg(result == (cases[i].matches ? PATTERN_YES : PATTERN_NO), "%s on %s", cases[i].pattern,
			      cases[i].subject);
		ck_assert_int_eq(pattern_match(p, cases[i].subject, NULL), result);
		if (cases[i].group == NULL)
			ck_assert_msg(group.from == NULL, "%s", cases[i].pattern);
		else
			ck_assert_msg(group.from != NULL && group.n == strlen(cases[i].group) &&
					      memcmp(group.from, cases[i].group, group.n) == 0,
				      "%s on %s took %.*s", cases[i].pattern, cases[i].subject, (int)group.n,
				      group.from ? group.from : "");
		pattern_free(p);
	}
}
END_TEST

START_TEST(test_refused)
{
	static const char *const bad[] = {
		"(",	  ")",	     "a)",     "(a",	 "[a",	   "[",	    "[]",     "*a",   "+",	  "a|*",  "a**",
		"a+*",	  "\\",	     "a\\1",   "(a)\\1", "\\y",	   "\\m",   "\\Q",    "(?=a)", "(?i)a",	  "(?!x)", "a{3,2}",
		"a{256}", "a{1",     "a{1x}",  "a{0}",	 "[b-a]",  "[[:x:]]", "[[.a.]]", "[[=a=]]", "[\xc3\xbc]", "[a-\\d]", "***:a",
	};
	char deep[400], longest[PATTERN_TEXT_MAX + 2];
	const char *error;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		error = NULL;
		ck_assert_msg(pattern_new(bad[i], &error) == NULL, "accepted: %s", bad[i]);
		ck_assert_msg(error != NULL && strlen(error) > 10, "%s", bad[i]);
	}
	memset(deep, '(', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	ck_assert_ptr_null(pattern_new(deep, &error));
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_ptr_null(pattern_new(longest, &error));
	longest[PATTERN_TEXT_MAX] = '\0';
	ck_assert_ptr_null(pattern_new(longest, &error)); /* more instructions than there may be */
	ck_assert_ptr_null(pattern_new("((a{200}){200}){200}", &error));
	ck_assert_ptr_null(pattern_new("(((((((((a|b){9}){9}){9}){9}){9}){9}){9}){9})", &error));
}
END_TEST

START_TEST(test_bounds)
{
	/* these take years where every way is tried by itself */
	static const char *const evil[] = {"^(a+)+$", "^(a|aa)+$", "^(a*)*b$", "(a?){150}a{150}", "(.*)(.*)(.*)(.*)(.*)x"};
	char subject[PATTERN_SUBJECT_MAX + 2];
	clock_t start = clock();
	const char *error;

	memset(subject, 'a', sizeof(subject));
	subject[PATTERN_SUBJECT_MAX] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		struct pattern *p = pattern_new(evil[i], &error);

		ck_assert_ptr_nonnull(p);
		subject[PATTERN_SUBJECT_MAX - 1] = '!';
		ck_assert_int_ne(pattern_match(p, subject, NULL), PATTERN_TOO_LONG);
		subject[PATTERN_SUBJECT_MAX - 1] = subject[PATTERN_SUBJECT_MAX] = 'a';
		subject[PATTERN_SUBJECT_MAX + 1] = '\0';
		ck_assert_int_eq(pattern_match(p, subject, NULL), PATTERN_TOO_LONG);
		subject[PATTERN_SUBJECT_MAX] = '\0';
		pattern_free(p);
	}
	ck_assert_msg(clock() - start < 2 * CLOCKS_PER_SEC, "%ld clocks", (long)(clock() - start));
}
END_TEST

static void make_pattern(struct rnd *r, char *out, unsigned depth)
{
	static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "c"};
	static const char *const counts[] = {"", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,2}"};
	unsigned pieces = 1 + (unsigned)rnd_below(r, 3);

	for (unsigned i = 0; i < pieces; i++) {
		if (depth > 0 && rnd_below(r, 3) == 0) {
			strcat(out, "(");
			make_pattern(r, out, depth - 1);
			if (rnd_below(r, 2) == 0) {
				strcat(out, "|");
				make_pattern(r, out, depth - 1);
			}
			strcat(out, ")");
		} else {
			strcat(out, atoms[rnd_below(r, ARRAY_LEN(atoms))]);
		}
		strcat(out, counts[rnd_below(r, ARRAY_LEN(counts))]);
	}
}

START_TEST(test_as_libc)
{
	struct rnd r;
	unsigned yes = 0, no = 0;

	rnd_seed(&r, 20);
	for (unsigned i = 0; i < 3000; i++) {
		char text[1024] = "", subject[12];
		const char *error = NULL;
		struct pattern *p;
		regex_t theirs;

		if (rnd_below(&r, 2))
			strcat(text, "^");
		make_pattern(&r, text, 2);
		if (rnd_below(&r, 2))
			strcat(text, "$");
		if (strlen(text) > 60)
			continue; /* the libc's time is not bounded */
		p = pattern_new(text, &error);
		ck_assert_msg(p != NULL, "%s: %s", text, error);
		ck_assert_int_eq(regcomp(&theirs, text, REG_EXTENDED | REG_NOSUB), 0);
		for (unsigned k = 0; k < 20; k++) {
			size_t n = rnd_below(&r, sizeof(subject));
			bool is_match;

			for (size_t at = 0; at < n; at++)
				subject[at] = (char)('a' + rnd_below(&r, 3));
			subject[n] = '\0';
			is_match = regexec(&theirs, subject, 0, NULL, 0) == 0;
			ck_assert_msg(pattern_match(p, subject, NULL) == (is_match ? PATTERN_YES : PATTERN_NO), "%s on \"%s\": %d",
				      text, subject, is_match);
			is_match ? yes++ : no++;
		}
		regfree(&theirs);
		pattern_free(p);
	}
	ck_assert_uint_gt(yes, 5000);
	ck_assert_uint_gt(no, 5000);
}
END_TEST

SUITE_MAIN("pattern", test_match, test_refused, test_bounds, test_as_libc)
