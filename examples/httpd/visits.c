#include "visits.h"

#include "body.h"
#include "cookies.h"
#include "fields.h"
#include "form.h"
#include "reply.h"
#include "sessions.h"

#include <string.h>

static const char cookie_name[] = "session";

static void count(struct http_session *session, void *arg)
{
    (void)arg;
    session->visits++;
}

static void set_name(struct http_session *session, const char *name)
{
    memcpy(session->name, name, strlen(name) + 1);
}

/* The client's session, or a new one.  A negative error if there is none. */
static int use_session(struct http_exchange *x, struct http_sessions *sessions,
                       void (*change)(struct http_session *, void *), void *arg,
                       struct http_session *session)
{
    struct http_bytes id = http_cookie_find(&x->head, cookie_name);
    int rc;

    if (id.data != NULL &&
        http_session_use(sessions, id.data, id.len, change, arg, session))
        return 0;
    rc = http_session_begin(sessions, session);
    if (rc == 0)
        http_session_use(sessions, session->id, HTTP_SESSION_ID_LEN, change,
                         arg, session);
    return rc;
}

/* Other sites' forms do not send it along, and scripts do not see it. */
static void put_cookie(struct http_exchange *x, const char *id, long max_age)
{
    const struct http_cookie cookie = {.name = cookie_name,
                                       .value = id,
                                       .path = "/",
                                       .max_age = max_age,
                                       .http_only = 1,
                                       .same_site = "Lax"};

    http_cookie_set(x, &cookie);
}

static void put_page(struct http_text *t, const struct http_session *session)
{
    http_text_puts(
        t, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width\">\n"
           "<meta name=\"color-scheme\" content=\"light dark\">\n"
           "<title>Visits</title>\n<h1>Hello");
    if (session->name[0] != '\0')
        http_text_puts(t, ", ");
    http_text_html(t, session->name, strlen(session->name));
    http_text_printf(t,
                     "</h1>\n<p>You have been here <b id=\"visits\">%llu</b> "
                     "time%s.</p>\n<form method=\"post\" action=\"/visits\">\n",
                     (unsigned long long)session->visits,
                     session->visits == 1 ? "" : "s");
    if (session->name[0] != '\0')
        http_text_puts(t, "<button name=\"logout\" value=\"1\">Log out"
                          "</button>\n");
    else
        http_text_printf(t,
                         "<label>Name <input name=\"name\" maxlength=\"%d\" "
                         "required></label>\n<button>Log in</button>\n",
                         HTTP_SESSION_NAME_MAX);
    http_text_puts(t, "</form>\n</html>\n");
}

static void put_json(struct http_text *t, const struct http_session *session)
{
    http_text_printf(t, "{\"visits\": %llu, \"name\": \"",
                     (unsigned long long)session->visits);
    http_text_json(t, session->name, strlen(session->name));
    http_text_puts(t, "\"}\n");
}

int http_visits_show(struct http_exchange *x, void *data)
{
    int json = http_prefers_json(&x->head), rc = 503;
    struct http_sessions *sessions = data;
    struct http_session session;
    struct http_text t = {0};

    if (use_session(x, sessions, count, NULL, &session) < 0)
        return 503;
    if (json)
        put_json(&t, &session);
    else
        put_page(&t, &session);
    if (!t.failed) {
        http_reply_begin(x, 200);
        http_reply_field(x, "Content-Type",
                         json ? "application/json"
                              : "text/html; charset=utf-8");
        http_reply_field(x, "Cache-Control", "no-store");
        http_reply_field(x, "Vary", "Accept, Cookie");
        put_cookie(x, session.id, http_sessions_lifetime(sessions));
        rc = http_reply_body(x, t.data, t.len);
    }
    http_text_free(&t);
    return rc;
}

static int go_back(struct http_exchange *x, const char *id, long max_age)
{
    http_reply_begin(x, 303);
    put_cookie(x, id, max_age);
    http_reply_field(x, "Location", "/visits");
    return http_reply_body(x, "", 0);
}

/* What was counted so far goes with the visitor. */
struct login {
    uint64_t visits;
    char name[HTTP_SESSION_NAME_MAX + 1];
};

static void note_visits(struct http_session *session, void *arg)
{
    struct login *login = arg;

    login->visits = session->visits;
}

static void take_login(struct http_session *session, void *arg)
{
    struct login *login = arg;

    session->visits = login->visits;
    set_name(session, login->name);
}

/* A session that gets more rights gets a new identifier: the old one may be
 * known to others. */
static int log_in(struct http_exchange *x, struct http_sessions *sessions,
                  struct login *login)
{
    struct http_bytes id = http_cookie_find(&x->head, cookie_name);
    struct http_session session;

    if (id.data != NULL) {
        http_session_use(sessions, id.data, id.len, note_visits, login,
                         &session);
        http_session_end(sessions, id.data, id.len);
    }
    if (http_session_begin(sessions, &session) < 0)
        return 503;
    http_session_use(sessions, session.id, HTTP_SESSION_ID_LEN, take_login,
                     login, &session);
    return go_back(x, session.id, http_sessions_lifetime(sessions));
}

static int log_out(struct http_exchange *x, struct http_sessions *sessions)
{
    struct http_bytes id = http_cookie_find(&x->head, cookie_name);

    if (id.data != NULL)
        http_session_end(sessions, id.data, id.len);
    return go_back(x, "", 0);
}

int http_visits_log_in_or_out(struct http_exchange *x, void *data)
{
    struct http_text form = {0};
    struct http_bytes bytes;
    struct login login = {0};
    char flag[8];
    int rc;

    if (!http_form_is_body(&x->head))
        return 415;
    rc = http_body_read_all(x, HTTP_FORM_MAX, &form);
    bytes = (struct http_bytes){form.data, form.len};
    if (rc == 0 && http_form_value(bytes, "logout", flag, sizeof flag) > 0)
        rc = log_out(x, data);
    else if (rc == 0 &&
             http_form_value(bytes, "name", login.name, sizeof login.name) > 0)
        rc = log_in(x, data, &login);
    else if (rc == 0)
        rc = 400;
    http_text_free(&form);
    return rc;
}
