/*
 * fuzz_userlist.c - the file of users, part of F-10.
 *
 * Input: the file.  Every user that was taken is found again under its name, names are
 * not empty, no text is longer than the file.
 */
#include "conf/userlist.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct userlist *l = userlist_new();
	struct conf_report report;

	conf_report_init(&report);
	userlist_read_bytes(l, data, n, "input", &report);
	for (size_t i = 0; i < l->count; i++) {
		const struct conf_secret *s = &l->secret[i];

		CHECK(s->user[0] != '\0' && strlen(s->user) < n);
		CHECK(userlist_find(l, s->user) == s);
		CHECK(s->has_secret == (s->secret.data != NULL));
		CHECK(!s->has_secret || (s->secret.len > 0 && s->secret.len < n &&
						strlen((char *)s->secret.data) == s->secret.len));
	}
	conf_report_fini(&report);
	userlist_unref(l);
	return 0;
}
