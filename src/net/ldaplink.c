/*
 * ldaplink.c - simple bind, or search and bind, with OpenLDAP.
 *
 * A server that cannot be reached, hangs or is out of order is passed over for the next;
 * each has its share of the time that is left.
 */
#include "net/ldaplink.h"

#include "base/clock.h"
#include "base/lock.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

/* OpenLDAP sets itself up in the first call, and that one must be alone.  Held over it: it reads files and asks for the
 * name of this machine. */
static struct lock ldaplink_first;

void ldaplink_begin(void)
{
	lock_init(&ldaplink_first);
}

#ifdef HAVE_LDAP

#include <errno.h>
#include <ldap.h>
#include <poll.h>
#include <sys/time.h>

#define LDAPLINK_SERVER_US (5 * CLOCK_US_PER_SEC) /* for one that is not the last */
#define LDAPLINK_STEP_MIN_US UINT64_C(100000)

/* One server. */
struct ldaplink {
	const struct ldaplink_ask *ask;
	LDAP *ld;
	const char *uri;
	uint64_t until;
	char *why;
	struct ldap_conncb on_connect; /* borrowed by ld */
};

/* What an OpenLDAP call gave, as an answer of ours. */
static enum ldaplink_answer ldaplink_say(const struct ldaplink *l, const char *what, int rc)
{
	char *more = NULL;

