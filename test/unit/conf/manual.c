/*
 * manual.c - the settings as text for people.
 */
#include "test/unit/conf/manual.h"

#include "conf/option.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *title, *names;
} manual_groups[] = {
	{"Where clients come in", "listen_addr listen_port listen_backlog unix_socket_dir unix_socket_mode "
				  "unix_socket_group max_client_conn "
				  "max_unauthenticated_percent max_unauthenticated_address_percent max_db_client_connections "
				  "max_user_client_connections client_login_timeout stalled_login_grace "
				  "ignore_startup_parameters login_notify_message so_reuseport"},
	{"Who may come in", "auth_type auth_failure_delay auth_file admin_users stats_users scram_iterations auth_user "
			    "auth_query auth_dbname auth_query_ttl auth_hba_file "
			    "auth_ident_file auth_ldap_options auth_ldap_ca_file auth_pam_dir"},
	{"Size of the pools", "pool_mode default_pool_size max_overflow overflow_linger min_pool_size "
			      "reserve_pool_size reserve_pool_timeout "
			      "max_db_connections max_user_connections query_wait_timeout query_wait_notify"},
	{"Life of a server connection",
		"server_lifetime server_idle_timeout pool_pre_ping pre_ping_idle server_check_delay "
		"server_check_query "
		"server_connect_timeout server_login_retry server_reset_query server_reset_query_always "
		"server_clean_timeout server_protocol "
		"session_attach server_round_robin server_fast_close pool_idle_timeout autodb_idle_timeout"},
	{"Time limits and long queries",
		"query_timeout transaction_timeout idle_transaction_timeout client_idle_timeout "
		"cancel_wait_timeout "
		"long_query_time long_query_action query_text_size query_text_hide_literals monitor_user monitor_password "
		"suspend_timeout"},
	{"Process and threads", "worker_threads io_engine user allow_core_dump pidfile conffile job_name"},
	{"Log and statistics", "logfile log_format verbose log_connections log_disconnections "
			       "log_pooler_errors log_stats stats_period syslog "
			       "syslog_facility syslog_ident"},
	{"Protocol", "max_packet_size max_prepared_statements max_statement_memory reuse_unnamed_statements "
		     "track_extra_parameters "
		     "application_name_add_host disable_pqexec pkt_buf "
		     "sbuf_loopcnt"},
	{"Network", "tcp_keepalive tcp_keepidle tcp_keepintvl tcp_keepcnt tcp_user_timeout tcp_defer_accept "
		    "tcp_socket_buffer "
		    "dns_max_ttl dns_nxdomain_ttl dns_zone_check_period resolv_conf"},
	{"TLS towards clients",
		"client_tls_sslmode client_tls_key_file client_tls_cert_file client_tls_ca_file "
		"client_tls_crl_file client_tls_protocols "
		"client_tls_ciphers client_tls13_ciphers client_tls_ecdhcurve client_tls_dheparams kernel_tls"},
	{"Login to servers", "password_ttl server_require_auth server_channel_binding server_weak_auth"},
	{"TLS towards servers", "server_tls_sslmode server_tls_negotiation server_tls_crl_file server_tls_ca_file server_tls_key_file "
				"server_tls_cert_file server_tls_protocols "
				"server_tls_ciphers server_tls13_ciphers"},
	{"Peers", "peer_id"},
};

const char *manual_group(size_t i, const char **names)
{
	if (i >= ARRAY_LEN(manual_groups))
		return NULL;
	*names = manual_groups[i].names;
	return manual_groups[i].title;
}

/* The settings of a group one by one; false at its end. */
static bool manual_next(const char **names, const struct option **o)
{
	char name[64];
	size_t n;

	*names += strspn(*names, " ");
	n = strcspn(*names, " ");
	if (n == 0)
		return false;
	CHECK(n < sizeof(name));
	memcpy(name, *names, n);
	name[n] = '\0';
	*names += n;
	*o = option_find(OPTION_GLOBAL, name);
	if (*o == NULL)
		fprintf(stderr, "manual: no setting %s\n", name);
	CHECK(*o != NULL);
	return true;
}

static const char *manual_scope(const struct option *o)
{
	bool database = strchr(o->scope, 'D') != NULL, user = strchr(o->scope, 'U') != NULL;

	return database && user ? "also per database and user"
	       : database       ? "also per database"
	       : user           ? "also per user"
				: NULL;
}

/* "integer, default 20 (in [pgbouncer] 10), also per database, needs a restart" */
static void manual_facts(struct buf *b, const struct option *o, const char *quote)
{
	const char *own = o->default_text[0] ? o->default_text[0] : "",
		   *pgb = o->default_text[1] ? o->default_text[1] : "";

	buf_append_str(b, option_type_name(o->type));
	if (own[0] == '\0')
		buf_append_str(b, ", not set");
	else
		buf_printf(b, ", default %s%s%s", quote, own, quote);
	if (strcmp(own, pgb) != 0 && pgb[0] != '\0')
		buf_printf(b, " (in [pgbouncer] %s%s%s)", quote, pgb, quote);
	else if (strcmp(own, pgb) != 0)
		buf_append_str(b, " (in [pgbouncer] not set)");
	if (manual_scope(o) != NULL)
		buf_printf(b, ", %s", manual_scope(o));
	if (!o->is_reloadable)
		buf_append_str(b, ", needs a restart");
	if (!o->is_effective)
		buf_append_str(b, ", accepted but not in effect yet");
}

