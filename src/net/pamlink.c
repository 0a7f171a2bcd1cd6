/*
 * pamlink.c - authentication and account management of one PAM service.
 *
 * The conversation answers questions for a password and nothing else.
 */
#include "net/pamlink.h"

#include <stdio.h>

#include "config.h"

#ifdef HAVE_PAM

#include "base/mem.h"

#include <netdb.h>
#include <security/pam_appl.h>
#include <string.h>

/* PAM takes the answers and frees them by free(). */
static void pamlink_drop_answers(struct pam_response *answer, int n)
{
	for (int i = 0; i < n; i++) {
		if (answer[i].resp != NULL)
			secret_wipe(answer[i].resp, strlen(answer[i].resp));
		mem_free(answer[i].resp);
	}
	mem_free(answer);
}

static bool pamlink_answer(const struct pam_message *question, const struct secret *password, struct pam_response *answer)
{
	switch (question->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		answer->resp = mem_try_alloc(password->len + 1);
		if (answer->resp == NULL)
			return false;
		memcpy(answer->resp, password->data, password->len);
		answer->resp[password->len] = '\0';
		return true;
	case PAM_ERROR_MSG:
	case PAM_TEXT_INFO:
		return true;
	default:
		return false;
	}
}

static int pamlink_converse(int n, const struct pam_message **question, struct pam_response **answers, void *arg)
{
	struct pam_response *answer;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	answer = mem_try_zalloc((size_t)n * sizeof(*answer));
	if (answer == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (pamlink_answer(question[i], arg, &answer[i]))
			continue;
		pamlink_drop_answers(answer, n);
		return PAM_CONV_ERR;
	}
	/* a module that only has something to say may want no answers */
	if (answers != NULL)
		*answers = answer;
	else
		pamlink_drop_answers(answer, n);
	return PAM_SUCCESS;
}

/* A module that wants to make whoever guesses wait would make the helper wait. */
static void pamlink_no_delay(int rc FX_UNUSED, unsigned us FX_UNUSED, void *arg FX_UNUSED)
{
}

static void pamlink_host(const struct pamlink_ask *ask, char *host, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len;

	if (ask->use_hostname && (ask->peer->family == ADDR_IPV4 || ask->peer->family == ADDR_IPV6)) {
		len = addr_to_sockaddr(ask->peer, &ss);
		if (getnameinfo((struct sockaddr *)&ss, len, host, (socklen_t)size, NULL, 0, NI_NAMEREQD) == 0)
			return;
	}
	if (ask->peer->family == ADDR_UNIX)
		snprintf(host, size, "[local]");
	else
		addr_format(ask->peer, host, size);
}

static int pamlink_items(pam_handle_t *pam, const struct pamlink_ask *ask)
{
	union {
		void (*fn)(int rc, unsigned us, void *arg);
		const void *item;
	} no_delay = {.fn = pamlink_no_delay};
	char host[NI_MAXHOST];
	int rc;

	pamlink_host(ask, host, sizeof(host));
	rc = pam_set_item(pam, PAM_RHOST, host);
#ifdef PAM_FAIL_DELAY
	if (rc == PAM_SUCCESS)
		rc = pam_set_item(pam, PAM_FAIL_DELAY, no_delay.item);
#endif
	return rc;
}

static int pamlink_start(const struct pamlink_ask *ask, const struct pam_conv *conv, pam_handle_t **pam)
{
	if (ask->dir == NULL)
		return pam_start(ask->service, ask->user, conv, pam);
#ifdef HAVE_PAM_START_CONFDIR
	return pam_start_confdir(ask->service, ask->user, conv, ask->dir, pam);
#else
	return PAM_SYSTEM_ERR;
#endif
}

bool pamlink_check(const struct pamlink_ask *ask, char *why)
{
	const struct pam_conv conv = {.conv = pamlink_converse, .appdata_ptr = (void *)ask->password};
	const char *what = "pam_start";
	pam_handle_t *pam = NULL;
	int rc = pamlink_start(ask, &conv, &pam);

	if (rc == PAM_SUCCESS) {
		what = "pam_set_item";
		rc = pamlink_items(pam, ask);
	}
	if (rc == PAM_SUCCESS) {
		what = "authentication";
		rc = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (rc == PAM_SUCCESS) {
		/* expired, not at this hour, not from there ... */
		what = "account";
		rc = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (rc != PAM_SUCCESS)
		snprintf(why, PAMLINK_WHY_MAX, "PAM service %.64s: %s: %s", ask->service, what, pam_strerror(pam, rc));
	if (pam != NULL)
		(void)pam_end(pam, rc);
	return rc == PAM_SUCCESS;
}

#else

bool pamlink_check(const struct pamlink_ask *ask FX_UNUSED, char *why)
{
	snprintf(why, PAMLINK_WHY_MAX, "fynixpool was built without PAM");
	return false;
}

#endif
