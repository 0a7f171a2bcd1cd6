/*
 * memory.c - memory of this process against what it may use.
 */
#include "report/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void memory_least(struct memory_use *m, uint64_t limit)
{
	/* control groups say "no limit" with an absurd number */
	if (limit > 0 && limit < (UINT64_C(1) << 62) && (m->limit == 0 || limit < m->limit))
		m->limit = limit;
}

static void memory_read_file(struct memory_use *m, const char *path)
{
	unsigned long long value;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return;
	/* "max" is no number: no limit */
	if (fscanf(f, "%llu", &value) == 1)
		memory_least(m, value);
	fclose(f);
}

/* the group named in one line of /proc/self/cgroup: "0::/path" or "9:memory:/path"; only its own limit, a parent's is seen
 * where the group is a container's and mounted as the root */
static void memory_group(struct memory_use *m, char *line)
{
	char path[600];
	char *second = strchr(line, ':'), *third = second != NULL ? strchr(second + 1, ':') : NULL;

	if (third == NULL)
		return;
	*third++ = '\0';
	third[strcspn(third, "\n")] = '\0';
	if (strcmp(second, ":") == 0) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", third);
		memory_read_file(m, path);
		memory_read_file(m, "/sys/fs/cgroup/memory.max");
	} else if (strstr(second, "memory") != NULL) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", third);
		memory_read_file(m, path);
		memory_read_file(m, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
	}
}

static void memory_groups(struct memory_use *m)
{
	char line[512];
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		memory_group(m, line);
	fclose(f);
}

static void memory_rlimit(struct memory_use *m, int which)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)which, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		memory_least(m, limit.rlim_cur);
}

uint64_t memory_used(void)
{
	unsigned long long size, resident;
	long page = sysconf(_SC_PAGESIZE);
	FILE *f = fopen("/proc/self/statm", "re");
	bool known;

	if (f == NULL)
		return 0;
	known = fscanf(f, "%llu %llu", &size, &resident) == 2 && page > 0;
	fclose(f);
	return known ? resident * (uint64_t)page : 0;
}

struct memory_use memory_read(void)
{
	struct memory_use m = {.used = memory_used()};
	long page = sysconf(_SC_PAGESIZE), pages = sysconf(_SC_PHYS_PAGES);

	if (page > 0 && pages > 0)
		memory_least(&m, (uint64_t)page * (uint64_t)pages);
	memory_groups(&m);
	memory_rlimit(&m, RLIMIT_AS);
	memory_rlimit(&m, RLIMIT_DATA);
	return m;
}
