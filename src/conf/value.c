/*
 * value.c - texts of single values to numbers, and the words of the enums.
 */
#include "conf/value.h"

#include "base/str.h"
#include "conf/conf.h"

#include <string.h>

static bool value_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *p, at least one. */
static int value_digits(const char **p, uint64_t *out)
{
	uint64_t v = 0;

	if (!value_is_digit(**p))
		return -1;
	for (; value_is_digit(**p); (*p)++) {
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
			__builtin_add_overflow(v, (uint64_t)(**p - '0'), &v))
			return -1;
	}
	*out = v;
	return 0;
}

int value_int(const char *text, int64_t *out)
{
	bool minus = *text == '-';
	uint64_t v;

	text += minus;
	if (value_digits(&text, &v) < 0 || *text != '\0' || v > INT64_MAX)
		return -1;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return 0;
}

int value_octal(const char *text, int64_t *out)
{
	int64_t v = 0;

	if (*text != '0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '7' || v > INT32_MAX)
			return -1;
		v = v * 8 + (*text - '0');
	}
	*out = v;
	return 0;
}

int value_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"1", "on", "yes", "true"};
	static const char *const no[] = {"0", "off", "no", "false"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_is_equal_nocase(text, yes[i]) || str_is_equal_nocase(text, no[i])) {
			*out = str_is_equal_nocase(text, yes[i]);
			return 0;
		}
	}
	return -1;
}

static int value_time_unit(const char *word, uint64_t bare_us, uint64_t *unit)
{
	static const struct {
		const char *word;
		uint64_t us;
	} units[] = {
		{"us", 1},
		{"ms", 1000},
		{"s", 1000000},
		{"sec", 1000000},
		{"min", UINT64_C(60) * 1000000},
		{"h", UINT64_C(3600) * 1000000},
		{"d", UINT64_C(86400) * 1000000},
		{"w", UINT64_C(604800) * 1000000},
	};

	if (*word == '\0') {
		*unit = bare_us;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(word, units[i].word) == 0) {
			*unit = units[i].us;
			return 0;
		}
	}
	return -1;
}

int value_time(const char *text, uint64_t bare_us, uint64_t *out)
{
	uint64_t whole, unit, us, part = 0;
	const char *fraction = NULL;

	if (value_digits(&text, &whole) < 0)
		return -1;
	if (*text == '.') {
		fraction = ++text;
		if (!value_is_digit(*text))
			return -1;
		text += strspn(text, "0123456789");
	}
	text += strspn(text, " \t");
	if (value_time_unit(text, bare_us, &unit) < 0 || __builtin_mul_overflow(whole, unit, &us))
		return -1;
	if (fraction != NULL) {
		/* each digit is worth a tenth of the one before; units are below 2^40, so nothing overflows */
		uint64_t rest = 0, scale = 1;

		for (int i = 0; i < 6 && value_is_digit(*fraction); i++, fraction++) {
			rest = rest * 10 + (uint64_t)(*fraction - '0');
			scale *= 10;
		}
		part = unit / scale * rest + unit % scale * rest / scale;
	}
	return __builtin_add_overflow(us, part, out) ? -1 : 0;
}

int value_size(const char *text, uint64_t *out)
{
	static const char letters[] = "kmgt";
	uint64_t v;
	unsigned shift = 0;
	const char *at;

	if (value_digits(&text, &v) < 0)
		return -1;
	text += strspn(text, " \t");
	at = *text != '\0' ? strchr(letters, *text | 0x20) : NULL;
	if (at != NULL) {
		shift = 10 * ((unsigned)(at - letters) + 1);
		text++;
	}
	if (*text == 'b' || *text == 'B')
		text++;
	if (*text != '\0' || v > UINT64_MAX >> shift)
		return -1;
	*out = v << shift;
	return 0;
}

