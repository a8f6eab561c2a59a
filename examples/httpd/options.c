#include "options.h"

#include "routes.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { SECONDS_MAX = 24 * 60 * 60 };

/* Whether it is "Name: value" and one line. */
static void read_header(const struct program_option *option, void *field,
                        char *line)
{
    struct http_options *o = field;
    size_t n = 0;

    while (http_is_token_char((unsigned char)line[n]))
        n++;
    if (n == 0 || line[n] != ':' || strpbrk(line, "\r\n") != NULL)
        program_wrong_usage("--%s wants 'Name: value'", option->name);
    http_text_add(&o->fields, line, n + 1);
    http_text_puts(&o->fields, line[n + 1] == ' ' ? "" : " ");
    http_text_puts(&o->fields, line + n + 1);
    http_text_puts(&o->fields, "\r\n");
}

static void read_data(const struct program_option *option, void *field,
                      char *text)
{
    struct http_options *o = field;
    char *equals = strchr(text, '=');

    if (*text != '/' || equals == NULL)
        program_wrong_usage("--%s wants /PATH=TEXT, not \"%s\"", option->name,
                            text);
    if (o->data_count == HTTP_OPTION_MAX)
        program_wrong_usage("--%s fits %d times", option->name,
                            HTTP_OPTION_MAX);
    *equals = '\0';
    if (http_route_has_parameters(text))
        program_wrong_usage("--%s wants one path, not the pattern \"%s\"",
                            option->name, text);
    o->data_paths[o->data_count] = text;
    o->data_texts[o->data_count++] = equals + 1;
}

static void read_index(const struct program_option *option, void *field,
                       char *names)
{
    struct http_options *o = field;
    size_t n = 0;
    char *rest, *name = strtok_r(names, ",", &rest);

    for (; name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (n == HTTP_OPTION_MAX || strlen(name) > 255 || strchr(name, '/'))
            program_wrong_usage("--%s wants names of files, not \"%s\"",
                                option->name, name);
        o->index[n++] = name;
    }
    o->index[n] = NULL;
}

static void read_log_format(const struct program_option *option, void *field,
                            char *name)
{
    struct http_options *o = field;
    static const char *const names[] = {"common", "combined", "json"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            o->log_format = (enum http_log_format)i;
            return;
        }
    }
    program_wrong_usage("--%s is common, combined or json, not \"%s\"",
                        option->name, name);
}

static void read_content_type(const struct program_option *option, void *field,
                              char *type)
{
    if (strpbrk(type, "\r\n") || strchr(type, '/') == NULL)
        program_wrong_usage("\"%s\" is no content type", type);
    program_read_string(option, field, type);
}

static void read_seconds(const struct program_option *option, void *field,
                         char *value)
{
    int *ms = field;

    *ms = (int)program_number(option, value, 1, SECONDS_MAX) * 1000;
}

static void read_seconds_or_none(const struct program_option *option,
                                 void *field, char *value)
{
    int *ms = field;

    *ms = (int)program_number(option, value, 0, SECONDS_MAX) * 1000;
}

static void read_bytes(const struct program_option *option, void *field,
                       char *value)
{
    int64_t *bytes = field;

    *bytes = (int64_t)program_number(option, value, 0, LONG_MAX);
}

static const struct program_option more[] = {
    {"directory", "DIR", "what to serve, the current directory unless given",
     program_read_string, offsetof(struct http_options, directory), 'd'},
    {"header", "'N: V'", "add a field to each response", read_header, 0, 0},
    {"content-type", "T", "of files whose type is not known", read_content_type,
     offsetof(struct http_options, content_type), 0},
    {"data", "/PATH=TEXT", "answer this path with this text", read_data, 0, 0},
    {"index", "NAMES",
     "what to send for a directory, names with commas between, "
     "index.html,index.htm unless given",
     read_index, 0, 0},
    {"no-listing", NULL, "do not show what is in a directory",
     program_clear_flag, offsetof(struct http_options, lists), 0},
    {"dot-files", NULL, "serve names that begin with a dot, too",
     program_set_flag, offsetof(struct http_options, shows_dot_files), 0},
    {"access-log", "FILE",
     "write a line for each request there, to standard error unless given; - "
     "is standard output",
     program_read_string, offsetof(struct http_options, access_log), 0},
    {"log-format", "F", "common (unless given), combined or json",
     read_log_format, 0, 0},
    {"quiet", NULL, "write no such lines", program_set_flag,
     offsetof(struct http_options, quiet), 0},
    {"defer-accept", "S",
     "seconds for which the system may keep a connection that says nothing, 10 "
     "unless given; 0: none",
     read_seconds_or_none,
     offsetof(struct http_options, limits.defer_accept_ms), 0},
    {"first-byte-timeout", "S",
     "seconds for a new connection to say anything, 20 unless given",
     read_seconds, offsetof(struct http_options, limits.first_byte_ms), 0},
    {"header-timeout", "S",
     "seconds from the first byte of a header to its last, 10 unless given",
     read_seconds, offsetof(struct http_options, limits.head_ms), 0},
    {"body-timeout", "S", "seconds for all of a body, 30 unless given",
     read_seconds, offsetof(struct http_options, limits.body_ms), 0},
    {"idle-timeout", "S",
     "seconds that a connection is kept between requests, 20 unless given",
     read_seconds, offsetof(struct http_options, limits.idle_ms), 0},
    {"write-timeout", "S",
     "seconds to wait for a client that does not read, 20 unless given",
     read_seconds, offsetof(struct http_options, limits.write_ms), 0},
    {"max-body", "BYTES", "refuse longer bodies, 1048576 unless given",
     read_bytes, offsetof(struct http_options, limits.body_max), 0},
    {0}};

const struct program http_program = {.name = "sockserver-httpd",
                                     .about = "Serves a directory over HTTP.",
                                     .kinds = PROGRAM_ONLY_TCP,
                                     .more = more};

void http_options_read(struct http_options *o, int argc, char **argv)
{
    *o = (struct http_options){.shared = {.host = "127.0.0.1",
                                          .port = 8000,
                                          .strategy = sks_threading()},
                               .directory = ".",
                               .content_type = "application/octet-stream",
                               .index = {"index.html", "index.htm"},
                               .lists = 1,
                               .limits = http_default_limits};
    program_read_options(&http_program, &o->shared, o, argc, argv);
    http_text_add(&o->fields, "", 1);
}
