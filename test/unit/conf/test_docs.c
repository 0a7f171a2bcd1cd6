/*
 * docs: the sample file, the manual page and the guide say what the table says.
 *
 * With --write (and top_srcdir in the environment) the blocks are written anew.
 */
#include "conf/option_value.h"
#include "test/unit/conf/manual.h"
#include "test/unit/conf/scratch.h"

static char file_path[4096];
static char root[2048] = "."; /* the environment is emptied for each test */

static char *read_all(const char *name)
{
	static char text[1 << 20];
	int fd;
	ssize_t n;

	snprintf(file_path, sizeof(file_path), "%s/%s", root, name);
	fd = open(file_path, O_RDONLY);
	if (fd < 0) {
		fprintf(stderr, "cannot open %s\n", file_path);
		exit(1);
	}
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* What stands between the marker lines; false when there are none. */
static bool find_block(char *text, const struct manual_block *m, char **begin, char **end)
{
	char marker[64];
	char *a, *b;

	snprintf(marker, sizeof(marker), " %s: begin", m->name);
	a = strstr(text, marker);
	snprintf(marker, sizeof(marker), " %s: end", m->name);
	b = strstr(text, marker);
	if (a == NULL || b == NULL || b < a)
		return false;
	*begin = strchr(a, '\n') + 1;
	while (b > text && b[-1] != '\n')
		b--;
	*end = b;
	return *begin <= *end;
}

static int write_blocks(void)
{
	const struct manual_block *m;

	for (size_t i = 0; (m = manual_block(i)) != NULL; i++) {
		char *text = read_all(m->file), *begin, *end;
		struct buf out;
		FILE *f;

		if (!find_block(text, m, &begin, &end)) {
			fprintf(stderr, "%s has no block %s\n", file_path, m->name);
			return 1;
		}
		buf_init(&out, 0);
		buf_append(&out, text, (size_t)(begin - text));
		m->render(&out);
		buf_append_str(&out, end);
		f = fopen(file_path, "w");
		if (f == NULL || fwrite(out.data, 1, out.len, f) != out.len || fclose(f) != 0)
			return 1;
		buf_fini(&out);
	}
	return 0;
}

START_TEST(test_blocks)
{
	const struct manual_block *m = manual_block((size_t)_i);
	char *text = read_all(m->file), *begin, *end;
	struct buf want;

	ck_assert_msg(find_block(text, m, &begin, &end), "%s has no block %s", m->file, m->name);
	buf_init(&want, 0);
	m->render(&want);
	ck_assert_uint_gt(want.len, 500);
	*end = '\0';
	ck_assert_msg(strcmp(begin, buf_text(&want)) == 0,
		"block \"%s\" of %s is not what the table says: run top_srcdir=... test_docs --write",
		m->name, m->file);
	buf_fini(&want);
}
END_TEST

/* Every setting is in one group, and in one only. */
START_TEST(test_groups)
{
	const struct option *o;
	const char *names;

	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		int found = 0;

		for (size_t g = 0; manual_group(g, &names) != NULL; g++) {
			char list[2048];

			snprintf(list, sizeof(list), "%s", names);
			for (char *save, *p = strtok_r(list, " ", &save); p != NULL;
				p = strtok_r(NULL, " ", &save))
				found += strcmp(p, o->name) == 0;
		}
		ck_assert_msg(found == 1, "%s is in %d groups", o->name, found);
	}
}
END_TEST

/* The sample loads as it is; and with every line uncommented it says the same. */
START_TEST(test_sample_loads)
{
	char *text = read_all("etc/fynixpool.ini");
	const struct option *o;
	struct conf *as_is, *all;
	struct buf b;
	int uncommented = 0;

	scratch_write("userlist.txt", "\"joe\" \"x\"\n");
	buf_init(&b, 0);
	for (char *nl; (nl = strchr(text, '\n')) != NULL; text = nl + 1) {
		*nl = '\0';
		/* the sample stands in one folder with its userlist when it is installed */
		if (strstr(text, "auth_file =") != NULL)
			buf_append_str(&b, text[0] == ';' ? "" : "auth_file = userlist.txt\n");
		else
			buf_printf(&b, "%s\n", text);
	}
	scratch_write("sample.ini", buf_text(&b));
	as_is = conf_load("sample.ini", NULL, &scratch_report);
	ck_assert_msg(as_is != NULL, "%s", scratch_errors());
	ck_assert_str_eq(scratch_warnings(), "");

	{
		char *copy = strdup(buf_text(&b)), *save;
		char *line = strtok_r(copy, "\n", &save);

		buf_reset(&b);
		for (; line != NULL; line = strtok_r(NULL, "\n", &save)) {
			char name[64];

			if (line[0] == ';' && sscanf(line + 1, "%63[a-z_0-9] =", name) == 1 &&
				strchr(line, '=') != NULL && option_find(OPTION_GLOBAL, name) != NULL &&
				line[1 + strlen(name) + 1] == '=') {
				/* these two have no value to set them to */
				if (strcmp(name, "verbose") == 0 || strcmp(name, "conffile") == 0)
					continue;
				line++;
				uncommented++;
			}
			buf_printf(&b, "%s\n", line);
		}
		free(copy);
	}
	ck_assert_int_gt(uncommented, 100);
	scratch_write("all.ini", buf_text(&b));
	all = conf_load("all.ini", NULL, &scratch_report);
	ck_assert_msg(all != NULL, "%s", scratch_errors());
	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL; i++) {
		if (strcmp(o->name, "conffile") != 0)
			ck_assert_msg(option_value_is_equal(o, &as_is->set, &all->set), "%s", o->name);
	}
	conf_unref(as_is);
	conf_unref(all);
	buf_fini(&b);
}
END_TEST

/* The default of a secret is none: whoever installs the sample has opened nothing. */
START_TEST(test_sample_userlist)
{
	char *text = read_all("etc/userlist.txt");

	for (char *save, *line = strtok_r(text, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save))
		ck_assert_msg(line[0] == ';', "%s", line);
}
END_TEST

int main(int argc, char **argv)
{
	int blocks = 0;
	Suite *s;
	TCase *t;

	if (getenv("top_srcdir") != NULL)
		snprintf(root, sizeof(root), "%s", getenv("top_srcdir"));
	if (argc > 1 && strcmp(argv[1], "--write") == 0)
		return write_blocks();
	s = suite_create("docs");
	t = tcase_create("docs");
	while (manual_block((size_t)blocks) != NULL)
		blocks++;
	tcase_add_loop_test(t, test_blocks, 0, blocks);
	tcase_add_test(t, test_groups);
	suite_add_tcase(s, t);
	t = tcase_create("sample");
	folder_begin();
	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_test(t, test_sample_loads);
	tcase_add_test(t, test_sample_userlist);
	suite_add_tcase(s, t);
	return suite_run(s);
}
