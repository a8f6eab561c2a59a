#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] = "sockserver-httpd";

enum {
    BIND = 256,
    DIRECTORY,
    STRATEGY,
    MAX_WORKERS,
    HEADER,
    CONTENT_TYPE,
    DATA,
    INDEX,
    NO_LISTING,
    DOT_FILES,
    ACCESS_LOG,
    LOG_FORMAT,
    QUIET,
    HELP,
    VERSION
};

static const struct option long_options[] = {
    {"bind", required_argument, NULL, BIND},
    {"directory", required_argument, NULL, DIRECTORY},
    {"strategy", required_argument, NULL, STRATEGY},
    {"max-workers", required_argument, NULL, MAX_WORKERS},
    {"header", required_argument, NULL, HEADER},
    {"content-type", required_argument, NULL, CONTENT_TYPE},
    {"data", required_argument, NULL, DATA},
    {"index", required_argument, NULL, INDEX},
    {"no-listing", no_argument, NULL, NO_LISTING},
    {"dot-files", no_argument, NULL, DOT_FILES},
    {"access-log", required_argument, NULL, ACCESS_LOG},
    {"log-format", required_argument, NULL, LOG_FORMAT},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0}};

_Noreturn static void wrong_usage(const char *format, ...) SKS_PRINTF(1, 2);

static void wrong_usage(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; --help tells more\n");
    exit(2);
}

static void print_strategies(FILE *file)
{
    const char *name;

    for (size_t i = 0; (name = sks_strategy_names(i)); i++)
        fprintf(file, "%s%s", i ? ", " : "", name);
}

_Noreturn static void help(void)
{
    printf("Usage: %s [OPTION]... [PORT]\n"
           "Serves a directory over HTTP.\n\n"
           "  --bind ADDR        listen at this name or address, 127.0.0.1\n"
           "                     unless given; '*' stands for every address\n"
           "  --directory DIR    what to serve, the current directory unless\n"
           "                     given; -d is short for it\n"
           "  --strategy NAME    how requests run, threading unless given: ",
           program);
    print_strategies(stdout);
    printf(
        "\n"
        "  --max-workers N    run at most N connections at once\n"
        "  --header 'N: V'    add a field to each response\n"
        "  --content-type T   of files whose type is not known\n"
        "  --data /PATH=TEXT  answer this path with this text\n"
        "  --index NAMES      what to send for a directory, names with commas\n"
        "                     between, index.html,index.htm unless given\n"
        "  --no-listing       do not show what is in a directory\n"
        "  --dot-files        serve names that begin with a dot, too\n"
        "  --access-log FILE  write a line for each request there, to "
        "standard\n"
        "                     error unless given; - is standard output\n"
        "  --log-format F     common (unless given), combined or json\n"
        "  --quiet            write no such lines\n"
        "  --help             print this\n"
        "  --version          print the version\n\n"
        "PORT is 8000 unless given; with 0 the system chooses one.\n");
    exit(0);
}

static unsigned long read_number(const char *what, const char *text,
                                 unsigned long min, unsigned long max)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number < min ||
        number > max)
        wrong_usage("%s must be a number from %lu to %lu, not \"%s\"", what,
                    min, max, text);
    return number;
}

static void read_strategy(struct http_options *o, const char *name)
{
    o->strategy = sks_strategy_find(name);
    if (o->strategy != NULL)
        return;
    fprintf(stderr, "%s: no strategy is called \"%s\", only ", program, name);
    print_strategies(stderr);
    fprintf(stderr, "\n");
    exit(2);
}

/* Whether it is "Name: value" and one line. */
static void read_header(struct http_options *o, const char *line)
{
    size_t n = 0;

    while (http_is_token_char((unsigned char)line[n]))
        n++;
    if (n == 0 || line[n] != ':' || strpbrk(line, "\r\n") != NULL)
        wrong_usage("--header wants 'Name: value'");
    http_text_add(&o->fields, line, n + 1);
    http_text_puts(&o->fields, line[n + 1] == ' ' ? "" : " ");
    http_text_puts(&o->fields, line + n + 1);
    http_text_puts(&o->fields, "\r\n");
}

