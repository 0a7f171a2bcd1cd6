/*
 * hbamatch.c - the first rule that fits.
 *
 * Whatever cannot be told ends the search: the rule might have been meant to reject.
 */
#include "auth/hbamatch.h"

#include <string.h>

#include "base/poison.h"

enum fit { NO, YES, UNKNOWN };

static enum fit fit_of(bool fits)
{
	return fits ? YES : NO;
}

static enum fit fit_of_role(const struct hbamatch_ask *ask, const char *role)
{
	switch (identmatch_is_member(ask->roles, role)) {
	case IDENTMATCH_NO:
		return NO;
	case IDENTMATCH_YES:
		return YES;
	case IDENTMATCH_UNKNOWN:
		break;
	}
	return UNKNOWN;
}

static enum fit fit_of_pattern(const struct pattern *p, const char *name)
{
	switch (pattern_match(p, name, NULL)) {
	case PATTERN_NO:
		return NO;
	case PATTERN_YES:
		return YES;
	case PATTERN_TOO_LONG:
		break;
	}
	return UNKNOWN;
}

static enum fit fit_name(const struct hba_name *name, const struct hbamatch_ask *ask, const char *given)
{
	switch (name->kind) {
	case HBA_EXACT:
		return fit_of(strcmp(name->text, given) == 0);
	case HBA_ALL:
		return YES;
	case HBA_SAMEUSER:
		return fit_of(strcmp(ask->user, given) == 0);
	case HBA_SAMEROLE:
		return fit_of_role(ask, given);
	case HBA_ROLE:
		return fit_of_role(ask, name->text);
	case HBA_PATTERN:
		return fit_of_pattern(name->pattern, given);
	case HBA_REPLICATION:
		break;
	}
	return NO;
}

/* one that fits is enough, whatever is not known of the others */
static enum fit fit_names(const struct hba_names *names, const struct hbamatch_ask *ask, const char *given)
{
	enum fit best = names->n == 0 ? YES : NO;

	for (size_t i = 0; i < names->n && best != YES; i++) {
		enum fit one = fit_name(&names->name[i], ask, given);

		if (one != NO)
			best = one;
	}
	return best;
}

static enum fit fit_database(const struct hba_rule *rule, const struct hbamatch_ask *ask)
{
	if (!ask->is_physical_replication)
		return fit_names(&rule->database, ask, ask->database);
	/* it has no database; only the keyword means it */
	for (size_t i = 0; i < rule->database.n; i++)
		if (rule->database.name[i].kind == HBA_REPLICATION)
			return YES;
	return fit_of(rule->database.n == 0);
}

static bool fit_conn(enum hba_conn conn, bool is_local, bool is_tls)
{
	switch (conn) {
	case HBA_ANYWAY:
		return true;
	case HBA_LOCAL:
		return is_local;
	case HBA_HOST:
	case HBA_HOSTNOGSS:
		return !is_local;
	case HBA_HOSTSSL:
		return !is_local && is_tls;
	case HBA_HOSTNOSSL:
		return !is_local && !is_tls;
	case HBA_HOSTGSS:
		break;
	}
	return false;
}

/* the address as rules mean it: mapped IPv4 is IPv4 */
struct place {
	uint8_t family; /* 4, 6; 0: none */
	uint8_t ip[16];
};

static struct place place_of(const struct addr *a)
{
	const uint8_t *ipv4 = addr_ipv4(a);
	struct place p = {.family = 0};

	if (ipv4 != NULL) {
		p.family = 4;
		memcpy(p.ip, ipv4, 4);
	} else if (a->family == ADDR_IPV6) {
		p.family = 6;
		memcpy(p.ip, a->ip, 16);
	}
	return p;
}

static bool place_is_in(const struct place *p, const uint8_t ip[16], const uint8_t mask[16])
{
	size_t n = p->family == 4 ? 4 : 16;

	for (size_t i = 0; i < n; i++)
		if (((p->ip[i] ^ ip[i]) & mask[i]) != 0)
			return false;
	return true;
}

static bool place_is_ours(const struct place *p, const struct ifaces *ifaces, bool is_net)
{
	static const uint8_t whole[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	for (size_t i = 0; ifaces != NULL && i < ifaces->n; i++) {
		const struct iface *f = &ifaces->list[i];
		struct place ours = place_of(&f->addr);

		if (ours.family == p->family && place_is_in(p, ours.ip, is_net ? f->mask : whole))
			return true;
	}
	return false;
}

static bool fit_place(const struct hba_rule *rule, const struct place *p, const struct hbamatch_ask *ask)
{
	switch (rule->net) {
	case HBA_NET_ALL:
		return true;
	case HBA_NET_MASK:
		return p->family == rule->family && place_is_in(p, rule->ip, rule->mask);
	case HBA_NET_SAMEHOST:
	case HBA_NET_SAMENET:
		return p->family != 0 && place_is_ours(p, ask->ifaces, rule->net == HBA_NET_SAMENET);
	}
	return false;
}

enum hbamatch_result hbamatch_find(const struct hba *hba, const struct hbamatch_ask *ask, const struct hba_rule **rule)
{
	bool is_local = ask->peer->family == ADDR_UNIX;
	struct place p = place_of(ask->peer);

	*rule = NULL;
	for (size_t i = 0; i < hba->rules; i++) {
		const struct hba_rule *r = &hba->rule[i];
		enum fit database, user;

		if (!fit_conn(r->conn, is_local, ask->is_tls) || (!is_local && !fit_place(r, &p, ask)))
			continue;
		database = fit_database(r, ask);
		user = database == NO ? NO : fit_names(&r->user, ask, ask->user);
		if (database == NO || user == NO)
			continue;
		*rule = r;
		return database == YES && user == YES ? HBAMATCH_RULE : HBAMATCH_UNDECIDED;
	}
	return HBAMATCH_NONE;
}
