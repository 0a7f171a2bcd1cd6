/*
 * fuzz_hba.c - auth_hba_file with its maps, from bytes to decisions.
 *
 * Input: the rules, the byte 0x1e, the maps.  Whatever the text is, a line that was not
 * understood rejects, is reported with its place, and is what the strict reading
 * calls an error; nothing but the words of a rule lets anybody in.  Files that the
 * input names are not read.
 */
#include "auth/hbamatch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum identmatch_answer is_member(void *arg, const char *role)
{
	(void)arg;
	return role[0] == 's' ? IDENTMATCH_YES : IDENTMATCH_NO;
}

static void check_rule(const struct hba_rule *r)
{
	CHECK(!r->is_bad || (r->method == HBA_METHOD_REJECT && r->map == NULL && r->clientcert == HBA_CLIENTCERT_NONE));
	CHECK(r->is_bad || (r->database.n > 0 && r->user.n > 0 && r->conn != HBA_ANYWAY));
	CHECK(r->net != HBA_NET_MASK || r->family == 4 || r->family == 6);
	CHECK(r->method != HBA_METHOD_PEER || r->conn == HBA_LOCAL);
	CHECK(r->line > 0 && strcmp(r->file, "rules") == 0);
	CHECK(hba_method_word(r->method) != NULL);
	for (size_t i = 0; i < 16; i++)
		CHECK((r->ip[i] & ~r->mask[i]) == 0 || r->net != HBA_NET_MASK);
}

static void ask(const struct hba *h, const char *from, const char *database, const char *user, bool flag)
{
	static struct iface ours = {.addr = {.family = ADDR_IPV4, .ip = {10, 0, 0, 1}}, .mask = {255, 255}};
	const struct ifaces ifaces = {&ours, 1};
	const struct identmatch_roles roles = {flag ? is_member : NULL, NULL};
	struct addr peer = {.family = ADDR_UNIX};
	const struct hba_rule *rule;
	struct hbamatch_ask a = {
		.user = user,
		.database = database,
		.peer = &peer,
		.is_tls = flag,
		.is_physical_replication = user[0] == 'r',
		.ifaces = &ifaces,
		.roles = &roles,
	};
	enum hbamatch_result result;

	if (from != NULL)
		CHECK(addr_parse(&peer, from, 1));
	result = hbamatch_find(h, &a, &rule);
	CHECK((rule == NULL) == (result == HBAMATCH_NONE));
	if (rule == NULL)
		return;
	CHECK(rule->conn != HBA_HOSTGSS && (rule->conn != HBA_LOCAL || from == NULL));
	CHECK(rule->conn != HBA_HOSTSSL || flag);
	if (rule->method == HBA_METHOD_PEER)
		CHECK(identmatch_may(h->maps, rule->map, "root", user, &roles) != IDENTMATCH_YES || rule->map != NULL ||
		      strcmp(user, "root") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *cut = n > 0 ? memchr(data, 0x1e, n) : NULL;
	size_t first = cut != NULL ? (size_t)(cut - data) : n, bad = 0;
	struct conf_report lenient, strict;
	struct ident *maps;
	struct hba *h, *again;

	conf_report_init(&lenient);
	conf_report_init(&strict);
	maps = ident_read_bytes(cut != NULL ? cut + 1 : data, cut != NULL ? n - first - 1 : 0, "maps", true, &lenient);
	CHECK(lenient.error_count == 0);
	conf_report_fini(&lenient);
	conf_report_init(&lenient);
	h = hba_read_bytes(data, first, "rules", maps, true, &lenient);
	again = hba_read_bytes(data, first, "rules", maps, false, &strict);
	ident_unref(maps);
	CHECK(h->rules == again->rules && lenient.error_count == 0);
	for (size_t i = 0; i < h->rules; i++) {
		check_rule(&h->rule[i]);
		CHECK(h->rule[i].is_bad == again->rule[i].is_bad && h->rule[i].line == again->rule[i].line);
		bad += h->rule[i].is_bad;
	}
	CHECK((size_t)strict.error_count == bad);
	CHECK(lenient.warning_count == strict.warning_count + strict.error_count);
	for (int flag = 0; flag < 2; flag++) {
		ask(h, NULL, "db", "anna", flag);
		ask(h, "10.0.0.1", "staff", "app_1", flag);
		ask(h, "::ffff:192.168.1.2", "replication", "repl", flag);
		ask(h, "fd00::1", "anna", "anna", flag);
	}
	hba_unref(h);
	hba_unref(again);
	conf_report_fini(&lenient);
	conf_report_fini(&strict);
	return 0;
}
