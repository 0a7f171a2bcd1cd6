/*
 * osuser.c - names of the operating system's users.
 */
#include "base/osuser.h"

#include "base/str.h"

#include <pwd.h>
#include <stddef.h>

bool osuser_name(uid_t uid, char out[OSUSER_MAX])
{
	struct passwd entry, *found = NULL;
	char room[4096];

	if (getpwuid_r(uid, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return false;
	return entry.pw_name[0] != '\0' && str_copy(out, OSUSER_MAX, entry.pw_name);
}
