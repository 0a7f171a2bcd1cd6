/*
 * main.c - reads the command line and the configuration, and runs the process.
 */
#include "app/args.h"
#include "app/authtest.h"
#include "app/process.h"
#include "base/log.h"
#include "net/tlsmem.h"
#include "pool/tlsset.h"

#include <stdio.h>
#include <time.h>

static void main_print(void *stream, const char *line)
{
	fprintf(stream, "%s\n", line);
}

static void main_print_report(const struct conf_report *r)
{
	conf_report_each(&r->errors, main_print, stderr);
	conf_report_each(&r->warnings, main_print, stderr);
}

int main(int argc, char **argv)
{
	struct conf_overrides overrides = {.user = NULL};
	struct conf_report report;
	struct conf *conf;
	struct args args;
	int status;

	tlsmem_count();
	args_parse(&args, argc, argv);
	if (args.action == ARGS_EXIT)
		return args.status;
	tzset();
	overrides.user = args.user;
	overrides.verbose = args.verbose;
	conf_report_init(&report);
	conf = conf_load(args.file, &overrides, &report);
	if (conf != NULL && tlsset_make(conf, NULL, &report) < 0) {
		conf_unref(conf);
		conf = NULL;
	}
	if (conf == NULL || args.action == ARGS_TEST || !args.quiet)
		main_print_report(&report);
	if (conf == NULL) {
		conf_report_fini(&report);
		return 1;
	}
	if (args.action == ARGS_TEST) {
		conf_report_fini(&report);
		conf_unref(conf);
		printf("%s: the configuration is good\n", args.file != NULL ? args.file : "environment");
		return 0;
	}
	if (args.action == ARGS_AUTH_TEST) {
		status = authtest_run(&args, conf);
		conf_report_fini(&report);
		conf_unref(conf);
		return status;
	}
	status = process_run(&args, conf, &report);
	conf_report_fini(&report);
	log_close();
	return status;
}
