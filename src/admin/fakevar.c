/*
 * fakevar.c - variables that drivers ask for.
 */
#include "admin/fakevar.h"

#include "base/str.h"

static const struct {
	const char *name, *value;
} fakevars[] = {
#define FAKEVAR(name, value) {name, value},
#include "admin/fakevars.def"
#undef FAKEVAR
};

const char *fakevar_value(const char *name, const char **own_name)
{
	for (size_t i = 0; i < ARRAY_LEN(fakevars); i++) {
		if (str_is_equal_nocase(fakevars[i].name, name)) {
			*own_name = fakevars[i].name;
			return fakevars[i].value;
		}
	}
	return NULL;
}
