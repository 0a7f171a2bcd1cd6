/*
 * args.c - the command line.
 */
#include "app/args.h"

#include "net/addr.h"
#include "report/version.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char args_help[] =
	"fynixpool is a connection pooler for PostgreSQL.\n"
	"\n"
	"Usage:\n"
	"  fynixpool [-d] [-q] [-v] [-u user] [-t] file\n"
	"  fynixpool auth-test [-d database] [--address=ADDR] [--tls] user [file]\n"
	"\n"
	"Options:\n"
	"  -d, --daemon         run in the background (needs pidfile and logfile)\n"
	"  -q, --quiet          write nothing to the terminal\n"
	"  -v, --verbose        log more; may be given twice\n"
	"  -u, --user=USER      become this user after start as root\n"
	"  -t, --test           check the file, print every problem, and exit\n"
	"  -V, --version        print the version and exit\n"
	"  -h, --help           print this text and exit\n"
	"\n"
	"Without a file the environment is the configuration: DATABASE_URL, DB_POOL_SIZE,\n"
	"DB_MAX_OVERFLOW, DB_POOL_RECYCLE, DB_POOL_PRE_PING.  See fynixpool(1) and fynixpool.ini(5).\n";

static const struct option args_long[] = {
	{"daemon", no_argument, NULL, 'd'},	   {"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},	   {"user", required_argument, NULL, 'u'},
	{"test", no_argument, NULL, 't'},	   {"check-config", no_argument, NULL, 't'},
	{"version", no_argument, NULL, 'V'},	   {"help", no_argument, NULL, 'h'},
	{"reboot", no_argument, NULL, 'R'},	   {NULL, 0, NULL, 0},
};

static const char args_auth_help[] =
	"fynixpool auth-test follows one user from the rules of access to the login at the server, and explains.\n"
	"\n"
	"Usage:\n"
	"  fynixpool auth-test [-d database] [--address=ADDR] [--tls] [-v] user [file]\n"
	"\n"
	"Options:\n"
	"  -d, --database=NAME  the database the client asks for; without it the user's name\n"
	"  -a, --address=ADDR   where the client comes from: a numeric address (127.0.0.1\n"
	"                       without it), or local for the Unix socket\n"
	"      --tls            the client comes by TLS\n"
	"  -v, --verbose        log more\n"
	"\n"
	"The password is asked for, or read from stdin.  Ends with 0 when the user gets through, else with 1.\n";

static const struct option args_auth_long[] = {
	{"database", required_argument, NULL, 'd'}, {"address", required_argument, NULL, 'a'}, {"tls", no_argument, NULL, 'T'},
	{"verbose", no_argument, NULL, 'v'},	    {"help", no_argument, NULL, 'h'},	       {NULL, 0, NULL, 0},
};

static void args_exit(struct args *a, int status)
{
	a->action = ARGS_EXIT;
	a->status = status;
}

/* The first line is what SHOW VERSION says.  The file that decides between the two is not read for this, but whoever
 * calls us pgbouncer has one with a section [pgbouncer]. */
static void args_print_version(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	bool is_pgbouncer = strcmp(slash != NULL ? slash + 1 : argv0, "pgbouncer") == 0;

	if (is_pgbouncer)
		printf("%s\n%s with a section [fynixpool]\n", version_text(CONF_PROFILE_PGBOUNCER),
		       version_text(CONF_PROFILE_FYNIXPOOL));
	else
		printf("%s\n%s with a section [pgbouncer]\n", version_text(CONF_PROFILE_FYNIXPOOL),
		       version_text(CONF_PROFILE_PGBOUNCER));
}

static void args_option(struct args *a, int option, const char *argv0)
{
	switch (option) {
	case 'd':
		a->daemon = true;
		break;
	case 'q':
		a->quiet = true;
		break;
	case 'v':
		a->verbose++;
		break;
	case 'u':
		a->user = optarg;
		break;
	case 't':
		a->action = ARGS_TEST;
		break;
	case 'V':
		args_print_version(argv0);
		args_exit(a, 0);
		break;
	case 'h':
		fputs(args_help, stdout);
		args_exit(a, 0);
		break;
	case 'R':
		fputs("fynixpool: taking over from a running process (-R) is not supported: stop it and start anew\n",
		      stderr);
		args_exit(a, 1);
		break;
	default:
		fputs("Try \"fynixpool --help\" for the options.\n", stderr);
		args_exit(a, 1);
		break;
	}
}

static void args_auth_option(struct args *a, int option)
{
	struct addr addr;

	switch (option) {
	case 'd':
		a->auth.database = optarg;
		break;
	case 'a':
		a->auth.address = strcmp(optarg, "local") != 0 ? optarg : NULL;
		if (a->auth.address == NULL || addr_parse(&addr, optarg, 0))
			break;
		fprintf(stderr, "fynixpool: \"%s\" is no numeric address, and not local\n", optarg);
		args_exit(a, 1);
		break;
	case 'T':
		a->auth.is_tls = true;
		break;
	case 'v':
		a->verbose++;
		break;
	case 'h':
		fputs(args_auth_help, stdout);
		args_exit(a, 0);
		break;
	default:
		fputs("Try \"fynixpool auth-test --help\" for the options.\n", stderr);
		args_exit(a, 1);
		break;
	}
}

/* Behind the word auth-test, which stands in the place of the program's name. */
static void args_auth_test(struct args *a, int argc, char **argv)
{
	int option;

	a->action = ARGS_AUTH_TEST;
	a->auth.address = "127.0.0.1";
	while (a->action != ARGS_EXIT && (option = getopt_long(argc, argv, "d:a:vh", args_auth_long, NULL)) != -1)
		args_auth_option(a, option);
	if (a->action == ARGS_EXIT)
		return;
	if (optind < argc)
		a->auth.user = argv[optind++];
	if (optind < argc)
		a->file = argv[optind++];
	if (a->auth.database == NULL)
		a->auth.database = a->auth.user;
	if (a->auth.user == NULL || optind < argc || (a->file == NULL && getenv("DATABASE_URL") == NULL)) {
		fputs("fynixpool: auth-test needs a user, and one configuration file or DATABASE_URL\n"
		      "Try \"fynixpool auth-test --help\" for the options.\n",
		      stderr);
		args_exit(a, 1);
	}
}

void args_parse(struct args *a, int argc, char **argv)
{
	int option;

	*a = (struct args){.action = ARGS_RUN};
	/* alone it is a file of that name, as it always was */
	if (argc > 2 && strcmp(argv[1], "auth-test") == 0) {
		args_auth_test(a, argc - 1, argv + 1);
		return;
	}
	while (a->action != ARGS_EXIT && (option = getopt_long(argc, argv, "dqvu:tVhR", args_long, NULL)) != -1)
		args_option(a, option, argc > 0 ? argv[0] : "");
	if (a->action == ARGS_EXIT)
		return;
	if (optind < argc)
		a->file = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "fynixpool: unexpected argument \"%s\"\n", argv[optind]);
		args_exit(a, 1);
	} else if (a->file == NULL && getenv("DATABASE_URL") == NULL) {
		fputs("fynixpool: no configuration file given, and DATABASE_URL is not set\n"
		      "Try \"fynixpool --help\" for the options.\n",
		      stderr);
		args_exit(a, 1);
	}
}
