/*
 * Listening sockets: what is accepted, how a lack of descriptors is survived, and the manners of Unix socket files.
 */
#include "rig.h"
#include "test/unit/base/folder.h"

#include "base/mem.h"
#include "net/listener.h"
#include "test/unit/base/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop loop;
static struct listener_options options;
static char dir[FOLDER_MAX], path[FOLDER_MAX + 16], error[256];
static int accepted[64];
static struct addr peers[64];
static unsigned count, starved;
static int starved_err;
static bool stops;

static void on_accept(struct listener *l, int fd, const struct addr *peer)
{
	ck_assert_uint_lt(count, ARRAY_LEN(accepted));
	peers[count] = *peer;
	accepted[count++] = fd;
	if (stops)
		listener_stop(l);
}

static void on_starved(struct listener *l, int err)
{
	(void)l;
	starved++;
	starved_err = err;
}

static void setup(void)
{
	ck_assert_int_eq(loop_init(&loop, rig_engine(), 0, NULL), 0);
	folder_make(dir);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.6432", dir);
	options = (struct listener_options){
		.backlog = 16,
		.unix_mode = 0777,
		.tuning = {.keepalive = true, .keepidle = 77, .user_timeout_ms = 12345},
	};
	count = starved = 0;
	stops = false;
	error[0] = '\0';
}

static void teardown(void)
{
	for (unsigned i = 0; i < count; i++)
		close(accepted[i]);
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0); /* nothing was left behind */
	loop_fini(&loop);
}

static struct listener *start(struct listener *l)
{
	ck_assert_msg(l != NULL, "%s", error);
	l->on_accept = on_accept;
	l->on_starved = on_starved;
	ck_assert_int_eq(listener_start(l, &loop), 0);
	return l;
}

static void end(struct listener *l)
{
	listener_stop(l);
	listener_free(l);
}

static struct listener *tcp(const char *host)
{
	struct addr at;

	ck_assert(addr_parse(&at, host, 0));
	return listener_new_tcp(&at, &options, error, sizeof(error));
}

static uint16_t port_of(const struct listener *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr at;

	ck_assert_int_eq(getsockname(l->fd, (struct sockaddr *)&ss, &len), 0);
	addr_from_sockaddr(&at, &ss);
	return at.port;
}