static const char *const value_modes[] = {
	[CONF_POOL_SESSION] = "session",
	[CONF_POOL_TRANSACTION] = "transaction",
	[CONF_POOL_STATEMENT] = "statement",
};
static const char *const value_auths[] = {
	[CONF_AUTH_ANY] = "any",
	[CONF_AUTH_TRUST] = "trust",
	[CONF_AUTH_PLAIN] = "plain",
	[CONF_AUTH_MD5] = "md5",
	[CONF_AUTH_CERT] = "cert",
	[CONF_AUTH_HBA] = "hba",
	[CONF_AUTH_LDAP] = "ldap",
	[CONF_AUTH_PAM] = "pam",
	[CONF_AUTH_PEER] = "peer",
	[CONF_AUTH_SCRAM] = "scram-sha-256",
};
static const char *const value_actions[] = {
	[CONF_ACTION_LOG] = "log",
	[CONF_ACTION_CANCEL] = "cancel",
	[CONF_ACTION_TERMINATE] = "terminate",
};
static const char *const value_tls[] = {
	[CONF_TLS_DISABLE] = "disable",
	[CONF_TLS_ALLOW] = "allow",
	[CONF_TLS_PREFER] = "prefer",
	[CONF_TLS_REQUIRE] = "require",
	[CONF_TLS_VERIFY_CA] = "verify-ca",
	[CONF_TLS_VERIFY_FULL] = "verify-full",
};
static const char *const value_formats[] = {[CONF_LOG_PLAIN] = "plain", [CONF_LOG_JSON] = "json"};
static const char *const value_negotiations[] = {
	[CONF_NEGOTIATION_POSTGRES] = "postgres",
	[CONF_NEGOTIATION_DIRECT] = "direct",
};

static const char *const value_weak_auths[] = {
	[CONF_WEAK_AUTH_REFUSE] = "refuse",
	[CONF_WEAK_AUTH_LOCAL] = "local",
	[CONF_WEAK_AUTH_ALLOW] = "allow",
};
static const char *const value_bindings[] = {
	[CONF_BINDING_DISABLE] = "disable",
	[CONF_BINDING_PREFER] = "prefer",
	[CONF_BINDING_REQUIRE] = "require",
};
static const char *const value_attaches[] = {
	[CONF_ATTACH_FIRST_QUERY] = "first_query",
	[CONF_ATTACH_LOGIN] = "login",
};
static const char *const value_engines[] = {
	[CONF_ENGINE_AUTO] = "auto",
	[CONF_ENGINE_LIBEV] = "libev",
	[CONF_ENGINE_URING] = "uring",
};
static const char *const value_protocols[] = {[CONF_PROTOCOL_3_0] = "3.0", [CONF_PROTOCOL_3_2] = "3.2"};
static const char *const value_hosts[] = {
	[CONF_HOSTS_ROUND_ROBIN] = "round-robin",
	[CONF_HOSTS_DISABLE] = "disable",
};

static const struct {
	const char *const *word;
	int count;
	const char *list;
} value_sets[] = {
	[VALUE_WORDS_MODE] = {value_modes, (int)ARRAY_LEN(value_modes), "session, transaction, statement"},
	[VALUE_WORDS_AUTH] = {value_auths, (int)ARRAY_LEN(value_auths),
		"any, trust, plain, md5, scram-sha-256, cert, hba, ldap, pam, peer"},
	[VALUE_WORDS_ACTION] = {value_actions, (int)ARRAY_LEN(value_actions), "log, cancel, terminate"},
	[VALUE_WORDS_TLS] = {value_tls, (int)ARRAY_LEN(value_tls),
		"disable, allow, prefer, require, verify-ca, verify-full"},
	[VALUE_WORDS_LOGFMT] = {value_formats, (int)ARRAY_LEN(value_formats), "plain, json"},
	[VALUE_WORDS_ATTACH] = {value_attaches, (int)ARRAY_LEN(value_attaches), "first_query, login"},
	[VALUE_WORDS_ENGINE] = {value_engines, (int)ARRAY_LEN(value_engines), "auto, libev, uring"},
	[VALUE_WORDS_PROTOCOL] = {value_protocols, (int)ARRAY_LEN(value_protocols), "3.0, 3.2"},
	[VALUE_WORDS_HOSTS] = {value_hosts, (int)ARRAY_LEN(value_hosts), "round-robin, disable"},
	[VALUE_WORDS_NEGOTIATION] = {value_negotiations, (int)ARRAY_LEN(value_negotiations), "postgres, direct"},
	[VALUE_WORDS_WEAKAUTH] = {value_weak_auths, (int)ARRAY_LEN(value_weak_auths), "refuse, local, allow"},
	[VALUE_WORDS_BINDING] = {value_bindings, (int)ARRAY_LEN(value_bindings), "disable, prefer, require"},
};

int value_word(enum value_words set, const char *text, int *out)
{
	for (int i = 0; i < value_sets[set].count; i++) {
		if (str_is_equal_nocase(value_sets[set].word[i], text)) {
			*out = i;
			return 0;
		}
	}
	return -1;
}

const char *value_word_name(enum value_words set, int number)
{
	return number >= 0 && number < value_sets[set].count ? value_sets[set].word[number] : NULL;
}

const char *value_word_list(enum value_words set)
{
	return value_sets[set].list;
}
