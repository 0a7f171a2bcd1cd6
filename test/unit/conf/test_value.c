/* value: exact parsing, and what is refused */
#include "conf/value.h"
#include "test/unit/base/suite.h"

#include <inttypes.h>
#include <string.h>

START_TEST(test_int)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1x", "0x10", "1.0",
		"9223372036854775808", "99999999999999999999999", "--1", "1-"};
	int64_t v = 77;

	ck_assert_int_eq(value_int("0", &v), 0);
	ck_assert_int_eq(v, 0);
	ck_assert_int_eq(value_int("-1", &v), 0);
	ck_assert_int_eq(v, -1);
	ck_assert_int_eq(value_int("9223372036854775807", &v), 0);
	ck_assert(v == INT64_MAX);
	ck_assert_int_eq(value_int("007", &v), 0);
	ck_assert_int_eq(v, 7);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		v = 77;
		ck_assert_msg(value_int(bad[i], &v) == -1, "%s", bad[i]);
		ck_assert_int_eq(v, 77);
	}
}
END_TEST

START_TEST(test_octal)
{
	int64_t v;

	ck_assert_int_eq(value_octal("0777", &v), 0);
	ck_assert_int_eq(v, 0777);
	ck_assert_int_eq(value_octal("0", &v), 0);
	ck_assert_int_eq(v, 0);
	/* 777 would be read as decimal by PgBouncer: ask instead of guessing */
	ck_assert_int_eq(value_octal("777", &v), -1);
	ck_assert_int_eq(value_octal("0778", &v), -1);
	ck_assert_int_eq(value_octal("", &v), -1);
	ck_assert_int_eq(value_octal("0777777777777777777777777777", &v), -1);
}
END_TEST

START_TEST(test_bool)
{
	static const char *const yes[] = {"1", "on", "ON", "Yes", "TRUE"};
	static const char *const no[] = {"0", "off", "No", "FALSE"};
	static const char *const bad[] = {"", "2", "-1", "y", "t", "01", "enable", "on "};
	bool v;

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		v = false;
		ck_assert_int_eq(value_bool(yes[i], &v), 0);
		ck_assert(v);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		v = true;
		ck_assert_int_eq(value_bool(no[i], &v), 0);
		ck_assert(!v);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(value_bool(bad[i], &v) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(test_time)
{
	static const struct {
		const char *text;
		uint64_t bare, us;
	} good[] = {
		{"0", 1000000, 0},
		{"30", 1000000, 30000000},
		{"30", 1000, 30000},
		{"0.5", 1000000, 500000},
		{"1.000001", 1000000, 1000001},
		{"1.0000019", 1000000, 1000001},
		{"0.1", 1000, 100},
		{"500ms", 1000000, 500000},
		{"500 ms", 1000000, 500000},
		{"250us", 1000000, 250},
		{"30s", 1000, 30000000},
		{"30sec", 1000, 30000000},
		{"5min", 1000000, 300000000},
		{"1.5min", 1000000, 90000000},
		{"1h", 1000000, UINT64_C(3600000000)},
		{"0.5h", 1, UINT64_C(1800000000)},
		{"1d", 1000000, UINT64_C(86400000000)},
		{"1.5d", 1, UINT64_C(129600000000)},
		{"2w", 1000000, UINT64_C(1209600000000)},
		{"0.999999w", 1, UINT64_C(604799395200)},
	};
	static const char *const bad[] = {"", "s", "-1", "1 0", "1.", ".5", "1.5.5", "1x", "1S", "1m",
		"1 s s", "18446744073709551616us", "18446744073710", "999999999999999999w", "1e3", "0x1"};
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(value_time(good[i].text, good[i].bare, &v) == 0, "%s", good[i].text);
		ck_assert_msg(v == good[i].us, "%s gave %" PRIu64, good[i].text, v);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(value_time(bad[i], 1000000, &v) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(test_size)
{
	static const struct {
		const char *text;
		uint64_t v;
	} good[] = {
		{"0", 0},
		{"4096", 4096},
		{"10B", 10},
		{"1k", 1024},
		{"64kB", 65536},
		{"64 KB", 65536},
		{"1M", 1048576},
		{"64MB", UINT64_C(67108864)},
		{"2G", UINT64_C(2147483648)},
		{"1tb", UINT64_C(1) << 40},
		{"18446744073709551615", UINT64_MAX},
		{"16777215T", UINT64_C(16777215) << 40},
	};
	static const char *const bad[] = {
		"", "k", "-1", "1.5M", "1 k B", "1kk", "1P", "16777216T", "18446744073709551616", "1kBx"};
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(value_size(good[i].text, &v) == 0, "%s", good[i].text);
		ck_assert_msg(v == good[i].v, "%s gave %" PRIu64, good[i].text, v);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(value_size(bad[i], &v) == -1, "%s", bad[i]);
}
END_TEST

/* Every word of every set is understood in any case, prints as itself, and is in the list that a message shows. */
START_TEST(test_words)
{
	for (int set = VALUE_WORDS_MODE; set <= VALUE_WORDS_HOSTS; set++) {
		const char *word;
		int n = 0, v;

		for (; (word = value_word_name((enum value_words)set, n)) != NULL; n++) {
			char upper[32];
			size_t i;

			ck_assert_int_eq(value_word((enum value_words)set, word, &v), 0);
			ck_assert_int_eq(v, n);
			for (i = 0; word[i] != '\0'; i++)
				upper[i] = word[i] >= 'a' && word[i] <= 'z' ? (char)(word[i] - 32) : word[i];
			upper[i] = '\0';
			ck_assert_int_eq(value_word((enum value_words)set, upper, &v), 0);
			ck_assert_int_eq(v, n);
			ck_assert_ptr_nonnull(strstr(value_word_list((enum value_words)set), word));
		}
		ck_assert_int_ge(n, 2);
		ck_assert_int_eq(value_word((enum value_words)set, "", &v), -1);
		ck_assert_int_eq(value_word((enum value_words)set, "nonsense", &v), -1);
		ck_assert_ptr_null(value_word_name((enum value_words)set, -1));
	}
}
END_TEST

SUITE_MAIN("value", test_int, test_octal, test_bool, test_time, test_size, test_words)
