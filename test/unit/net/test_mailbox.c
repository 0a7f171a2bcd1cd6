/*
 * Mail between threads: nothing lost, nothing twice, each sender's order kept, and every sleeper woken.
 */
#include "rig.h"

#include "base/mem.h"
#include "test/unit/base/suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct letter {
	struct mail mail;
	unsigned sender, number;
	unsigned weight; /* something to be seen by the receiver */
};

#define SENDERS 4
#define LETTERS 20000

static struct mailbox box;
static unsigned next_of[SENDERS], received;

static void receive(struct loop *loop, struct mail *mail)
{
	struct letter *l = container_of(mail, struct letter, mail);

	(void)loop;
	ck_assert_uint_eq(l->number, next_of[l->sender]);
	ck_assert_uint_eq(l->weight, l->number * 3 + l->sender);
	next_of[l->sender]++;
	received++;
	mem_free(l);
}

static struct letter *letter_new(unsigned sender, unsigned number)
{
	struct letter *l = mem_alloc(sizeof(*l));

	*l = (struct letter){
		.mail = {.deliver = receive}, .sender = sender, .number = number, .weight = number * 3 + sender};
	return l;
}

static void setup(void)
{
	mailbox_init(&box);
	received = 0;
	for (unsigned i = 0; i < SENDERS; i++)
		next_of[i] = 0;
}

START_TEST(order_and_emptiness)
{
	ck_assert(mailbox_is_empty(&box));
	ck_assert_uint_eq(mailbox_drain(&box, NULL), 0);
	/* only the first one must wake */
	ck_assert(mailbox_put(&box, &letter_new(0, 0)->mail));
	ck_assert(!mailbox_is_empty(&box));
	ck_assert(!mailbox_put(&box, &letter_new(0, 1)->mail));
	ck_assert(!mailbox_put(&box, &letter_new(1, 0)->mail));
	ck_assert_uint_eq(mailbox_drain(&box, NULL), 3);
	ck_assert(mailbox_is_empty(&box));
	ck_assert(mailbox_put(&box, &letter_new(0, 2)->mail));
	ck_assert_uint_eq(mailbox_drain(&box, NULL), 1);
	ck_assert_uint_eq(received, 4);
}
END_TEST

static void receive_and_reply(struct loop *loop, struct mail *mail)
{
	ck_assert(mailbox_put(&box, &letter_new(1, 0)->mail));
	receive(loop, mail);
}

START_TEST(mail_to_oneself_comes_next_time)
{
	struct letter *l = letter_new(0, 0);

	l->mail.deliver = receive_and_reply;
	(void)mailbox_put(&box, &l->mail);
	ck_assert_uint_eq(mailbox_drain(&box, NULL), 1);
	ck_assert_uint_eq(received, 1);
	ck_assert_uint_eq(mailbox_drain(&box, NULL), 1);
	ck_assert_uint_eq(received, 2);
}
END_TEST

static void *send_to_box(void *arg)
{
	unsigned sender = *(unsigned *)arg;

	for (unsigned i = 0; i < LETTERS; i++)
		(void)mailbox_put(&box, &letter_new(sender, i)->mail);
	return NULL;
}

START_TEST(many_senders)
{
	pthread_t thread[SENDERS];
	unsigned name[SENDERS];

	for (unsigned i = 0; i < SENDERS; i++) {
		name[i] = i;
		ck_assert_int_eq(pthread_create(&thread[i], NULL, send_to_box, &name[i]), 0);
	}
	while (received < SENDERS * LETTERS)
		if (mailbox_drain(&box, NULL) == 0)
			sched_yield();
	for (unsigned i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	ck_assert(mailbox_is_empty(&box));
	for (unsigned i = 0; i < SENDERS; i++)
		ck_assert_uint_eq(next_of[i], LETTERS);
}
END_TEST

/* The loop sleeps between letters, so one lost wake-up is a hang. */
static struct loop loop;
static atomic_uint acknowledged;

static void receive_in_loop(struct loop *l, struct mail *mail)
{
	ck_assert_ptr_eq(l, &loop);
	receive(l, mail);
	atomic_store(&acknowledged, received);
}

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void *send_to_loop(void *arg)
{
	unsigned sender = *(unsigned *)arg;

	for (unsigned i = 0; i < 3000; i++) {
		loop_post(&loop, &letter_new(sender, i)->mail, receive_in_loop);
		if (i % 16 == 0)
			sched_yield();
	}
	return NULL;
}

START_TEST(each_letter_wakes)
{
	pthread_t thread;

	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, &loop), 0);
	for (unsigned i = 0; i < 5000; i++) {
		loop_post(&loop, &letter_new(0, i)->mail, receive_in_loop);
		while (atomic_load(&acknowledged) != i + 1)
			sched_yield();
	}
	loop_stop(&loop);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	loop_fini(&loop);
}
END_TEST

START_TEST(many_senders_to_a_loop)
{
	pthread_t thread, sender[SENDERS];
	unsigned name[SENDERS];

	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, &loop), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		name[i] = i;
		ck_assert_int_eq(pthread_create(&sender[i], NULL, send_to_loop, &name[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_join(sender[i], NULL), 0);
	while (atomic_load(&acknowledged) != SENDERS * 3000)
		sched_yield();
	loop_stop(&loop);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	loop_fini(&loop);
}
END_TEST

SUITE_MAIN_WITH("mailbox", setup, NULL, order_and_emptiness, mail_to_oneself_comes_next_time, many_senders,
		each_letter_wakes, many_senders_to_a_loop)