static void read_data(struct http_options *o, char *text)
{
    char *equals = strchr(text, '=');

    if (*text != '/' || equals == NULL)
        wrong_usage("--data wants /PATH=TEXT, not \"%s\"", text);
    if (o->data_count == HTTP_OPTION_MAX)
        wrong_usage("--data fits %d times", HTTP_OPTION_MAX);
    *equals = '\0';
    o->data_paths[o->data_count] = text;
    o->data_texts[o->data_count++] = equals + 1;
}

static void read_index(struct http_options *o, char *names)
{
    size_t n = 0;
    char *rest, *name = strtok_r(names, ",", &rest);

    for (; name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (n == HTTP_OPTION_MAX || strlen(name) > 255 || strchr(name, '/'))
            wrong_usage("--index wants names of files, not \"%s\"", name);
        o->index[n++] = name;
    }
    o->index[n] = NULL;
}

static void read_log_format(struct http_options *o, const char *name)
{
    static const char *const names[] = {"common", "combined", "json"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            o->log_format = (enum http_log_format)i;
            return;
        }
    }
    wrong_usage("--log-format is common, combined or json, not \"%s\"", name);
}

_Noreturn static void bad_option(char **argv)
{
    if (optopt > VERSION || optopt == 0 ||
        strncmp(argv[optind - 1], "--", 2) == 0)
        wrong_usage("bad option \"%s\"", argv[optind - 1]);
    wrong_usage("bad option \"-%c\"", optopt);
}

/* Options of the files. */
static void read_file_option(struct http_options *o, int option, char **argv)
{
    switch (option) {
    case 'd':
    case DIRECTORY:
        o->directory = optarg;
        break;
    case HEADER:
        read_header(o, optarg);
        break;
    case CONTENT_TYPE:
        if (strpbrk(optarg, "\r\n") || strchr(optarg, '/') == NULL)
            wrong_usage("\"%s\" is no content type", optarg);
        o->content_type = optarg;
        break;
    case DATA:
        read_data(o, optarg);
        break;
    case INDEX:
        read_index(o, optarg);
        break;
    case NO_LISTING:
        o->lists = 0;
        break;
    case DOT_FILES:
        o->shows_dot_files = 1;
        break;
    case ':':
        wrong_usage("%s wants a value", argv[optind - 1]);
    default:
        bad_option(argv);
    }
}

static void read_option(struct http_options *o, int option, char **argv)
{
    switch (option) {
    case BIND:
        o->host = strcmp(optarg, "*") == 0 ? NULL : optarg;
        break;
    case STRATEGY:
        read_strategy(o, optarg);
        break;
    case MAX_WORKERS:
        o->max_workers =
            (unsigned)read_number("--max-workers", optarg, 1, UINT_MAX);
        break;
    case ACCESS_LOG:
        o->access_log = optarg;
        break;
    case LOG_FORMAT:
        read_log_format(o, optarg);
        break;
    case QUIET:
        o->quiet = 1;
        break;
    case HELP:
        help();
    case VERSION:
        printf("%s %s\n", program, sks_version());
        exit(0);
    default:
        read_file_option(o, option, argv);
    }
}

void http_options_read(struct http_options *o, int argc, char **argv)
{
    int option;

    *o = (struct http_options){.host = "127.0.0.1",
                               .port = 8000,
                               .strategy = sks_threading(),
                               .directory = ".",
                               .content_type = "application/octet-stream",
                               .index = {"index.html", "index.htm"},
                               .lists = 1};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":d:", long_options, NULL)) != -1)
        read_option(o, option, argv);
    if (argc - optind > 1)
        wrong_usage("one PORT is enough, \"%s\" is too much", argv[optind + 1]);
    if (argc > optind)
        o->port = (int)read_number("PORT", argv[optind], 0, 65535);
    http_text_add(&o->fields, "", 1);
}
