/*
 * mailbox.c - a lock-free stack of messages, reversed when it is emptied.
 *
 * Many producers push with a compare-and-swap; the one consumer takes the whole
 * chain with one exchange, so there is no ABA problem.
 */
#include "net/mailbox.h"

void mailbox_init(struct mailbox *box)
{
	atomic_init(&box->head, NULL);
}

bool mailbox_put(struct mailbox *box, struct mail *mail)
{
	struct mail *head = atomic_load_explicit(&box->head, memory_order_relaxed);

	do {
		mail->next = head;
	} while (!atomic_compare_exchange_weak_explicit(&box->head, &head, mail, memory_order_release,
							memory_order_relaxed));
	return head == NULL;
}

unsigned mailbox_drain(struct mailbox *box, struct loop *loop)
{
	struct mail *newest = atomic_exchange_explicit(&box->head, NULL, memory_order_acquire);
	struct mail *oldest = NULL;
	unsigned n = 0;

	while (newest != NULL) {
		struct mail *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != NULL) {
		struct mail *next = oldest->next;

		oldest->deliver(loop, oldest);
		oldest = next;
		n++;
	}
	return n;
}

bool mailbox_is_empty(struct mailbox *box)
{
	return atomic_load_explicit(&box->head, memory_order_acquire) == NULL;
}
