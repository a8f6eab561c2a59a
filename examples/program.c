/* Reads the options that the programs share and serves as they say.  Wrong
 * usage ends with status 2, a fault at start with 1; each is told in one line
 * on standard error. */
#include "program.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIND = 256, STRATEGY, MAX_WORKERS, HELP, VERSION };

/* The options of the kinds are numbered as the kinds are. */
static const struct option long_options[] = {
    {"tcp", no_argument, NULL, PROGRAM_TCP},
    {"udp", no_argument, NULL, PROGRAM_UDP},
    {"unix", required_argument, NULL, PROGRAM_UNIX},
    {"unix-dgram", required_argument, NULL, PROGRAM_UNIX_DGRAM},
    {"bind", required_argument, NULL, BIND},
    {"strategy", required_argument, NULL, STRATEGY},
    {"max-workers", required_argument, NULL, MAX_WORKERS},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0}};

/* Everything that is known while the command line is read. */
struct reader {
    struct program_options *options;
    const char *name;
    const char *about;
    const char *port;
    int has_kind;
    int has_bind;
};

_Noreturn static void wrong_usage(const struct reader *reader,
                                  const char *format, ...) SKS_PRINTF(2, 3);

static void wrong_usage(const struct reader *reader, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", reader->name);
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

_Noreturn static void help(const struct reader *reader)
{
    printf("Usage: %s [OPTION]... [PORT]\n%s\n\n", reader->name, reader->about);
    printf("  --tcp              serve TCP connections: the default\n"
           "  --udp              serve UDP packets\n"
           "  --unix PATH        serve connections to a Unix socket\n"
           "  --unix-dgram PATH  serve datagrams to a Unix socket\n"
           "  --bind ADDR        listen at this name or address, 127.0.0.1\n"
           "                     unless given; '*' stands for every address\n"
           "  --strategy NAME    how requests run, threading unless given: ");
    print_strategies(stdout);
    printf("\n"
           "  --max-workers N    run at most N requests at once\n"
           "  --help             print this\n"
           "  --version          print the version\n\n"
           "PORT is 7777 unless given; with 0 the system chooses one.\n");
    exit(0);
}

/* Ends the program unless text is a decimal number from min to max. */
static unsigned long read_number(const struct reader *reader, const char *what,
                                 const char *text, unsigned long min,
                                 unsigned long max)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number < min ||
        number > max)
        wrong_usage(reader, "%s must be a number from %lu to %lu, not \"%s\"",
                    what, min, max, text);
    return number;
}

static void read_strategy(const struct reader *reader, const char *name)
{
    reader->options->strategy = sks_strategy_find(name);
    if (reader->options->strategy)
        return;
    fprintf(stderr, "%s: no strategy is called \"%s\", only ", reader->name,
            name);
    print_strategies(stderr);
    fprintf(stderr, "\n");
    exit(2);
}

static void read_kind(struct reader *reader, enum program_kind kind)
{
    if (reader->has_kind)
        wrong_usage(reader,
                    "only one of --tcp, --udp, --unix and --unix-dgram fits");
    reader->has_kind = 1;
    reader->options->kind = kind;
    reader->options->path = optarg;
}

_Noreturn static void bad_option(const struct reader *reader, char **argv)
{
    /* The short ones, of which there are none, may share a word. */
    if (optopt > VERSION || optopt <= PROGRAM_UNIX_DGRAM ||
        strncmp(argv[optind - 1], "--", 2) == 0)
        wrong_usage(reader, "bad option \"%s\"", argv[optind - 1]);
    wrong_usage(reader, "bad option \"-%c\"", optopt);
}

static void read_option(struct reader *reader, int option, char **argv)
{
    switch (option) {
    case BIND:
        reader->has_bind = 1;
        reader->options->host = strcmp(optarg, "*") == 0 ? NULL : optarg;
        break;
    case STRATEGY:
        read_strategy(reader, optarg);
        break;
    case MAX_WORKERS:
        reader->options->max_workers =
            (unsigned)read_number(reader, "--max-workers", optarg, 1, UINT_MAX);
        break;
    case HELP:
        help(reader);
    case VERSION:
        printf("%s %s\n", reader->name, sks_version());
        exit(0);
    case ':':
        wrong_usage(reader, "%s wants a value", argv[optind - 1]);
    case '?':
        bad_option(reader, argv);
    default:
        read_kind(reader, (enum program_kind)option);
    }
}

static void read_port(struct reader *reader, int argc, char **argv)
{
    int is_unix = reader->options->kind >= PROGRAM_UNIX;

    if (argc - optind > 1)
        wrong_usage(reader, "one PORT is enough, \"%s\" is too much",
                    argv[optind + 1]);
    if (is_unix && (argc > optind || reader->has_bind))
        wrong_usage(reader, "a Unix socket has neither --bind nor PORT");
    if (argc > optind)
        reader->options->port =
            (int)read_number(reader, "PORT", argv[optind], 0, 65535);
}

void program_read_options(struct program_options *options, const char *name,
                          const char *about, int argc, char **argv)
{
    struct reader reader = {.options = options, .name = name, .about = about};
    int option;

    *options = (struct program_options){.host = "127.0.0.1",
                                        .port = 7777,
                                        .strategy = sks_threading()};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
        read_option(&reader, option, argv);
    read_port(&reader, argc, argv);
}

static sks_server *new_server(const struct program_options *options,
                              const sks_handler *handler)
{
    switch (options->kind) {
    case PROGRAM_UDP:
        return sks_udp_server_new(options->host, options->port, handler);
    case PROGRAM_UNIX:
        return sks_unix_stream_server_new(options->path, handler);
    case PROGRAM_UNIX_DGRAM:
        return sks_unix_datagram_server_new(options->path, handler);
    case PROGRAM_TCP:
        break;
    }
    return sks_tcp_server_new(options->host, options->port, handler);
}

/* "sockserver-echod: echo on tcp 127.0.0.1:7777 (threading)".  Flushed, for
 * whoever waits for it in a pipe, and so that no child prints it again. */
static void announce(const struct program_options *options, const char *name,
                     const char *doing, const sks_server *server)
{
    const char *address;

    printf("%s: %s on %s ", name, doing, long_options[options->kind].name);
    for (size_t i = 0; (address = sks_server_address(server, i)); i++)
        printf("%s%s", i ? ", " : "",
               options->kind >= PROGRAM_UNIX ? options->path : address);
    printf(" (%s)\n", sks_strategy_name(options->strategy));
    fflush(stdout);
}

int program_serve(const struct program_options *options, const char *name,
                  const char *doing, const sks_handler *handler)
{
    sks_server *server = new_server(options, handler);
    int rc;

    sks_server_set_strategy(server, options->strategy, NULL);
    if (options->max_workers)
        sks_server_set_max_workers(server, options->max_workers);
    if ((rc = sks_server_bind(server)) == 0 &&
        (rc = sks_server_shutdown_on_signals(server)) == 0) {
        announce(options, name, doing, server);
        rc = sks_server_serve_forever(server);
    }
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", name, sks_server_error(server));
    sks_server_free(server);
    return rc < 0;
}
