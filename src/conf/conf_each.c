/*
 * conf_each.c - all rows of SHOW CONFIG, in PgBouncer's order.
 */
#include "conf/conf.h"
#include "conf/option_value.h"

#include <string.h>

struct conf_each {
	const struct conf *conf;
	void (*fn)(void *arg, const struct conf_option_view *row);
	void *arg;
};

static void conf_each_row(const struct conf_each *e, const struct option *o)
{
	char text[64];
	struct conf_option_view row = {
		.name = o->name,
		.value = option_value_print(o, &e->conf->set, text, sizeof(text)),
		.default_text = o->default_text[e->conf->profile],
		.type = option_type_name(o->type),
		.scope = o->scope,
		.help = o->help,
		.is_reloadable = o->is_reloadable,
		.is_own = o->is_own,
		.is_effective = o->is_effective,
	};

	/* "" is how the snapshot holds a text that is not set */
	if (o->type == OPTION_STR && row.default_text == NULL && row.value[0] == '\0')
		row.value = NULL;
	e->fn(e->arg, &row);
}

void conf_each_option(
	const struct conf *c, void (*fn)(void *arg, const struct conf_option_view *row), void *arg)
{
	const struct conf_each e = {c, fn, arg};
	const struct option *o, *own;
	size_t next = 0;

	while ((own = option_at(OPTION_GLOBAL, next)) != NULL && !own->is_own)
		next++;
	for (size_t i = 0; (o = option_at(OPTION_GLOBAL, i)) != NULL && !o->is_own; i++) {
		for (; c->profile == CONF_PROFILE_FYNIXPOOL && own != NULL && strcmp(own->name, o->name) < 0;
			own = option_at(OPTION_GLOBAL, ++next))
			conf_each_row(&e, own);
		conf_each_row(&e, o);
	}
	for (; c->profile == CONF_PROFILE_FYNIXPOOL && own != NULL; own = option_at(OPTION_GLOBAL, ++next))
		conf_each_row(&e, own);
}
