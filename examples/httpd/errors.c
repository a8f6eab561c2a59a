/* Responses that need no more than a status: errors and redirections. */
#include "fields.h"
#include "reply.h"

#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    const char *text;
} texts[] = {
    {200, "OK"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Unknown";
}

static const char page[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>%d %s</title>\n<h1>%s</h1>\n<p>Status %d.</p>\n</html>\n";

/* A head that was refused may have no fields to ask. */
static int wants_json(const struct http_exchange *x)
{
    return x->head.line.len > 0 && http_prefers_json(&x->head);
}

int http_reply_error(struct http_exchange *x, int status, const char *lines)
{
    const char *words = http_status_text(status);
    int json = wants_json(x);
    char content[512];
    int n =
        json ? snprintf(content, sizeof content,
                        "{\"status\": %d, \"error\": \"%s\"}\n", status, words)
             : snprintf(content, sizeof content, page, status, words, words,
                        status);

    http_reply_begin(x, status);
    http_reply_field(x, "Content-Type",
                     json ? "application/json" : "text/html; charset=utf-8");
    http_reply_field(x, "Vary", "Accept");
    http_reply_lines(x, lines, strlen(lines));
    return http_reply_body(x, content, (size_t)n);
}

int http_reply_redirect(struct http_exchange *x, int status,
                        const char *location)
{
    http_reply_begin(x, status);
    http_reply_field(x, "Location", location);
    return http_reply_body(x, "", 0);
}
