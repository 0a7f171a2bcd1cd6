/*
 * net_sim.c - the fake network.
 */
#include "net_sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FD_BASE 1000000

struct nlink {
	struct nlink *next, *prev;
	struct nsock end[2];
};

void (*net_sim_on_lost)(const struct nsock *to, const uint8_t *data, uint32_t n);

static struct nlink links = {.next = &links, .prev = &links};
static struct nsock **by_fd;
static unsigned fd_count, fd_cap;

static void *xalloc(size_t n)
{
	void *p = calloc(1, n);

	CHECK(p != NULL);
	return p;
}

static void net_sim_on_arrive(struct sim_event *e);
static void net_sim_on_room(struct sim_event *e);

static void net_sim_end_init(struct nsock *s, struct nlink *link, const char *name)
{
	s->link = link;
	s->name = name;
	s->is_open = true;
	s->connect_err = -1;
	s->arrive.fire = net_sim_on_arrive;
	s->room.fire = net_sim_on_room;
	if (fd_count == fd_cap) {
		fd_cap = fd_cap ? fd_cap * 2 : 64;
		by_fd = realloc(by_fd, fd_cap * sizeof(struct nsock *));
		CHECK(by_fd != NULL);
	}
	s->fd = FD_BASE + (int)fd_count;
	by_fd[fd_count++] = s;
}

void net_sim_pair(struct nsock **a, struct nsock **b, const char *a_name, const char *b_name)
{
	struct nlink *l = xalloc(sizeof(*l));

	l->next = &links;
	l->prev = links.prev;
	l->prev->next = l->next->prev = l;
	net_sim_end_init(&l->end[0], l, a_name);
	net_sim_end_init(&l->end[1], l, b_name);
	l->end[0].peer = &l->end[1];
	l->end[1].peer = &l->end[0];
	*a = &l->end[0];
	*b = &l->end[1];
}

struct nsock *net_sim_lonely(const char *name)
{
	struct nsock *a, *b;

	net_sim_pair(&a, &b, name, "nobody");
	b->is_deaf = true;
	b->is_open = false; /* nobody has to close it */
	return a;
}

struct nsock *net_sim_by_fd(int fd)
{
	unsigned i = (unsigned)(fd - FD_BASE);

	return fd >= FD_BASE && i < fd_count ? by_fd[i] : NULL;
}

static void net_sim_drop_coming(struct nsock *s)
{
	while (s->coming != NULL) {
		struct nflight *f = s->coming;

		s->coming = f->next;
		free(f);
	}
	s->coming_tail = NULL;
	s->coming_bytes = 0;
	sim_cancel(&s->arrive);
}

static void net_sim_end_fini(struct nsock *s)
{
	net_sim_drop_coming(s);
	sim_cancel(&s->room);
	sim_cancel(&s->connected);
	free(s->buf);
	s->buf = NULL;
	by_fd[s->fd - FD_BASE] = NULL;
}

static void net_sim_link_free(struct nlink *l)
{
	l->next->prev = l->prev;
	l->prev->next = l->next;
	net_sim_end_fini(&l->end[0]);
	net_sim_end_fini(&l->end[1]);
	free(l);
}

void net_sim_start(void)
{
	fd_count = 0;
}

static void net_sim_review_end(const struct nsock *s)
{
	bool is_doomed = !s->is_open || s->is_reset;

	for (const struct nflight *f = s->coming; f != NULL; f = f->next) {
		if (f->kind == 'r')
			is_doomed = true;
		if (f->kind == 'd' && is_doomed)
			net_sim_on_lost(s, f->data, f->len);
	}
}

void net_sim_review(void)
{
	for (struct nlink *l = links.next; l != &links; l = l->next) {
		net_sim_review_end(&l->end[0]);
		net_sim_review_end(&l->end[1]);
	}
}

unsigned net_sim_open(void)
{
	unsigned open = 0;

	for (struct nlink *l = links.next; l != &links; l = l->next)
		open += l->end[0].is_open + l->end[1].is_open;
	return open;
}

unsigned net_sim_finish(void)
{
	unsigned open = 0;

	while (links.next != &links) {
		open += links.next->end[0].is_open + links.next->end[1].is_open;
		net_sim_link_free(links.next);
	}
	free(by_fd);
	by_fd = NULL;
	fd_count = fd_cap = 0;
	return open;
}

static uint64_t net_sim_delay(void)
{
	return sim.weather.latency_us + (sim.weather.jitter_us ? sim_rnd((uint32_t)sim.weather.jitter_us) : 0);
}

/* puts a piece on its way to s, behind what is on its way */
static void net_sim_launch(struct nsock *s, uint8_t kind, const uint8_t *data, uint32_t n)
{
	struct nflight *f = xalloc(sizeof(*f) + n);

	f->kind = kind;
	f->len = n;
	if (n > 0)
		memcpy(f->data, data, n);
	f->at = sim.now + net_sim_delay();
	if (s->coming_tail != NULL && s->coming_tail->at > f->at)
		f->at = s->coming_tail->at;
	if (s->coming_tail != NULL)
		s->coming_tail->next = f;
	else
		s->coming = f;
	s->coming_tail = f;
	s->coming_bytes += n;
	if (!sim_is_queued(&s->arrive))
		sim_at(&s->arrive, s->coming->at);
}

