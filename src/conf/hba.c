/*
 * hba.c - auth_hba_file: the life of the rules.
 */
#include "conf/hba.h"

#include "base/mem.h"
#include "conf/hba_impl.h"

#include <stdatomic.h>
#include <string.h>

struct hba_reader {
	struct hba *hba;
	struct conf_report *report;
	bool is_lenient;
};

static struct hba *hba_new(struct ident *maps)
{
	struct hba *h = mem_zalloc(sizeof(*h));

	atomic_init(&h->refs, 1);
	h->maps = ident_ref(maps);
	h->needs_roles = maps != NULL && maps->needs_roles;
	return h;
}

struct hba *hba_ref(struct hba *h)
{
	if (h != NULL)
		atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

void hba_unref(struct hba *h)
{
	if (h == NULL || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < h->rules; i++)
		hbaline_drop(&h->rule[i]);
	mem_free(h->rule);
	ident_unref(h->maps);
	strpool_fini(&h->texts);
	mem_free(h);
}

const char *hba_option(const struct hba_rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->options; i++)
		if (strcmp(rule->option[i].name, name) == 0)
			return rule->option[i].value;
	return NULL;
}

static bool hba_has_role(const struct hba_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->name[i].kind == HBA_ROLE || names->name[i].kind == HBA_SAMEROLE)
			return true;
	return false;
}

bool hba_rule_needs_roles(const struct hba_rule *rule)
{
	return hba_has_role(&rule->database) || hba_has_role(&rule->user);
}

const char *hba_method_word(enum hba_method method)
{
	static const char *const words[] = {
#define HBA_METHOD(id, word, where, effect) [HBA_METHOD_##id] = word,
#include "conf/hba.def"
#undef HBA_METHOD
	};

	return words[method];
}

static void hba_on_line(void *arg, const struct rulefile_line *at)
{
	struct hba_reader *r = arg;
	struct hba *h = r->hba;
	struct hbaline l = {.hba = h, .at = at, .rule = {.file = at->file, .line = at->line}};

	hbaline_parse(&l);
	if (h->rules == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->rule = mem_realloc(h->rule, h->cap * sizeof(*h->rule));
	}
	h->rule[h->rules++] = l.rule;
	if (l.warning[0] != '\0')
		conf_report_warning(r->report, at->file, at->line, "%s", l.warning);
	if (l.error[0] == '\0')
		return;
	if (r->is_lenient)
		conf_report_warning(r->report, at->file, at->line, "%s; the line rejects whomever it may mean", l.error);
	else
		conf_report_error(r->report, at->file, at->line, "%s", l.error);
}

struct hba *hba_read(const char *path, struct ident *maps, bool is_lenient, struct conf_report *report, char *error,
		     size_t size)
{
	struct hba_reader r = {.hba = hba_new(maps), .report = report, .is_lenient = is_lenient};
	struct rulefile_ask ask = {
		.texts = &r.hba->texts, .on_line = hba_on_line, .arg = &r, .may_open_files = true};

	if (rulefile_read(&ask, path, error, size) == 0)
		return r.hba;
	hba_unref(r.hba);
	return NULL;
}

struct hba *hba_read_bytes(const void *p, size_t n, const char *name, struct ident *maps, bool is_lenient,
			   struct conf_report *report)
{
	struct hba_reader r = {.hba = hba_new(maps), .report = report, .is_lenient = is_lenient};
	struct rulefile_ask ask = {.texts = &r.hba->texts, .on_line = hba_on_line, .arg = &r};

	rulefile_read_bytes(&ask, p, n, name);
	return r.hba;
}
