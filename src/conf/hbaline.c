/*
 * hbaline.c - one line of auth_hba_file: type, databases, users, address, method, options.
 *
 * Read from left to right; with the first thing that is wrong the rest stays open,
 * which for a rule that rejects means: whatever it might have been.
 */
#include "base/mem.h"
#include "conf/hba_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

bool hbaline_bad(struct hbaline *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(l->error, sizeof(l->error), fmt, ap) < 0 || l->error[0] == '\0')
		snprintf(l->error, sizeof(l->error), "the line cannot be understood");
	va_end(ap);
	return false;
}

/* The line ends, or it was read up to here only. */
static bool hbaline_lacks(struct hbaline *l, const char *what)
{
	if (l->at->error != NULL)
		return hbaline_bad(l, "%.300s", l->at->error);
	return hbaline_bad(l, "the line ends before %s", what);
}

static const struct rulefile_field *hbaline_field(struct hbaline *l, const char *what)
{
	if (l->next < l->at->fields)
		return &l->at->field[l->next++];
	(void)hbaline_lacks(l, what);
	return NULL;
}

const struct rulefile_word *hbaline_word(struct hbaline *l, const char *what)
{
	const struct rulefile_field *f = hbaline_field(l, what);

	if (f == NULL)
		return NULL;
	if (f->words == 1)
		return f->word;
	(void)hbaline_bad(l, "a list stands in the place of %s", what);
	return NULL;
}

static bool hbaline_is(const struct rulefile_word *w, const char *keyword)
{
	return !w->is_quoted && strcmp(w->text, keyword) == 0;
}

static bool hbaline_conn(struct hbaline *l)
{
	static const struct {
		const char *word;
		enum hba_conn conn;
	} types[] = {
		{"local", HBA_LOCAL},	      {"host", HBA_HOST},	    {"hostssl", HBA_HOSTSSL},
		{"hostnossl", HBA_HOSTNOSSL}, {"hostgssenc", HBA_HOSTGSS}, {"hostnogssenc", HBA_HOSTNOGSS},
	};
	const struct rulefile_word *w = hbaline_word(l, "a type of connection");

	if (w == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!hbaline_is(w, types[i].word))
			continue;
		l->rule.conn = types[i].conn;
		return true;
	}
	return hbaline_bad(l, "\"%.64s\" is no type of connection; write local, host, hostssl or hostnossl", w->text);
}

static bool hbaline_pattern(struct hbaline *l, struct hba_name *name)
{
	const char *error = NULL;

	name->kind = HBA_PATTERN;
	name->pattern = pattern_new(name->text, &error);
	if (name->pattern == NULL)
		return hbaline_bad(l, "\"/%.64s\": %s", name->text, error);
	l->hba->cost += pattern_cost(name->pattern);
	if (l->hba->cost > HBA_COST_MAX)
		return hbaline_bad(l, "all regular expressions of the file together are too complex");
	return true;
}

static bool hbaline_name(struct hbaline *l, struct hba_name *name, const struct rulefile_word *w, bool is_database)
{
	*name = (struct hba_name){.kind = HBA_EXACT, .text = w->text};
	if (w->text[0] == '\0')
		return hbaline_bad(l, "an empty name stands in the line");
	if (hbaline_is(w, "all")) {
		name->kind = HBA_ALL;
	} else if (w->text[0] == '/') {
		name->text++;
		return hbaline_pattern(l, name);
	} else if (is_database && hbaline_is(w, "sameuser")) {
		name->kind = HBA_SAMEUSER;
	} else if (is_database && (hbaline_is(w, "samerole") || hbaline_is(w, "samegroup"))) {
		name->kind = HBA_SAMEROLE;
	} else if (is_database && hbaline_is(w, "replication")) {
		name->kind = HBA_REPLICATION;
	} else if (!is_database && !w->is_quoted && w->text[0] == '+') {
		name->kind = HBA_ROLE;
		name->text++;
		if (name->text[0] == '\0')
			return hbaline_bad(l, "the name of a role is missing behind +");
	}
	l->hba->needs_roles |= name->kind == HBA_ROLE || name->kind == HBA_SAMEROLE;
	return true;
}

static void hbaline_drop_names(struct hba_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		pattern_free(names->name[i].pattern);
	mem_free(names->name);
	*names = (struct hba_names){.n = 0};
}

