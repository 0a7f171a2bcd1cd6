/*
 * test_saslprep.c - passwords in SCRAM's form: RFC 4013's examples, PostgreSQL's manners, hostile ones.
 */
#include "auth/saslprep.h"

#include "auth/scramkey.h"
#include "base/clock.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "test/unit/base/suite.h"

static const struct {
	const char *what, *given, *expected; /* expected NULL: as it is */
} vectors[] = {
	/* RFC 4013, section 3 */
	{"a soft hyphen is mapped to nothing", "I\u00ADX", "IX"},
	{"no change", "user", NULL},
	{"case stays", "USER", NULL},
	{"form KC of a feminine ordinal", "\u00AA", "a"},
	{"form KC of a Roman numeral", "\u2168", "IX"},
	{"a control character is prohibited, and ASCII", "\x07", NULL},
	{"both directions", "\u0627\x31", NULL},
	/* what people really type */
	{"umlauts as one letter stay", "sch\u00F6n", "sch\u00F6n"},
	{"umlauts as two become one", "scho\u0308n", "sch\u00F6n"},
	{"a ligature", "\uFB01sh", "fish"},
	{"two marks in the wrong order", "a\u0307\u0323", "\u1EA1\u0307"},
	{"a blank that is none", "a\u00A0b\u3000c\u200Ad", "a b c d"},
	{"a blank of no width is a blank first", "a\u200Bb", "a b"},
	{"joiners and selectors go", "a\u200D\uFE0Fb", "ab"},
	{"a Hangul syllable of three", "\u1112\u1161\u11AB", "\uD55C"},
	{"letters and what belongs to them", "\u1100\u1161\u11A8e\u0301\u00E9\u0323\u09C7\u09BEx", "\uAC01\u00E9\u1EB9\u0301\u09CBx"},
	{"a mark in between keeps them apart", "\u1100\u0323\u1161\u0CC6\u0CD5", "\u1100\u0323\u1161\u0CC7"},
	{"halves of kana", "\uFF8A\uFF9E\uFF8A\uFF9F", "\u30D0\u30D1"},
	{"the longest there is", "\uFDFB", "\u062C\u0644 \u062C\u0644\u0627\u0644\u0647"},
	{"the Kelvin sign", "\u212A", "K"},
	{"wide letters", "\uFF41\uFF22", "aB"},
	{"a letter of four bytes", "\U0001D400", "A"},
	{"put right after Unicode 3.2", "\U0002F868", "\u36FC"},
	{"right to left at both ends", "\u05D0 1 \u05D1", "\u05D0 1 \u05D1"},
	{"right to left, then not", "\u05D0 1", NULL},
	{"letters of both directions", "\u05D0a\u05D1", NULL},
	/* as it is */
	{"nothing is left", "\u00AD\u200D", NULL},
	{"a control character behind a letter", "\u00E9\x07", NULL},
	{"delete", "\u00AA\x7F", NULL},
	{"a C1 control", "a\xC2\x85", NULL},
	{"private use", "\u00AA\uE000", NULL},
	{"not a character", "\u00AA\uFFFE", NULL},
	{"a direction mark", "\u00AA\u200E", NULL},
	{"a replacement character", "\u00AA\uFFFD", NULL},
	{"a tag", "\u00AA\U000E0041", NULL},
	{"not assigned in Unicode 3.2", "\u00AA\u0221", NULL},
	{"an emoji of later days", "\u00AA\U0001F600", NULL},
	/* normalised it would be another, but PostgreSQL looks before */
	{"deprecated marks", "\u00AAa\u0340", NULL},
	/* no UTF-8 */
	{"Latin 1", "sch\xF6n", NULL},
	{"cut short", "\u00AA\xE2\x82", NULL},
	{"no beginning", "\x80\u00AA", NULL},
	{"longer than need be", "\u00AA\xC0\xAF", NULL},
	{"longer than need be, three", "\u00AA\xE0\x80\xAF", NULL},
	{"longer than need be, four", "\u00AA\xF0\x80\x80\xAF", NULL},
	{"half of a pair", "\u00AA\xED\xA0\x80", NULL},
	{"beyond Unicode", "\u00AA\xF4\x90\x80\x80", NULL},
	{"five bytes", "\u00AA\xF8\x88\x80\x80\x80", NULL},
};

/* A copy in memory of its own, so that the sanitizer sees a byte too many. */
static bool prepare(const void *given, size_t n, struct secret *out)
{
	void *copy = malloc(n ? n : 1);
	bool is_done;

	memcpy(copy, given, n);
	*out = (struct secret){0};
	is_done = saslprep_prepare(copy, n, out);
	free(copy);
	ck_assert(is_done == (out->data != NULL));
	return is_done;
}