static void net_sim_reset_arrives(struct nsock *s)
{
	for (const struct nflight *f = s->coming; f != NULL; f = f->next)
		if (f->kind == 'd' && net_sim_on_lost != NULL)
			net_sim_on_lost(s, f->data, f->len);
	net_sim_drop_coming(s);
	s->is_reset = true;
	if (sim.weather.rst_drops_data)
		s->len = 0;
}

static void net_sim_land(struct nsock *s, struct nflight *f)
{
	if (s->is_deaf)
		return;
	if (f->kind == 'r') {
		net_sim_reset_arrives(s);
		return;
	}
	if (f->kind == 'd' && (!s->is_open || s->is_reset) && net_sim_on_lost != NULL)
		net_sim_on_lost(s, f->data, f->len);
	if (!s->is_open) {
		/* nobody is there: a reset goes back to whoever still talks */
		if (f->kind == 'd' && s->peer->is_open)
			net_sim_launch(s->peer, 'r', NULL, 0);
		return;
	}
	if (s->is_reset)
		return;
	if (f->kind == 'e') {
		s->is_eof = true;
		return;
	}
	if (s->len + f->len > s->cap) {
		s->cap = (s->len + f->len) * 2;
		s->buf = realloc(s->buf, s->cap);
		CHECK(s->buf != NULL);
	}
	memcpy(s->buf + s->len, f->data, f->len);
	s->len += f->len;
}

static void net_sim_release(struct nsock *s)
{
	if (!s->is_open && !s->peer->is_open && s->coming == NULL && s->peer->coming == NULL)
		net_sim_link_free(s->link);
}

static void net_sim_on_arrive(struct sim_event *e)
{
	struct nsock *s = container_of(e, struct nsock, arrive);
	struct nflight *f = s->coming;

	s->coming = f->next;
	if (s->coming == NULL)
		s->coming_tail = NULL;
	s->coming_bytes -= f->len;
	f->next = NULL;
	net_sim_land(s, f);
	free(f);
	if (s->coming != NULL)
		sim_at(&s->arrive, s->coming->at);
	if (s->is_open && s->on_ready != NULL)
		s->on_ready(s);
	else if (!s->is_open)
		net_sim_release(s);
}

uint32_t net_sim_room(const struct nsock *s)
{
	uint32_t used = s->peer->coming_bytes + s->peer->len;

	return used < sim.weather.window ? sim.weather.window - used : 0;
}

int net_sim_write(struct nsock *s, const void *data, uint32_t n)
{
	const uint8_t *p = data;
	uint32_t room, done = 0;

	CHECK(s->is_open && !s->said_eof);
	if (s->is_reset)
		return -1;
	room = s->peer->is_deaf ? n : net_sim_room(s);
	if (n > room)
		n = room;
	while (done < n) {
		uint32_t seg = n - done;

		if (seg > sim.weather.max_segment)
			seg = 1 + sim_rnd(sim.weather.max_segment);
		if (!s->peer->is_deaf)
			net_sim_launch(s->peer, 'd', p + done, seg);
		done += seg;
	}
	if (n == 0)
		s->is_blocked = true;
	return (int)n;
}

static void net_sim_on_room(struct sim_event *e)
{
	struct nsock *s = container_of(e, struct nsock, room);

	if (s->is_open && s->on_ready != NULL)
		s->on_ready(s);
}

uint32_t net_sim_read(struct nsock *s, void *to, uint32_t n)
{
	CHECK(s->is_open);
	if (n > s->len)
		n = s->len;
	if (n == 0)
		return 0;
	memcpy(to, s->buf, n);
	memmove(s->buf, s->buf + n, s->len - n);
	s->len -= n;
	if (s->peer->is_blocked && s->peer->is_open) {
		s->peer->is_blocked = false;
		sim_after(&s->peer->room, net_sim_delay());
	}
	return n;
}

static void net_sim_gone(struct nsock *s)
{
	s->is_open = false;
	s->on_ready = NULL;
	s->owner = NULL;
	s->conn = NULL;
	s->len = 0;
	sim_cancel(&s->room);
	sim_cancel(&s->connected);
	net_sim_release(s);
}

void net_sim_close(struct nsock *s)
{
	CHECK(s->is_open);
	if (!s->peer->is_deaf && s->peer->is_open && !s->is_reset) {
		if (s->len > 0)
			net_sim_launch(s->peer, 'r', NULL, 0);
		else if (!s->said_eof)
			net_sim_launch(s->peer, 'e', NULL, 0);
	}
	net_sim_gone(s);
}

void net_sim_shutdown(struct nsock *s)
{
	CHECK(s->is_open);
	if (!s->said_eof && !s->is_reset && s->peer->is_open && !s->peer->is_deaf)
		net_sim_launch(s->peer, 'e', NULL, 0);
	s->said_eof = true;
}

void net_sim_abort(struct nsock *s)
{
	CHECK(s->is_open);
	if (!s->peer->is_deaf && s->peer->is_open && !s->is_reset)
		net_sim_launch(s->peer, 'r', NULL, 0);
	net_sim_gone(s);
}

void net_sim_hush(struct nsock *s)
{
	s->is_deaf = s->peer->is_deaf = true;
}

void net_sim_cut(struct nsock *s)
{
	struct nsock *peer = s->peer;

	net_sim_drop_coming(s);
	net_sim_drop_coming(peer);
	if (s->is_open)
		net_sim_launch(s, 'r', NULL, 0);
	if (peer->is_open)
		net_sim_launch(peer, 'r', NULL, 0);
}
