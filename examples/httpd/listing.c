#include "listing.h"

#include "beneath.h"
#include "directory.h"
#include "fields.h"
#include "form.h"
#include "reply.h"

#include <string.h>

static const char *const orders[] = {"name", "size", "time"};
static const char *const titles[] = {"Name", "Size", "Modified"};

/* How a listing is to be sorted. */
struct sorting {
    enum http_order order;
    int descending;
};

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{font-family:system-ui,sans-serif;margin:1rem auto;max-width:60rem;"
    "padding:0 .75rem}\n"
    "h1{font-size:1.25rem;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{padding:.4rem .5rem;text-align:left;"
    "border-bottom:1px solid #8884}\n"
    "td:first-child{overflow-wrap:anywhere}\n"
    "th+th,td+td{text-align:right;white-space:nowrap}\n"
    "a{text-decoration:none}\na:hover{text-decoration:underline}\n"
    "@media(max-width:30rem){th:last-child,td:last-child{display:none}}\n"
    "</style>\n";

static struct sorting read_sorting(struct http_bytes query)
{
    struct sorting s = {HTTP_BY_NAME, 0};
    char value[16];

    if (query.data == NULL)
        return s;
    if (http_form_value(query, "sort", value, sizeof value) > 0)
        for (int i = 0; i < 3; i++)
            if (strcmp(value, orders[i]) == 0)
                s.order = (enum http_order)i;
    if (http_form_value(query, "order", value, sizeof value) > 0)
        s.descending = strcmp(value, "desc") == 0;
    return s;
}

static void put_heading(struct http_text *t, const char *path, struct sorting s)
{
    http_text_puts(t, "<!DOCTYPE html>\n<html lang=\"en\">\n"
                      "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                      "content=\"width=device-width, initial-scale=1\">\n"
                      "<title>/");
    http_text_html(t, path, strlen(path));
    http_text_puts(t, "</title>\n");
    http_text_puts(t, style);
    http_text_puts(t, "<h1>/");
    http_text_html(t, path, strlen(path));
    http_text_puts(t, "</h1>\n<table>\n<thead><tr>");
    for (int i = 0; i < 3; i++) {
        int is_this = s.order == (enum http_order)i;
        int flips = is_this && !s.descending;

        http_text_printf(t, "<th><a href=\"?sort=%s%s\">%s%s</a></th>",
                         orders[i], flips ? "&amp;order=desc" : "", titles[i],
                         !is_this       ? ""
                         : s.descending ? " &darr;"
                                        : " &uarr;");
    }
    http_text_puts(t, "</tr></thead>\n<tbody>\n");
    if (*path != '\0')
        http_text_puts(t, "<tr><td><a href=\"../\">../</a></td><td></td>"
                          "<td></td></tr>\n");
}

static void put_size(struct http_text *t, int64_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double number = (double)size / 1024;
    int i = 0;

    if (size < 1024) {
        http_text_printf(t, "%d B", (int)size);
        return;
    }
    while (number >= 1024 && i < 3) {
        number /= 1024;
        i++;
    }
    http_text_printf(t, "%.1f %s", number, units[i]);
}

/* "2026-11-22 10:37", in UTC. */
static void put_time(struct http_text *t, time_t when, const char *format)
{
    char text[40];
    struct tm tm;

    gmtime_r(&when, &tm);
    http_text_add(t, text, strftime(text, sizeof text, format, &tm));
}

static void put_row(struct http_text *t, const struct http_entry *e)
{
    const char *slash = e->is_directory ? "/" : "";
    size_t n = strlen(e->name);

    http_text_puts(t, "<tr><td><a href=\"");
    http_text_url(t, e->name, n);
    http_text_printf(t, "%s\">", slash);
    http_text_html(t, e->name, n);
    http_text_printf(t, "%s</a></td><td>", slash);
    if (!e->is_directory)
        put_size(t, e->size);
    http_text_puts(t, "</td><td>");
    put_time(t, e->modified, "%Y-%m-%d %H:%M");
    http_text_puts(t, "</td></tr>\n");
}

static void put_html(struct http_text *t, const char *path,
                     const struct http_directory *d, struct sorting s)
{
    put_heading(t, path, s);
    for (size_t i = 0; i < d->count; i++)
        put_row(t, &d->entries[i]);
    http_text_puts(t, "</tbody>\n</table>\n");
    if (d->is_cut)
        http_text_printf(t, "<p>Only %d entries are shown.</p>\n",
                         HTTP_ENTRIES_MAX);
    http_text_puts(t, "</html>\n");
}

static void put_json(struct http_text *t, const char *path,
                     const struct http_directory *d)
{
    http_text_puts(t, "{\"path\": \"/");
    http_text_json(t, path, strlen(path));
    http_text_printf(t, "\", \"complete\": %s, \"entries\": [",
                     d->is_cut ? "false" : "true");
    for (size_t i = 0; i < d->count; i++) {
        const struct http_entry *e = &d->entries[i];

        http_text_puts(t, i > 0 ? ",\n{\"name\": \"" : "\n{\"name\": \"");
        http_text_json(t, e->name, strlen(e->name));
        http_text_puts(t, "\", \"href\": \"");
        http_text_url(t, e->name, strlen(e->name));
        http_text_printf(t, "%s\", \"type\": \"%s\", \"size\": %lld, ",
                         e->is_directory ? "/" : "",
                         e->is_directory ? "directory" : "file",
                         e->is_directory ? 0 : (long long)e->size);
        http_text_puts(t, "\"modified\": \"");
        put_time(t, e->modified, "%Y-%m-%dT%H:%M:%SZ");
        http_text_puts(t, "\"}");
    }
    http_text_puts(t, "\n]}\n");
}

static int reply(struct http_exchange *x, const char *path,
                 const struct http_directory *d, struct sorting s)
{
    int json = http_prefers_json(&x->head), rc = 503;
    struct http_text t = {0};

    if (json)
        put_json(&t, path, d);
    else
        put_html(&t, path, d, s);
    if (!t.failed) {
        http_reply_begin(x, 200);
        http_reply_field(x, "Content-Type",
                         json ? "application/json"
                              : "text/html; charset=utf-8");
        http_reply_field(x, "Vary", "Accept");
        http_reply_field(x, "Content-Security-Policy",
                         "default-src 'none'; style-src 'unsafe-inline'");
        rc = http_reply_body(x, t.data, t.len);
    }
    http_text_free(&t);
    return rc;
}

int http_listing_serve(struct http_exchange *x, const struct http_files *files,
                       const char *path)
{
    struct http_directory d = {0};
    struct sorting s = read_sorting(x->query);
    int rc = http_directory_read(&d, files->root, path, files->shows_dot_files);

    if (rc == 0) {
        http_directory_sort(&d, s.order, s.descending);
        rc = reply(x, path, &d, s);
    } else {
        rc = http_open_status(rc);
    }
    http_directory_free(&d);
    return rc;
}