START_TEST(texts)
{
	const char *given = vectors[_i].given, *expected = vectors[_i].expected;
	struct secret out;
	bool is_done = prepare(given, strlen(given), &out);

#ifndef HAVE_LIBIDN
	expected = NULL;
#endif
	ck_assert_msg(is_done == (expected != NULL), "%s", vectors[_i].what);
	if (expected != NULL) {
		ck_assert_msg(out.len == strlen(expected) && memcmp(out.data, expected, out.len) == 0, "%s: %s",
			vectors[_i].what, (const char *)out.data);
		/* done twice it stays: so a secret that was prepared already is as good */
		if (strcmp(expected, given) == 0)
			ck_assert_str_eq((const char *)out.data, given);
	}
	secret_drop(&out);
}
END_TEST

START_TEST(keys)
{
	static const uint8_t salt[16] = "0123456789abcdef";
	static const char *const alike[] = {"scho\u0308n\uFB01", "sch\u00F6n\uFB01", "sch\u00F6nfi", "sch\u00F6\u00ADnfi"};
	struct credential_keys first, other;

	ck_assert_int_eq(scramkey_derive(alike[2], strlen(alike[2]), salt, 16, 10, &first), 0);
	for (size_t i = 0; i < ARRAY_LEN(alike); i++) {
		bool is_same;

		ck_assert_int_eq(scramkey_derive(alike[i], strlen(alike[i]), salt, 16, 10, &other), 0);
		is_same = memcmp(&first, &other, sizeof(first)) == 0;
#ifdef HAVE_LIBIDN
		ck_assert(is_same);
#else
		ck_assert(is_same == (i == 2));
#endif
	}
	ck_assert_int_eq(scramkey_derive("", 0, salt, 16, 10, &other), 0);
	ck_assert_int_eq(scramkey_derive("schonfi", 7, salt, 16, 10, &other), 0);
	ck_assert(memcmp(&first, &other, sizeof(first)) != 0);
}
END_TEST

/* A NUL can come from no C string, but the interface takes bytes. */
START_TEST(nul)
{
	struct secret out;

	ck_assert(!prepare("\xC2\xAA\0x", 4, &out));
	ck_assert(!prepare("", 0, &out));
}
END_TEST

/* Every two bytes, and pieces of longer letters: whatever it is, it is read within its bounds. */
START_TEST(all_bytes)
{
	static const uint8_t tails[] = {0x00, 0x41, 0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0};
	size_t done = 0, total = 0;

	for (int a = 0x80; a < 0x100; a++)
		for (int b = 0; b < 0x100; b++)
			for (size_t t = 0; t <= ARRAY_LEN(tails); t++) {
				uint8_t text[4] = {(uint8_t)a, (uint8_t)b, t ? tails[t - 1] : 0, 0x80};
				struct secret out;

				done += prepare(text, t ? 4 : 2, &out);
				total++;
				secret_drop(&out);
			}
#ifdef HAVE_LIBIDN
	ck_assert_uint_gt(done, 1000);
#endif
	ck_assert_uint_lt(done, total);
}
END_TEST

static uint64_t take(const char *letter, size_t n, bool *is_done)
{
	size_t len = strlen(letter), size = n / len * len;
	char *text = malloc(size);
	struct secret out;
	uint64_t begun;

	for (size_t i = 0; i < size; i += len)
		memcpy(text + i, letter, len);
	begun = clock_mono_us();
	*is_done = prepare(text, size, &out);
	begun = clock_mono_us() - begun;
	secret_drop(&out);
	free(text);
	return begun;
}

/* Marks that must change places, letters that become eighteen, rows of the longest tables: as much as may come, and one more. */
START_TEST(lengths)
{
	static const char *const letters[] = {"\u0344", "\u0315\u0300", "\u0345\u0334", "\uFDFA", "\u00AA", "\uD7A3", "\U0002FA1D"};

	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		bool is_done;
		uint64_t us = take(letters[i], SASLPREP_MAX, &is_done);

		if (getenv("SASLPREP_TELL") != NULL)
			fprintf(stderr, "%zu: %llu us\n", i, (unsigned long long)us);
#ifdef HAVE_LIBIDN
		ck_assert_msg(is_done, "%zu", i);
#endif
		ck_assert_uint_lt(us, 2000000);
		(void)take(letters[i], SASLPREP_MAX + 8, &is_done);
		ck_assert_msg(!is_done, "%zu", i);
		(void)take(letters[i], 65535, &is_done);
		ck_assert(!is_done);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("saslprep");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, texts, 0, (int)ARRAY_LEN(vectors));
	tcase_add_test(t, keys);
	tcase_add_test(t, nul);
	tcase_add_test(t, all_bytes);
	tcase_add_test(t, lengths);
	suite_add_tcase(s, t);
	return suite_run(s);
}
