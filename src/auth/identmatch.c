/*
 * identmatch.c - user name maps.
 */
#include "auth/identmatch.h"

#include <string.h>

#include "base/poison.h"

enum identmatch_answer identmatch_is_member(const struct identmatch_roles *roles, const char *role)
{
	if (roles == NULL || roles->is_member == NULL)
		return IDENTMATCH_UNKNOWN;
	return roles->is_member(roles->arg, role);
}

/* text with \1 at part replaced by what the group took */
static bool identmatch_parts(const struct ident_name *name, const struct pattern_group *group, const char *user)
{
	const char *behind = name->text + name->part + 2;
	size_t n = strlen(user), rest = strlen(behind);

	return group->from != NULL && n == name->part + group->n + rest && memcmp(user, name->text, name->part) == 0 &&
	       memcmp(user + name->part, group->from, group->n) == 0 &&
	       memcmp(user + name->part + group->n, behind, rest) == 0;
}

static bool identmatch_system(const struct ident_name *name, const char *system, struct pattern_group *group)
{
	if (name->kind == IDENT_PATTERN)
		return pattern_match(name->pattern, system, group) == PATTERN_YES;
	return strcmp(name->text, system) == 0;
}

static enum identmatch_answer identmatch_user(const struct ident_name *name, const struct pattern_group *group,
					      const char *user, const struct identmatch_roles *roles)
{
	bool fits = false;

	switch (name->kind) {
	case IDENT_EXACT:
		fits = strcmp(name->text, user) == 0;
		break;
	case IDENT_ALL:
		fits = true;
		break;
	case IDENT_ROLE:
		return identmatch_is_member(roles, name->text);
	case IDENT_PATTERN:
		fits = pattern_match(name->pattern, user, NULL) == PATTERN_YES;
		break;
	case IDENT_PARTS:
		fits = identmatch_parts(name, group, user);
		break;
	}
	return fits ? IDENTMATCH_YES : IDENTMATCH_NO;
}

enum identmatch_answer identmatch_may(const struct ident *maps, const char *map, const char *system, const char *user,
				      const struct identmatch_roles *roles)
{
	enum identmatch_answer answer = IDENTMATCH_NO;

	if (map == NULL)
		return strcmp(system, user) == 0 ? IDENTMATCH_YES : IDENTMATCH_NO;
	for (size_t i = 0; maps != NULL && i < maps->lines && answer != IDENTMATCH_YES; i++) {
		const struct ident_line *l = &maps->line[i];
		struct pattern_group group = {.from = NULL};
		enum identmatch_answer one;

		if (strcmp(l->map, map) != 0 || !identmatch_system(&l->system, system, &group))
			continue;
		one = identmatch_user(&l->user, &group, user, roles);
		if (one != IDENTMATCH_NO)
			answer = one;
	}
	return answer;
}