static int dial(const char *host, uint16_t port)
{
	struct sockaddr_storage ss;
	struct addr to;
	socklen_t len;
	int fd;

	ck_assert(addr_parse(&to, host, port));
	len = addr_to_sockaddr(&to, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static int dial_unix(const char *where)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(addr_unix_sockaddr(where, &ss, &len), 0);
	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool has_count(void *arg)
{
	return count >= *(unsigned *)arg;
}

static void until(unsigned n)
{
	rig_until(&loop, has_count, &n);
	ck_assert_uint_eq(count, n);
}

START_TEST(tcp_sockets)
{
	static const char *const hosts[] = {"127.0.0.1", "::1"};
	const char *host = hosts[_i];
	struct listener *l = start(tcp(host));
	int fd[40], on = 0;
	socklen_t len = sizeof(on);
	char text[ADDR_TEXT_MAX];

	options.backlog = 64;
	for (unsigned i = 0; i < 10; i++)
		fd[i] = dial(host, port_of(l));
	until(10);
	for (unsigned i = 0; i < 10; i++) {
		struct sockaddr_storage ss;
		struct addr mine;
		socklen_t slen = sizeof(ss);

		ck_assert(fcntl(accepted[i], F_GETFL) & O_NONBLOCK);
		ck_assert(fcntl(accepted[i], F_GETFD) & FD_CLOEXEC);
		ck_assert_int_eq(getsockopt(accepted[i], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		ck_assert_int_ne(on, 0);
		/* what the listening socket was given */
		ck_assert_int_eq(getsockopt(accepted[i], SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
		ck_assert_int_ne(on, 0);
		ck_assert_int_eq(getsockopt(accepted[i], IPPROTO_TCP, TCP_KEEPIDLE, &on, &len), 0);
		ck_assert_int_eq(on, 77);
		ck_assert_int_eq(getsockopt(accepted[i], IPPROTO_TCP, TCP_USER_TIMEOUT, &on, &len), 0);
		ck_assert_int_eq(on, 12345);
		addr_format(&peers[i], text, sizeof(text));
		ck_assert_str_eq(text, host);
		ck_assert_int_eq(getsockname(fd[i], (struct sockaddr *)&ss, &slen), 0);
		addr_from_sockaddr(&mine, &ss);
		ck_assert(addr_is_equal(&mine, &peers[i]));
		close(fd[i]);
	}
	ck_assert(fcntl(l->fd, F_GETFD) & FD_CLOEXEC);
	end(l);
}
END_TEST

START_TEST(address_in_use)
{
	struct listener *l = tcp("127.0.0.1"), *again;
	struct addr at;
	char expect[128];

	ck_assert_msg(l != NULL, "%s", error);
	ck_assert(addr_parse(&at, "127.0.0.1", port_of(l)));
	again = listener_new_tcp(&at, &options, error, sizeof(error));
	ck_assert_ptr_null(again);
	snprintf(expect, sizeof(expect), "cannot listen on 127.0.0.1:%u: Address already in use", at.port);
	ck_assert_str_eq(error, expect);
	listener_free(l);
	/* several processes or workers may share it when both ask for that */
	options.reuse_port = true;
	l = listener_new_tcp(&at, &options, error, sizeof(error));
	again = listener_new_tcp(&at, &options, error, sizeof(error));
	ck_assert(l != NULL && again != NULL);
	listener_free(l);
	listener_free(again);
}
END_TEST

START_TEST(stopped_inside_on_accept)
{
	struct listener *l = start(tcp("127.0.0.1"));
	int a = dial("127.0.0.1", port_of(l)), b = dial("127.0.0.1", port_of(l));

	stops = true;
	until(1);
	rig_turns(&loop, 3);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(listener_start(l, &loop), 0);
	/* the other one has waited in the kernel */
	until(2);
	listener_free(l);
	close(a);
	close(b);
}
END_TEST

/* as the kernel tells: it counts in repetitions of the handshake's answer, after 1, 3, 7 … seconds */
static int defers(const struct listener *l)
{
	socklen_t len = sizeof(int);
	int seconds = -1;

	ck_assert_int_eq(getsockopt(l->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &len), 0);
	return seconds;
}

START_TEST(silence_is_the_kernels)
{
	struct listener *l;

	options.defer_seconds = 7;
	l = start(tcp("127.0.0.1"));
	ck_assert_int_eq(defers(l), 7);
	listener_defer(l, 3);
	ck_assert_int_eq(defers(l), 3);
	listener_defer(l, 0);
	ck_assert_int_eq(defers(l), 0);
	end(l);
	options.defer_seconds = 0;
	l = start(tcp("127.0.0.1"));
	ck_assert_int_eq(defers(l), 0);
	end(l);
	/* nothing for a file */
	l = start(listener_new_unix(path, &options, error, sizeof(error)));
	listener_defer(l, 3);
	end(l);
}
END_TEST

START_TEST(out_of_descriptors)
{
	struct listener *l = start(tcp("127.0.0.1"));
	struct rlimit limit, low;
	int fd[4], highest;

	for (unsigned i = 0; i < 4; i++)
		fd[i] = dial("127.0.0.1", port_of(l));
	highest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(highest);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)highest + 1; /* room for one more */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	/* it takes what it can, says so, and rests; it does not spin */
	ck_assert_uint_le(rig_nap(&loop, 90), 12);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_ge(starved, 1);
	ck_assert_uint_le(starved, 2);
	ck_assert_int_eq(starved_err, EMFILE);
	/* once there is room again the rest comes within a second */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	uint64_t start_at = loop.engine->now(&loop);

	until(4);
	ck_assert_uint_lt(loop.engine->now(&loop) - start_at, 1000000);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
	end(l);
}
END_TEST

START_TEST(stopped_while_it_rests)
{
	struct listener *l = start(tcp("127.0.0.1"));

	listener_rest(l, ENFILE);
	ck_assert_uint_eq(starved, 1);
	listener_stop(l);
	rig_nap(&loop, 150);
	ck_assert(!l->is_watched);
	listener_free(l);
}
END_TEST

START_TEST(unix_peer_is_known)
{
	struct listener *l = start(listener_new_unix(path, &options, error, sizeof(error)));
	int fd = dial_unix(path);
	uid_t uid;

	ck_assert_int_ge(fd, 0);
	until(1);
	ck_assert_int_eq(peers[0].family, ADDR_UNIX);
	memcpy(&uid, peers[0].ip, sizeof(uid));
	ck_assert_uint_eq(uid, getuid());
	close(fd);
	end(l);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(unix_abstract)
{
	char name[64];
	struct listener *l;
	int fd;

	snprintf(name, sizeof(name), "@fynix-listener-%d", getpid());
	l = start(listener_new_unix(name, &options, error, sizeof(error)));
	fd = dial_unix(name);
	ck_assert_int_ge(fd, 0);
	until(1);
	ck_assert_ptr_null(listener_new_unix(name, &options, error, sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "in use"));
	close(fd);
	end(l);
}
END_TEST

START_TEST(unix_mode)
{
	static const struct {
		unsigned umask, mode;
	} rows[] = {{0, 0777}, {0, 0700}, {0077, 0777}, {0777, 0770}, {0022, 0666}, {0, 0}};
	mode_t before = umask(0);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct listener *l;
		struct stat st;

		umask(rows[i].umask);
		options.unix_mode = rows[i].mode;
		l = listener_new_unix(path, &options, error, sizeof(error));
		ck_assert_msg(l != NULL, "%s", error);
		/* the umask of the process is nobody else's to change: other threads make files */
		ck_assert_uint_eq(umask(rows[i].umask), rows[i].umask);
		ck_assert_int_eq(lstat(path, &st), 0);
		ck_assert(S_ISSOCK(st.st_mode));
		ck_assert_uint_eq(st.st_mode & 0777, rows[i].mode);
		listener_free(l);
	}
	umask(before);
}
END_TEST

/* The window between bind and chmod, seen from the side: nobody can connect before the mode is final. */
START_TEST(unix_is_born_with_its_mode)
{
	struct sockaddr_storage ss;
	struct stat st;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t before = umask(0);

	/* what listener.c relies on: the mode of the unbound socket is the file's, less the umask */
	ck_assert_int_eq(fchmod(fd, 0700), 0);
	ck_assert_int_eq(addr_unix_sockaddr(path, &ss, &len), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	/* bound, but nobody listens yet */
	ck_assert_int_eq(dial_unix(path), -1);
	umask(before);
	close(fd);
}
END_TEST

START_TEST(unix_group)
{
	struct group *own = getgrgid(getgid());
	struct listener *l;
	struct stat st;

	options.unix_group = "no such group here";
	ck_assert_ptr_null(listener_new_unix(path, &options, error, sizeof(error)));
	ck_assert_str_eq(error, "unix_socket_group: no such group \"no such group here\"");
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_ptr_nonnull(own);
	options.unix_group = own->gr_name;
	l = listener_new_unix(path, &options, error, sizeof(error));
	ck_assert_msg(l != NULL, "%s", error);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_gid, own->gr_gid);
	listener_free(l);
}
END_TEST

START_TEST(unix_stale_file_is_replaced)
{
	struct sockaddr_storage ss;
	struct listener *l;
	socklen_t len;
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	ck_assert_int_eq(addr_unix_sockaddr(path, &ss, &len), 0);
	ck_assert_int_eq(bind(dead, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(listen(dead, 1), 0);
	close(dead);
	ck_assert_int_eq(access(path, F_OK), 0);
	l = start(listener_new_unix(path, &options, error, sizeof(error)));
	fd = dial_unix(path);
	until(1);
	close(fd);
	end(l);
}
END_TEST

START_TEST(unix_live_socket_is_left_alone)
{
	struct listener *l = listener_new_unix(path, &options, error, sizeof(error));
	int fd[64];
	unsigned n = 0;
	char expect[160];

	ck_assert_msg(l != NULL, "%s", error);
	snprintf(expect, sizeof(expect), "unix socket %s is in use by a running process", path);
	ck_assert_ptr_null(listener_new_unix(path, &options, error, sizeof(error)));
	ck_assert_str_eq(error, expect);
	/* also when its queue is full: no waiting, no removal */
	while (n < ARRAY_LEN(fd) && (fd[n] = dial_unix(path)) >= 0)
		n++;
	ck_assert_uint_lt(n, ARRAY_LEN(fd));
	error[0] = '\0';
	ck_assert_ptr_null(listener_new_unix(path, &options, error, sizeof(error)));
	ck_assert_str_eq(error, expect);
	ck_assert_int_eq(access(path, F_OK), 0);
	while (n > 0)
		close(fd[--n]);
	listener_free(l);
}
END_TEST

START_TEST(unix_other_files_are_left_alone)
{
	char target[128];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	/* connect() says "refused" for a plain file, too */
	close(fd);
	ck_assert_ptr_null(listener_new_unix(path, &options, error, sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "not a socket"));
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(unlink(path), 0);
	/* nor is a link followed */
	snprintf(target, sizeof(target), "%s/victim", dir);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_ptr_null(listener_new_unix(path, &options, error, sizeof(error)));
	ck_assert_int_eq(access(target, F_OK), -1);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(unix_file_of_another_is_not_removed)
{
	struct listener *old = listener_new_unix(path, &options, error, sizeof(error)), *fresh;

	ck_assert_msg(old != NULL, "%s", error);
	/* a successor took the path over */
	ck_assert_int_eq(unlink(path), 0);
	fresh = listener_new_unix(path, &options, error, sizeof(error));
	ck_assert_msg(fresh != NULL, "%s", error);
	listener_free(old);
	ck_assert_int_eq(access(path, F_OK), 0);
	listener_free(fresh);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(unix_path_too_long)
{
	char lengthy[300];

	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[0] = '/';
	lengthy[sizeof(lengthy) - 1] = '\0';
	ck_assert_ptr_null(listener_new_unix(lengthy, &options, error, sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "too long"));
	ck_assert_ptr_null(listener_new_unix("/nonexistent/dir/s", &options, error, sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "No such file"));
}
END_TEST

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(tuning)
{
	static const struct listener_tuning t = {.keepalive = true,
						 .keepcnt = 3,
						 .keepidle = 17,
						 .keepintvl = 5,
						 .user_timeout_ms = 12345,
						 .socket_buffer = 40000},
					    none = {.keepalive = false};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), idle = option(fd, IPPROTO_TCP, TCP_KEEPIDLE);

	listener_tune(fd, &none);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), idle);
	listener_tune(fd, &t);
	ck_assert_int_ne(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 17);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 5);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
	/* the kernel doubles it */
	ck_assert_int_ge(option(fd, SOL_SOCKET, SO_SNDBUF), 40000);
	close(fd);
}
END_TEST

static bool has_ipv6(void)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	if (fd >= 0)
		close(fd);
	if (!has)
		printf("no IPv6 on this machine: ::1 is not tried\n");
	return has;
}

int main(void)
{
	Suite *s = suite_create("listener");
	TCase *t = tcase_create("all");

	folder_begin();
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, tcp_sockets, 0, has_ipv6() ? 2 : 1);
	tcase_add_test(t, address_in_use);
	tcase_add_test(t, stopped_inside_on_accept);
	tcase_add_test(t, silence_is_the_kernels);
	tcase_add_test(t, out_of_descriptors);
	tcase_add_test(t, stopped_while_it_rests);
	tcase_add_test(t, unix_peer_is_known);
	tcase_add_test(t, unix_abstract);
	tcase_add_test(t, unix_mode);
	tcase_add_test(t, unix_is_born_with_its_mode);
	tcase_add_test(t, unix_group);
	tcase_add_test(t, unix_stale_file_is_replaced);
	tcase_add_test(t, unix_live_socket_is_left_alone);
	tcase_add_test(t, unix_other_files_are_left_alone);
	tcase_add_test(t, unix_file_of_another_is_not_removed);
	tcase_add_test(t, unix_path_too_long);
	tcase_add_test(t, tuning);
	suite_add_tcase(s, t);
	return suite_run(s);
}
