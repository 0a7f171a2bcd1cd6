/*
 * strpool.c - strings that live as long as their pool.
 */
#include "conf/strpool.h"

#include "base/mem.h"
#include "base/secret.h"

#include <string.h>

struct strpool_node {
	struct strpool_node *next;
	size_t size;
	char text[];
};

char *strpool_add(struct strpool *p, const char *s, size_t n)
{
	struct strpool_node *node = mem_alloc(sizeof(*node) + n + 1);

	if (n > 0)
		memcpy(node->text, s, n);
	node->text[n] = '\0';
	node->size = n;
	node->next = p->first;
	p->first = node;
	return node->text;
}

char *strpool_addz(struct strpool *p, const char *s)
{
	return strpool_add(p, s, strlen(s));
}

void strpool_fini(struct strpool *p)
{
	while (p->first != NULL) {
		struct strpool_node *node = p->first;

		p->first = node->next;
		secret_wipe(node->text, node->size);
		mem_free(node);
	}
}