static bool hbaline_names(struct hbaline *l, struct hba_names *names, bool is_database)
{
	const struct rulefile_field *f = hbaline_field(l, is_database ? "a database" : "a user");

	if (f == NULL)
		return false;
	names->name = mem_zalloc(f->words * sizeof(*names->name));
	for (size_t i = 0; i < f->words; i++) {
		bool is_good = hbaline_name(l, &names->name[names->n++], &f->word[i], is_database);

		if (is_good)
			continue;
		/* the rule is for more than what could be read of the list */
		hbaline_drop_names(names);
		return false;
	}
	return true;
}

static const struct {
	const char *word, *where;
	const char *lacks; /* NULL, or what it was built without */
} hbaline_methods[] = {
#define NOW NULL
#ifdef HAVE_PAM
#define WITH_PAM NULL
#else
#define WITH_PAM "PAM"
#endif
#ifdef HAVE_LDAP
#define WITH_LDAP NULL
#else
#define WITH_LDAP "LDAP"
#endif
#define HBA_METHOD(id, word, where, effect) [HBA_METHOD_##id] = {word, where, effect},
#include "conf/hba.def"
#undef HBA_METHOD
#undef NOW
#undef WITH_PAM
#undef WITH_LDAP
};

static const struct {
	const char *word, *methods, *where;
} hbaline_options[] = {
#define HBA_OPTION(word, methods, where) {word, methods, where},
#include "conf/hba.def"
#undef HBA_OPTION
};

static const struct {
	const char *word, *why;
} hbaline_foreign[] = {
#define HBA_FOREIGN(word, why) {word, why},
#include "conf/hba.def"
#undef HBA_FOREIGN
};

/* the letter of hba.def's column where */
static char hbaline_where(const struct hbaline *l)
{
	return l->rule.conn == HBA_LOCAL ? 'L' : l->rule.conn == HBA_HOSTNOSSL ? 'H' : 'S';
}

static bool hbaline_method(struct hbaline *l)
{
	const struct rulefile_word *w = hbaline_word(l, "a method");

	if (w == NULL)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(hbaline_foreign); i++)
		if (strcmp(hbaline_foreign[i].word, w->text) == 0)
			return hbaline_bad(l, "the method %s is not possible here: %s", w->text, hbaline_foreign[i].why);
	for (size_t i = 0; i < ARRAY_LEN(hbaline_methods); i++) {
		if (strcmp(hbaline_methods[i].word, w->text) != 0)
			continue;
		if (strchr(hbaline_methods[i].where, hbaline_where(l)) == NULL)
			return hbaline_bad(l, "the method %s is not possible in a line of this type", w->text);
		if (hbaline_methods[i].lacks != NULL)
			return hbaline_bad(l, "the method %s is not supported: fynixpool was built without %s", w->text,
					   hbaline_methods[i].lacks);
		l->rule.method = (enum hba_method)i;
		return true;
	}
	return hbaline_bad(l, "\"%.64s\" is no method; write trust, reject, password, md5, scram-sha-256, peer, cert, pam or ldap",
			   w->text);
}

static bool hbaline_clientcert(struct hbaline *l, const char *value)
{
	if (l->rule.conn != HBA_HOSTSSL)
		return hbaline_bad(l, "clientcert is possible in a line of type hostssl only");
	if (strcmp(value, "verify-ca") == 0)
		l->rule.clientcert = HBA_CLIENTCERT_VERIFY_CA;
	else if (strcmp(value, "verify-full") == 0)
		l->rule.clientcert = HBA_CLIENTCERT_VERIFY_FULL;
	else
		return hbaline_bad(l, "clientcert is verify-ca or verify-full, not \"%.64s\"", value);
	return true;
}

static bool hbaline_ldap(struct hbaline *l, const char *name, const char *value)
{
	char error[LDAPOPTS_ERROR_MAX];

	if (l->ldap == NULL)
		l->ldap = ldapopts_begin();
	return ldapopts_set(l->ldap, name, value, error) == 0 || hbaline_bad(l, "%s", error);
}

/* all of them are there */
static bool hbaline_ldap_is_whole(struct hbaline *l)
{
	struct ldapopts_draft *draft = l->ldap;
	char error[LDAPOPTS_ERROR_MAX];

	l->ldap = NULL;
	if (draft == NULL)
		return true;
	l->rule.ldap = ldapopts_end(draft, error);
	return l->rule.ldap != NULL || hbaline_bad(l, "%s", error);
}

