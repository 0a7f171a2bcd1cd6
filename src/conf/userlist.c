/*
 * userlist.c - auth_file: users and their secrets.
 */
#include "conf/userlist.h"

#include "base/mem.h"
#include "conf/textfile.h"

#include <stdatomic.h>
#include <string.h>

#include "config.h"

struct userlist *userlist_new(void)
{
	struct userlist *l = mem_zalloc(sizeof(*l));

	atomic_init(&l->refs, 1);
	hash_map_init(&l->by_user);
	return l;
}

struct userlist *userlist_ref(struct userlist *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void userlist_unref(struct userlist *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < l->count; i++) {
		secret_drop(&l->secret[i].secret);
		secret_drop(&l->secret[i].second);
	}
	mem_free(l->secret);
	hash_map_fini(&l->by_user);
	strpool_fini(&l->names);
	mem_free(l);
}

static struct conf_secret *userlist_slot(struct userlist *l, const char *user)
{
	size_t n = strlen(user);
	uintptr_t at = (uintptr_t)hash_map_get(&l->by_user, user, n);

	if (at != 0)
		return &l->secret[at - 1];
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->secret = mem_realloc(l->secret, l->cap * sizeof(*l->secret));
	}
	l->secret[l->count] = (struct conf_secret){.user = strpool_add(&l->names, user, n)};
	(void)hash_map_put(&l->by_user, user, n, (void *)(uintptr_t)(l->count + 1));
	return &l->secret[l->count++];
}

void userlist_put(struct userlist *l, const char *user, const char *secret)
{
	struct conf_secret *s = userlist_slot(l, user);

	secret_drop(&s->secret);
	secret_drop(&s->second);
	s->has_secret = secret[0] != '\0';
	if (s->has_secret)
		secret_set(&s->secret, secret, strlen(secret));
}

static void userlist_put_second(struct userlist *l, const char *user, const char *secret)
{
	secret_set(&userlist_slot(l, user)->second, secret, strlen(secret));
	l->has_seconds = true;
}

const struct conf_secret *userlist_find(const struct userlist *l, const char *user)
{
	uintptr_t at = (uintptr_t)hash_map_find(&l->by_user, user);

	return at != 0 ? &l->secret[at - 1] : NULL;
}

/* Takes a "quoted" word off the front in place; NULL when there is none. Gives what follows. */
static char *userlist_word(char *p, char **word)
{
	char *to;

	while (textfile_is_blank(*p))
		p++;
	if (*p != '"')
		return NULL;
	*word = to = ++p;
	for (;; p++) {
		if (*p == '\0')
			return NULL;
		if (*p == '"' && *++p != '"')
			break;
		*to++ = *p;
	}
	/* to < p, so the character behind the word is still unread when it is not a quote */
	*to = '\0';
	return p;
}

/* "SCRAM-SHA-256$iterations:salt$": how much of the text that is; 0: it is no such secret */
static size_t userlist_salt(const char *secret)
{
	const char *end;

	if (strncmp(secret, "SCRAM-SHA-256$", 14) != 0)
		return 0;
	end = strchr(secret + 14, '$');
	return end != NULL ? (size_t)(end - secret) : 0;
}

/* Can both be valid at a time? */
static bool userlist_is_pair(
	const char *first, const char *second, const char *name, int line, struct conf_report *report)
{
	size_t n = userlist_salt(first), m = userlist_salt(second);

	if (first[0] == '\0' || second[0] == '\0') {
		conf_report_error(report, name, line, "\"or\" needs a secret on either side");
		return false;
	}
	if (n > 0 && m > 0 && (n != m || memcmp(first, second, n) != 0)) {
		conf_report_error(report, name, line,
			"the two SCRAM secrets differ in salt or iterations: a client can be asked by one salt only; "
			"make the second with the salt of the first");
		return false;
	}
	if ((n > 0) != (m > 0) && strncmp(n > 0 ? second : first, "md5", 3) == 0 && strlen(n > 0 ? second : first) == 35)
		conf_report_warning(report, name, line,
			"beside a SCRAM secret an md5 secret is of use with auth_type = plain only");
	return true;
}

/* Without libidn the keys of SCRAM come from the bytes as they are (auth/saslprep). */
static void userlist_weigh(const char *secret, const char *name, int line, struct conf_report *report)
{
#ifndef HAVE_LIBIDN
	for (const char *p = secret; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80) {
			conf_report_warning(report, name, line,
				"the password is not ASCII, and this fynixpool was built without libidn: with SCRAM it is right only "
				"when it is written in Unicode's normal form KC");
			return;
		}
#else
	(void)secret, (void)name, (void)line, (void)report;
#endif
}

/* Behind the secret: the word or, and another one.  Everything else is nobody's business (it was PostgreSQL's, once). */
static void userlist_rest(
	struct userlist *l, char *p, const char *user, const char *secret, const char *name, int line, struct conf_report *report)
{
	char *second;

	while (textfile_is_blank(*p))
		p++;
	if (strncmp(p, "or", 2) != 0 || (!textfile_is_blank(p[2]) && p[2] != '"' && p[2] != '\0'))
		return;
	if (userlist_word(p + 2, &second) == NULL)
		conf_report_error(report, name, line, "expected another password in double quotes behind \"or\"");
	else if (userlist_is_pair(secret, second, name, line, report)) {
		userlist_put_second(l, user, second);
		userlist_weigh(second, name, line, report);
	}
}

static void userlist_line(struct userlist *l, char *p, const char *name, int line, struct conf_report *report)
{
	char *user, *secret;

	if (*p == '\0' || *p == ';' || *p == '#')
		return;
	p = userlist_word(p, &user);
	if (p == NULL || (p = userlist_word(p, &secret)) == NULL) {
		conf_report_error(
			report, name, line, "expected \"user\" \"password\", both in double quotes");
		return;
	}
	if (*user == '\0') {
		conf_report_error(report, name, line, "empty user name");
		return;
	}
	userlist_put(l, user, secret);
	userlist_weigh(secret, name, line, report);
	userlist_rest(l, p, user, secret, name, line, report);
}

static void userlist_lines(
	struct userlist *l, struct textfile *f, const char *name, struct conf_report *report)
{
	char *line;
	size_t n;

	for (;;) {
		switch (textfile_next(f, &line, &n)) {
		case TEXTFILE_END:
			return;
		case TEXTFILE_TOO_LONG:
			conf_report_error(report, name, f->line, "the line is longer than %zu bytes",
				TEXTFILE_LINE_MAX);
			break;
		case TEXTFILE_HAS_NUL:
			conf_report_error(report, name, f->line, "the line holds a NUL byte");
			break;
		case TEXTFILE_LINE:
			userlist_line(l, line, name, f->line, report);
			break;
		}
	}
}

bool userlist_read(struct userlist *l, const char *path, struct conf_report *report, char *error, size_t size)
{
	struct textfile f;
	bool ok = textfile_open(&f, path, error, size) == 0;

	if (ok) {
		if (S_ISREG(f.st.st_mode) && (f.st.st_mode & (S_IROTH | S_IWOTH)) != 0)
			conf_report_warning(report, path, 0,
				"everybody on this system can %s it; chmod 640 it",
				(f.st.st_mode & S_IWOTH) != 0 ? "change" : "read");
		userlist_lines(l, &f, path, report);
	}
	textfile_fini(&f);
	return ok;
}

void userlist_read_bytes(
	struct userlist *l, const void *p, size_t n, const char *name, struct conf_report *report)
{
	struct textfile f;

	textfile_open_bytes(&f, p, n);
	userlist_lines(l, &f, name, report);
	textfile_fini(&f);
}
