/*
 * fuzz_ident.c - auth_ident_file and regular expressions, from bytes to decisions.
 *
 * Input: the system's name, the byte 0x1e, the user, 0x1e, the maps.  A yes has a line
 * of that map; equal names are a yes without a map and never because of one.  The
 * whole input is also one regular expression.
 */
#include "auth/identmatch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NAME_MAX_HERE 300

/* up to the separator, as a C string */
static size_t take(const uint8_t **at, size_t *left, char out[NAME_MAX_HERE])
{
	const uint8_t *cut = *left > 0 ? memchr(*at, 0x1e, *left) : NULL;
	size_t n = cut != NULL ? (size_t)(cut - *at) : *left, keep = n < NAME_MAX_HERE ? n : NAME_MAX_HERE - 1;

	if (keep > 0)
		memcpy(out, *at, keep);
	out[keep] = '\0';
	*at += cut != NULL ? n + 1 : n;
	*left -= cut != NULL ? n + 1 : n;
	return keep;
}

static void check_pattern(const uint8_t *data, size_t n, const char *subject)
{
	char text[2 * PATTERN_TEXT_MAX];
	size_t keep = n < sizeof(text) ? n : sizeof(text) - 1;
	struct pattern_group group = {.from = NULL};
	const char *error = NULL;
	struct pattern *p;

	if (keep > 0)
		memcpy(text, data, keep);
	text[keep] = '\0';
	p = pattern_new(text, &error);
	CHECK((p == NULL) == (error != NULL));
	if (p == NULL)
		return;
	CHECK(pattern_cost(p) <= PATTERN_CODE_MAX);
	if (pattern_match(p, subject, &group) == PATTERN_YES && group.from != NULL)
		CHECK(pattern_has_group(p) && group.from >= subject && group.from + group.n <= subject + strlen(subject));
	CHECK(pattern_match(p, subject, NULL) == pattern_match(p, subject, &group));
	pattern_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char system[NAME_MAX_HERE], user[NAME_MAX_HERE];
	const uint8_t *at = data;
	struct conf_report report;
	struct ident *maps;
	size_t left = n;

	(void)take(&at, &left, system);
	(void)take(&at, &left, user);
	check_pattern(at, left, system);
	conf_report_init(&report);
	maps = ident_read_bytes(at, left, "maps", true, &report);
	CHECK(maps->cost <= IDENT_COST_MAX + PATTERN_CODE_MAX || report.warning_count > 0);
	for (size_t i = 0; i < maps->lines && i < 20; i++) {
		const struct ident_line *l = &maps->line[i];

		CHECK(l->map[0] != '\0' && l->line > 0 && ident_has_map(maps, l->map));
		CHECK((l->system.kind == IDENT_PATTERN) == (l->system.pattern != NULL));
		CHECK(l->user.kind != IDENT_PARTS || pattern_has_group(l->system.pattern));
		if (l->system.kind == IDENT_EXACT && l->user.kind == IDENT_EXACT)
			CHECK(identmatch_may(maps, l->map, l->system.text, l->user.text, NULL) == IDENTMATCH_YES);
		(void)!identmatch_may(maps, l->map, system, user, NULL);
	}
	CHECK(identmatch_may(maps, "no such map\x1e", system, user, NULL) == IDENTMATCH_NO);
	CHECK((identmatch_may(maps, NULL, system, user, NULL) == IDENTMATCH_YES) == (strcmp(system, user) == 0));
	ident_unref(maps);
	conf_report_fini(&report);
	return 0;
}