static bool hbaline_option_meant(struct hbaline *l, const char *name, const char *value)
{
	if (hba_option(&l->rule, name) != NULL)
		return hbaline_bad(l, "the option %s stands there twice", name);
	if (strcmp(name, "clientcert") == 0)
		return hbaline_clientcert(l, value);
	if (strcmp(name, "clientname") == 0 && strcmp(value, "CN") != 0 && strcmp(value, "DN") != 0)
		return hbaline_bad(l, "clientname is CN or DN, not \"%.64s\"", value);
	if (strcmp(name, "pam_use_hostname") == 0 && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return hbaline_bad(l, "pam_use_hostname is 0 or 1, not \"%.64s\"", value);
	if (strcmp(name, "pamservice") == 0 && (value[0] == '\0' || strchr(value, '/') != NULL))
		return hbaline_bad(l, "pamservice is the name of a file in /etc/pam.d, not \"%.64s\"", value);
	if (l->rule.method == HBA_METHOD_LDAP)
		return hbaline_ldap(l, name, value);
	if (strcmp(name, "map") == 0) {
		if (!ident_has_map(l->hba->maps, value))
			return hbaline_bad(l, "the map \"%.64s\" is not in auth_ident_file", value);
		l->rule.map = value;
	}
	return true;
}

static bool hbaline_option(struct hbaline *l, const char *text)
{
	const char *equals = strchr(text, '='), *method = hbaline_methods[l->rule.method].word;
	char with_commas[64];

	if (equals == NULL || equals == text)
		return hbaline_bad(l, "\"%.64s\" is no option: name=value", text);
	snprintf(with_commas, sizeof(with_commas), ",%s,", method);
	for (size_t i = 0; i < ARRAY_LEN(hbaline_options); i++) {
		const char *name = hbaline_options[i].word, *methods = hbaline_options[i].methods;

		if (strlen(name) != (size_t)(equals - text) || memcmp(name, text, strlen(name)) != 0)
			continue;
		if (methods[0] != '\0' && strstr(methods, with_commas) == NULL)
			return hbaline_bad(l, "the option %s is not possible with the method %s", name, method);
		if (strchr(hbaline_options[i].where, hbaline_where(l)) == NULL)
			return hbaline_bad(l, "the option %s is not possible in a line of this type", name);
		if (!hbaline_option_meant(l, name, equals + 1))
			return false;
		l->rule.option[l->rule.options++] = (struct hba_option){name, equals + 1};
		return true;
	}
	return hbaline_bad(l, "\"%.*s\" is no option", (int)(equals - text < 64 ? equals - text : 64), text);
}

static bool hbaline_read_options(struct hbaline *l)
{
	size_t n = 0;

	for (size_t f = l->next; f < l->at->fields; f++)
		n += l->at->field[f].words;
	if (n > 0)
		l->rule.option = mem_zalloc(n * sizeof(*l->rule.option));
	for (; l->next < l->at->fields; l->next++) {
		const struct rulefile_field *f = &l->at->field[l->next];

		for (size_t i = 0; i < f->words; i++)
			if (!hbaline_option(l, f->word[i].text))
				return false;
	}
	return l->at->error == NULL ? hbaline_ldap_is_whole(l) : hbaline_lacks(l, "its end");
}

void hbaline_drop(struct hba_rule *rule)
{
	hbaline_drop_names(&rule->database);
	hbaline_drop_names(&rule->user);
	mem_free(rule->option);
	ldapopts_free(rule->ldap);
}

void hbaline_parse(struct hbaline *l)
{
	struct hba_rule *rule = &l->rule;
	bool is_good = hbaline_conn(l) && hbaline_names(l, &rule->database, true) && hbaline_names(l, &rule->user, false) &&
		       (rule->conn == HBA_LOCAL || hbaaddr_parse(l)) && hbaline_method(l) && hbaline_read_options(l);

	if (l->ldap != NULL)
		ldapopts_drop(l->ldap);
	l->ldap = NULL;
	l->hba->asks_outside |= is_good && (rule->method == HBA_METHOD_PAM || rule->method == HBA_METHOD_LDAP);
	l->hba->needs_interfaces |= rule->net == HBA_NET_SAMEHOST || rule->net == HBA_NET_SAMENET;
	if (is_good) {
		l->hba->needs_certificates |=
			rule->method == HBA_METHOD_CERT || rule->clientcert != HBA_CLIENTCERT_NONE;
		return;
	}
	rule->is_bad = true;
	rule->method = HBA_METHOD_REJECT;
	rule->map = NULL;
	/* what it would have asked of a certificate must not let anybody past the rule */
	rule->clientcert = HBA_CLIENTCERT_NONE;
}
