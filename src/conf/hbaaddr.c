/*
 * hbaaddr.c - the address in a line of auth_hba_file: 10.0.0.0/8, 10.0.0.0 255.0.0.0, all, samehost, samenet.
 */
#include "conf/hba_impl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static uint8_t hbaaddr_numeric(const char *text, uint8_t ip[16])
{
	memset(ip, 0, 16);
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ip) == 1 ? 6 : 0;
}

static bool hbaaddr_prefix(struct hbaline *l, const char *text, uint8_t mask[16])
{
	unsigned bits = 0, max = l->rule.family == 4 ? 32 : 128;
	size_t n = strlen(text);

	if (n == 0 || n > 3 || strspn(text, "0123456789") != n)
		return hbaline_bad(l, "\"/%.40s\" is no length of a prefix: 0 to %u", text, max);
	for (size_t i = 0; i < n; i++)
		bits = bits * 10 + (unsigned)(text[i] - '0');
	if (bits > max)
		return hbaline_bad(l, "\"/%.40s\" is no length of a prefix: 0 to %u", text, max);
	memset(mask, 0, 16);
	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80u >> (i % 8));
	return true;
}

static bool hbaaddr_mask(struct hbaline *l, uint8_t mask[16])
{
	const struct rulefile_word *word = hbaline_word(l, "the mask (or write the address as 10.0.0.0/8)");

	if (word == NULL)
		return false;
	if (hbaaddr_numeric(word->text, mask) != l->rule.family)
		return hbaline_bad(l, "\"%.64s\" is no mask that fits the address", word->text);
	return true;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
static void hbaaddr_unmap(struct hba_rule *rule)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	uint8_t ones[12];

	memset(ones, 0xff, sizeof(ones));
	if (rule->family != 6 || memcmp(rule->ip, mapped, 12) != 0 || memcmp(rule->mask, ones, 12) != 0)
		return;
	rule->family = 4;
	memmove(rule->ip, rule->ip + 12, 4);
	memmove(rule->mask, rule->mask + 12, 4);
	memset(rule->ip + 4, 0, 12);
	memset(rule->mask + 4, 0, 12);
}

static void hbaaddr_trim(struct hbaline *l, const char *text)
{
	struct hba_rule *rule = &l->rule;
	bool is_more = false;

	for (size_t i = 0; i < 16; i++) {
		is_more = is_more || (rule->ip[i] & ~rule->mask[i]) != 0;
		rule->ip[i] &= rule->mask[i];
	}
	if (is_more)
		snprintf(l->warning, sizeof(l->warning),
			 "the address \"%.64s\" says more than its mask; what the mask leaves counts", text);
}

bool hbaaddr_parse(struct hbaline *l)
{
	const struct rulefile_word *word = hbaline_word(l, "an address");
	char text[64];
	const char *slash;
	uint8_t mask[16];
	size_t n;

	if (word == NULL)
		return false;
	if (!word->is_quoted && strcmp(word->text, "all") == 0)
		return true;
	if (!word->is_quoted && (strcmp(word->text, "samehost") == 0 || strcmp(word->text, "samenet") == 0)) {
		l->rule.net = strcmp(word->text, "samehost") == 0 ? HBA_NET_SAMEHOST : HBA_NET_SAMENET;
		return true;
	}
	slash = strchr(word->text, '/');
	n = slash != NULL ? (size_t)(slash - word->text) : strlen(word->text);
	snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) ? n : sizeof(text) - 1), word->text);
	l->rule.family = n < sizeof(text) ? hbaaddr_numeric(text, l->rule.ip) : 0;
	if (l->rule.family == 0)
		return hbaline_bad(l, "\"%.64s\" is no address; names of hosts are not supported, write 10.1.2.3/32",
				   word->text);
	if (!(slash != NULL ? hbaaddr_prefix(l, slash + 1, mask) : hbaaddr_mask(l, mask)))
		return false;
	memcpy(l->rule.mask, mask, sizeof(mask));
	l->rule.net = HBA_NET_MASK;
	hbaaddr_unmap(&l->rule);
	hbaaddr_trim(l, word->text);
	return true;
}
