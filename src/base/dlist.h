/*
 * dlist.h - intrusive doubly linked list with a sentinel head.
 *
 * One thread at a time (the owner's, or under the owner's lock).  A node that is
 * in no list points at itself after dlist_init or dlist_remove, so removing it
 * twice is harmless and dlist_is_linked() tells.
 */
#ifndef BASE_DLIST_H
#define BASE_DLIST_H

#include "base/check.h"

struct dlist {
	struct dlist *next, *prev;
};

static inline void dlist_init(struct dlist *l)
{
	l->next = l->prev = l;
}

static inline bool dlist_is_empty(const struct dlist *head)
{
	return head->next == head;
}

static inline bool dlist_is_linked(const struct dlist *node)
{
	return node->next != node;
}

static inline void dlist_insert_between(struct dlist *node, struct dlist *prev, struct dlist *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

/* node must not be linked */
static inline void dlist_push_front(struct dlist *head, struct dlist *node)
{
	dlist_insert_between(node, head, head->next);
}

/* node must not be linked */
static inline void dlist_push_back(struct dlist *head, struct dlist *node)
{
	dlist_insert_between(node, head->prev, head);
}

static inline void dlist_remove(struct dlist *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = node;
}

static inline struct dlist *dlist_first(struct dlist *head)
{
	return head->next == head ? NULL : head->next;
}

static inline struct dlist *dlist_last(struct dlist *head)
{
	return head->prev == head ? NULL : head->prev;
}

/* Removes and gives the first node, NULL when empty. */
static inline struct dlist *dlist_pop_front(struct dlist *head)
{
	struct dlist *node = dlist_first(head);

	if (node != NULL)
		dlist_remove(node);
	return node;
}

/* it: struct dlist *; the current node may be removed inside the body */
#define DLIST_EACH(it, head)                                                                                 \
	for (struct dlist *it = (head)->next, *it##_next = it->next; it != (head);                          \
	     it = it##_next, it##_next = it->next)

#endif