	if (l->ld != NULL)
		(void)ldap_get_option(l->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	snprintf(l->why, LDAPLINK_WHY_MAX, "%.120s: %s: %s%s%.160s", l->uri, what, ldap_err2string(rc),
		 more != NULL && more[0] != '\0' ? ": " : "", more != NULL ? more : "");
	if (more != NULL)
		ldap_memfree(more);
	return LDAPLINK_UNKNOWN;
}

/* What is left; false: nothing. */
static bool ldaplink_left(const struct ldaplink *l, struct timeval *tv)
{
	uint64_t now = clock_mono_us(), left = l->until > now ? l->until - now : 0;

	*tv = (struct timeval){.tv_sec = (time_t)(left / CLOCK_US_PER_SEC), .tv_usec = (suseconds_t)(left % CLOCK_US_PER_SEC)};
	return left >= LDAPLINK_STEP_MIN_US;
}

/* Waits for the socket until there is no time left; false: there is none, errno is set. */
static bool ldaplink_wait(Sockbuf_IO_Desc *io, short events)
{
	const struct ldaplink *l = io->sbiod_pvt;
	struct pollfd p = {.fd = -1, .events = events};
	uint64_t now = clock_mono_us();
	int ms = l->until > now ? (int)((l->until - now) / 1000) + 1 : 0;

	(void)ber_sockbuf_ctrl(io->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
	if (ms > 0 && poll(&p, 1, ms) > 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

static ber_slen_t ldaplink_io_read(Sockbuf_IO_Desc *io, void *p, ber_len_t n)
{
	ber_slen_t rc;

	do {
		rc = LBER_SBIOD_READ_NEXT(io, p, n);
	} while (rc < 0 && (errno == EAGAIN || errno == EINTR) && ldaplink_wait(io, POLLIN));
	return rc;
}

static ber_slen_t ldaplink_io_write(Sockbuf_IO_Desc *io, void *p, ber_len_t n)
{
	ber_slen_t rc;

	do {
		rc = LBER_SBIOD_WRITE_NEXT(io, p, n);
	} while (rc < 0 && (errno == EAGAIN || errno == EINTR) && ldaplink_wait(io, POLLOUT));
	return rc;
}

static int ldaplink_io_ctrl(Sockbuf_IO_Desc *io, int option, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(io, option, arg);
}

static int ldaplink_io_setup(Sockbuf_IO_Desc *io, void *arg)
{
	io->sbiod_pvt = arg;
	return 0;
}

static int ldaplink_io_over(Sockbuf_IO_Desc *io FX_UNUSED)
{
	return 0;
}

static ber_slen_t ldaplink_top_read(Sockbuf_IO_Desc *io, void *p, ber_len_t n)
{
	return LBER_SBIOD_READ_NEXT(io, p, n);
}

/* What has been sent is not looked at again, and OpenLDAP frees it as it is. */
static ber_slen_t ldaplink_top_write(Sockbuf_IO_Desc *io, void *p, ber_len_t n)
{
	ber_slen_t rc = LBER_SBIOD_WRITE_NEXT(io, p, n);

	if (rc > 0)
		secret_wipe(p, (size_t)rc);
	return rc;
}

/* Between the socket and TLS: with a server that is silent in the handshake OpenLDAP would try again for ever.  And above
 * TLS: messages with passwords are wiped. */
static int ldaplink_on_connect(LDAP *ld FX_UNUSED, Sockbuf *sb, LDAPURLDesc *url FX_UNUSED, struct sockaddr *addr FX_UNUSED,
			       struct ldap_conncb *cb)
{
	static const Sockbuf_IO io = {
		.sbi_setup = ldaplink_io_setup,
		.sbi_remove = ldaplink_io_over,
		.sbi_ctrl = ldaplink_io_ctrl,
		.sbi_read = ldaplink_io_read,
		.sbi_write = ldaplink_io_write,
		.sbi_close = ldaplink_io_over,
	};

	static const Sockbuf_IO top = {
		.sbi_setup = ldaplink_io_setup,
		.sbi_remove = ldaplink_io_over,
		.sbi_ctrl = ldaplink_io_ctrl,
		.sbi_read = ldaplink_top_read,
		.sbi_write = ldaplink_top_write,
		.sbi_close = ldaplink_io_over,
	};

	if (ber_sockbuf_add_io(sb, (Sockbuf_IO *)&io, LBER_SBIOD_LEVEL_PROVIDER + 1, cb->lc_arg) != 0)
		return -1;
	return ber_sockbuf_add_io(sb, (Sockbuf_IO *)&top, LBER_SBIOD_LEVEL_APPLICATION, cb->lc_arg);
}

static void ldaplink_on_end(LDAP *ld FX_UNUSED, Sockbuf *sb FX_UNUSED, struct ldap_conncb *cb FX_UNUSED)
{
}

/* The next step may take what is left. */
static bool ldaplink_set_time(const struct ldaplink *l)
{
	struct timeval tv;

	return ldaplink_left(l, &tv) && ldap_set_option(l->ld, LDAP_OPT_NETWORK_TIMEOUT, &tv) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(l->ld, LDAP_OPT_TIMEOUT, &tv) == LDAP_OPT_SUCCESS;
}

static int ldaplink_bind(const struct ldaplink *l, const char *dn, const struct secret *password)
{
	struct berval cred = {.bv_len = 0, .bv_val = (char[]){""}};

	if (!ldaplink_set_time(l))
		return LDAP_TIMEOUT;
	if (password != NULL && password->data != NULL)
		cred = (struct berval){.bv_len = password->len, .bv_val = (char *)password->data};
	return ldap_sasl_bind_s(l->ld, dn, LDAP_SASL_SIMPLE, &cred, NULL, NULL, NULL);
}

static int ldaplink_set_options(struct ldaplink *l)
{
	const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, is_server = 0;
	int rc = ldap_set_option(l->ld, LDAP_OPT_PROTOCOL_VERSION, &version);

	l->on_connect = (struct ldap_conncb){.lc_add = ldaplink_on_connect, .lc_del = ldaplink_on_end, .lc_arg = l};
	if (rc == LDAP_OPT_SUCCESS)
		rc = ldap_set_option(l->ld, LDAP_OPT_CONNECT_CB, &l->on_connect);
	if (rc == LDAP_OPT_SUCCESS)
		rc = ldap_set_option(l->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	if (rc == LDAP_OPT_SUCCESS)
		rc = ldap_set_option(l->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
	if (rc == LDAP_OPT_SUCCESS && l->ask->ca_file != NULL)
		rc = ldap_set_option(l->ld, LDAP_OPT_X_TLS_CACERTFILE, l->ask->ca_file);
	/* the settings of TLS before it count from here on */
	if (rc == LDAP_OPT_SUCCESS && (l->ask->starts_tls || strncmp(l->uri, "ldaps:", 6) == 0))
		rc = ldap_set_option(l->ld, LDAP_OPT_X_TLS_NEWCTX, &is_server);
	return rc;
}

static bool ldaplink_open(struct ldaplink *l)
{
	int rc;

	lock_take(&ldaplink_first);
	rc = ldap_initialize(&l->ld, l->uri);
	lock_drop(&ldaplink_first);
	if (rc == LDAP_SUCCESS && ldaplink_set_options(l) != LDAP_OPT_SUCCESS)
		rc = LDAP_LOCAL_ERROR;
	if (rc == LDAP_SUCCESS && l->ask->starts_tls)
		rc = ldaplink_set_time(l) ? ldap_start_tls_s(l->ld, NULL, NULL) : LDAP_TIMEOUT;
	if (rc == LDAP_SUCCESS)
		return true;
	(void)ldaplink_say(l, l->ask->starts_tls ? "StartTLS" : "connecting", rc);
	return false;
}

/* Does the password fit this name? */
static enum ldaplink_answer ldaplink_try(const struct ldaplink *l, const char *dn)
{
	int rc = ldaplink_bind(l, dn, l->ask->password);

	switch (rc) {
	case LDAP_SUCCESS:
		return LDAPLINK_RIGHT;
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INVALID_DN_SYNTAX:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_CONSTRAINT_VIOLATION:
		(void)ldaplink_say(l, "bind", rc);
		return LDAPLINK_WRONG;
	default:
		return ldaplink_say(l, "bind", rc);
	}
}

/* *dn is given (ldap_memfree); NULL with LDAPLINK_WRONG: there is none, or not one alone. */
static enum ldaplink_answer ldaplink_found(const struct ldaplink *l, LDAPMessage *result, int rc, char **dn)
{
	LDAPMessage *entry = result != NULL ? ldap_first_entry(l->ld, result) : NULL;
	bool is_one = entry != NULL && ldap_next_entry(l->ld, entry) == NULL;

	if (rc != LDAP_SUCCESS && rc != LDAP_NO_SUCH_OBJECT && rc != LDAP_SIZELIMIT_EXCEEDED)
		return ldaplink_say(l, "search", rc);
	if (rc == LDAP_SUCCESS && is_one)
		*dn = ldap_get_dn(l->ld, entry);
	/* the empty name is nobody's: a bind with it succeeds with any password */
	if (*dn != NULL && **dn != '\0')
		return LDAPLINK_RIGHT;
	if (*dn != NULL)
		ldap_memfree(*dn);
	*dn = NULL;
	snprintf(l->why, LDAPLINK_WHY_MAX, "%.120s: the filter %.200s finds %s", l->uri, l->ask->filter,
		 entry == NULL || is_one ? "no user" : "more than one");
	return LDAPLINK_WRONG;
}

static enum ldaplink_answer ldaplink_search(const struct ldaplink *l, char **dn)
{
	static const int scopes[] = {
		[LDAPLINK_BASE] = LDAP_SCOPE_BASE, [LDAPLINK_ONE] = LDAP_SCOPE_ONELEVEL, [LDAPLINK_SUB] = LDAP_SCOPE_SUBTREE};
	char none[] = LDAP_NO_ATTRS, *attributes[] = {none, NULL};
	LDAPMessage *result = NULL;
	enum ldaplink_answer answer;
	int rc;

	*dn = NULL;
	rc = ldaplink_bind(l, l->ask->binddn != NULL ? l->ask->binddn : "", l->ask->bindpasswd);
	if (rc != LDAP_SUCCESS)
		return ldaplink_say(l, "bind as ldapbinddn", rc);
	if (!ldaplink_set_time(l))
		return ldaplink_say(l, "search", LDAP_TIMEOUT);
	rc = ldap_search_ext_s(l->ld, l->ask->basedn, scopes[l->ask->scope], l->ask->filter, attributes, 0, NULL, NULL, NULL, 2,
			       &result);
	answer = ldaplink_found(l, result, rc, dn);
	if (result != NULL)
		(void)ldap_msgfree(result);
	return answer;
}

/* For a user who is not there the same steps with a name that is not there: it takes as long. */
static enum ldaplink_answer ldaplink_pretend(const struct ldaplink *l)
{
	char why[LDAPLINK_WHY_MAX], dn[512];
	struct ldaplink other = *l;

	other.why = why;
	snprintf(dn, sizeof(dn), "cn=nobody%.300s%.200s", l->ask->basedn[0] != '\0' ? "," : "", l->ask->basedn);
	(void)ldaplink_try(&other, dn);
	return LDAPLINK_WRONG;
}

static enum ldaplink_answer ldaplink_judge(const struct ldaplink *l)
{
	enum ldaplink_answer answer;
	char *dn;

	if (l->ask->dn != NULL)
		return ldaplink_try(l, l->ask->dn);
	answer = ldaplink_search(l, &dn);
	if (answer == LDAPLINK_WRONG)
		return ldaplink_pretend(l);
	if (answer == LDAPLINK_UNKNOWN)
		return answer;
	answer = ldaplink_try(l, dn);
	ldap_memfree(dn);
	return answer;
}

static enum ldaplink_answer ldaplink_ask_one(const struct ldaplink_ask *ask, unsigned n, char *why)
{
	uint64_t now = clock_mono_us(), share = ask->until > now ? (ask->until - now) / (ask->uris - n) : 0;
	struct ldaplink l = {.ask = ask, .uri = ask->uri[n], .why = why};
	enum ldaplink_answer answer = LDAPLINK_UNKNOWN;

	if (n + 1 < ask->uris && share > LDAPLINK_SERVER_US)
		share = LDAPLINK_SERVER_US;
	l.until = now + share;
	if (ldaplink_open(&l))
		answer = ldaplink_judge(&l);
	if (l.ld != NULL)
		(void)ldap_unbind_ext(l.ld, NULL, NULL);
	return answer;
}

enum ldaplink_answer ldaplink_check(const struct ldaplink_ask *ask, char *why)
{
	enum ldaplink_answer answer = LDAPLINK_UNKNOWN;

	snprintf(why, LDAPLINK_WHY_MAX, "no time is left");
	if (ask->password->len == 0)
		return LDAPLINK_WRONG;
	for (unsigned i = 0; i < ask->uris && answer == LDAPLINK_UNKNOWN && clock_mono_us() < ask->until; i++)
		answer = ldaplink_ask_one(ask, i, why);
	return answer;
}

#else

enum ldaplink_answer ldaplink_check(const struct ldaplink_ask *ask FX_UNUSED, char *why)
{
	snprintf(why, LDAPLINK_WHY_MAX, "fynixpool was built without LDAP");
	return LDAPLINK_UNKNOWN;
}

#endif
