/*
 * userlist.c - auth_file: users and their secrets.
 */
#include "conf/userlist.h"

#include "base/mem.h"
#include "conf/textfile.h"

#include <stdatomic.h>
#include <string.h>

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
	for (size_t i = 0; i < l->count; i++)
		secret_drop(&l->secret[i].secret);
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
	s->has_secret = secret[0] != '\0';
	if (s->has_secret)
		secret_set(&s->secret, secret, strlen(secret));
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

static void userlist_line(struct userlist *l, char *p, const char *name, int line, struct conf_report *report)
{
	char *user, *secret;

	if (*p == '\0' || *p == ';' || *p == '#')
		return;
	p = userlist_word(p, &user);
	if (p == NULL || userlist_word(p, &secret) == NULL) {
		conf_report_error(
			report, name, line, "expected \"user\" \"password\", both in double quotes");
		return;
	}
	if (*user == '\0') {
		conf_report_error(report, name, line, "empty user name");
		return;
	}
	userlist_put(l, user, secret);
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