/* text in lines of at most width, each after prefix */
static void manual_wrap(struct buf *b, const char *prefix, const char *text, size_t width)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > 0 && column + 1 + n > width) {
			buf_append_u8(b, '\n');
			column = 0;
		}
		if (column == 0)
			column = (size_t)buf_append_str(b, prefix) + strlen(prefix);
		else
			column += (size_t)buf_append_u8(b, ' ') + 1;
		buf_append(b, text, n);
		column += n;
		text += n + strspn(text + n, " ");
	}
	buf_append_u8(b, '\n');
}

static void manual_render_ini(struct buf *b)
{
	const struct option *o;
	const char *names;
	struct buf facts;

	buf_init(&facts, 0);
	for (size_t i = 0; manual_group(i, &names) != NULL; i++) {
		buf_printf(b, "\n;;;\n;;; %s\n;;;\n", manual_groups[i].title);
		while (manual_next(&names, &o)) {
			const char *value = o->default_text[0] ? o->default_text[0] : "";

			buf_reset(&facts);
			if (o->aliases[0] != '\0')
				buf_printf(&facts, "Also called %s. ", o->aliases);
			buf_printf(&facts, "%s (", o->help);
			manual_facts(&facts, o, "");
			buf_append_str(&facts, ")");
			buf_append_u8(b, '\n');
			manual_wrap(b, "; ", buf_text(&facts), 78);
			buf_printf(b, ";%s =%s%s\n", o->name, value[0] ? " " : "", value);
		}
	}
	buf_append_u8(b, '\n');
	buf_fini(&facts);
}

/* scdoc: what it would take for formatting is escaped */
static void manual_scd(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("*_\\<>#`[]", *text) != NULL)
			buf_append_u8(b, '\\');
		buf_append_u8(b, (uint8_t)*text);
	}
}

static void manual_scd_entry(struct buf *b, const struct option *o, const char *facts)
{
	buf_append_u8(b, '*');
	manual_scd(b, o->name);
	buf_append_u8(b, '*');
	if (o->aliases[0] != '\0') {
		buf_append_str(b, " (also *");
		manual_scd(b, o->aliases);
		buf_append_str(b, "*)");
	}
	buf_append_str(b, "\n\t");
	manual_scd(b, o->help);
	buf_append_str(b, "++\n");
	manual_scd(b, facts);
	buf_append_str(b, "\n\n");
}

static void manual_render_man(struct buf *b)
{
	const struct option *o;
	const char *names;
	struct buf facts;

	buf_init(&facts, 0);
	for (size_t i = 0; manual_group(i, &names) != NULL; i++) {
		buf_printf(b, "\n## %s\n\n", manual_groups[i].title);
		while (manual_next(&names, &o)) {
			buf_reset(&facts);
			buf_append_u8(&facts, '(');
			manual_facts(&facts, o, "");
			buf_append_u8(&facts, ')');
			manual_scd_entry(b, o, buf_text(&facts));
		}
	}
	buf_fini(&facts);
}

static void manual_render_man_keys(struct buf *b, enum option_table table)
{
	const struct option *o;
	char facts[128];

	buf_append_u8(b, '\n');
	for (size_t i = 0; (o = option_at(table, i)) != NULL; i++) {
		snprintf(facts, sizeof(facts), "(%s%s)", option_type_name(o->type),
			o->is_effective ? "" : ", accepted but not in effect yet");
		manual_scd_entry(b, o, facts);
	}
}

static void manual_render_man_databases(struct buf *b)
{
	manual_render_man_keys(b, OPTION_DATABASE);
}

static void manual_render_man_users(struct buf *b)
{
	manual_render_man_keys(b, OPTION_USER);
}

static void manual_render_md(struct buf *b)
{
	const struct option *o;
	const char *names;

	for (size_t i = 0; manual_group(i, &names) != NULL; i++) {
		buf_printf(b, "\n### %s\n\n| setting | what it does |\n|---|---|\n", manual_groups[i].title);
		while (manual_next(&names, &o)) {
			buf_printf(b, "| `%s`", o->name);
			if (o->aliases[0] != '\0')
				buf_printf(b, "<br>`%s`", o->aliases);
			buf_printf(b, " | %s<br>*", o->help);
			manual_facts(b, o, "`");
			buf_append_str(b, "* |\n");
		}
	}
	buf_append_u8(b, '\n');
}

static void manual_render_md_keys(struct buf *b, enum option_table table)
{
	const struct option *o;

	buf_append_str(b, "\n| key | what it does |\n|---|---|\n");
	for (size_t i = 0; (o = option_at(table, i)) != NULL; i++) {
		buf_printf(b, "| `%s`", o->name);
		if (o->aliases[0] != '\0')
			buf_printf(b, ", `%s`", o->aliases);
		buf_printf(b, " | %s%s |\n", o->help,
			o->is_effective ? "" : " *Accepted but not in effect yet.*");
	}
	buf_append_u8(b, '\n');
}

static void manual_render_md_databases(struct buf *b)
{
	manual_render_md_keys(b, OPTION_DATABASE);
}

static void manual_render_md_users(struct buf *b)
{
	manual_render_md_keys(b, OPTION_USER);
}

static const struct manual_block manual_blocks[] = {
	{"etc/fynixpool.ini", "settings", manual_render_ini},
	{"doc/fynixpool.ini.5.scd", "settings", manual_render_man},
	{"doc/fynixpool.ini.5.scd", "databases", manual_render_man_databases},
	{"doc/fynixpool.ini.5.scd", "users", manual_render_man_users},
	{"doc/configuration.md", "settings", manual_render_md},
	{"doc/configuration.md", "databases", manual_render_md_databases},
	{"doc/configuration.md", "users", manual_render_md_users},
};

const struct manual_block *manual_block(size_t i)
{
	return i < ARRAY_LEN(manual_blocks) ? &manual_blocks[i] : NULL;
}
