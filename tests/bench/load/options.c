/* See options.h. */
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: bench_load [OPTION]... HOST PORT\n"
    "Closed-loop load on an echo server over IPv4; one JSON line at the end.\n"
    "  --mode NAME        stream (kept TCP connections), connect (one a\n"
    "                     request) or datagram (UDP); default: stream\n"
    "  --connections N    so many at a time, or packets in flight (1)\n"
    "  --size BYTES       of a payload (64)\n"
    "  --seconds S        how long to run (1)\n"
    "  --count N          stop after so many round trips (no limit)\n"
    "  --warmup S         run so long before, off the record (0)\n"
    "  --stall S          give up when no reply comes for so long (5)\n"
    "  --spin S           poll for so long before sleeping (0)\n"
    "  --steered          say \"ready\" before the run and wait for a line on\n"
    "                     standard input; after it, wait for another one\n";

#ifdef __clang__
static const char compiler[] = __VERSION__;
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

enum {
    OPTION_MODE = 256,
    OPTION_CONNECTIONS,
    OPTION_SIZE,
    OPTION_SECONDS,
    OPTION_COUNT,
    OPTION_WARMUP,
    OPTION_STALL,
    OPTION_SPIN,
    OPTION_STEERED,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"mode", required_argument, NULL, OPTION_MODE},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"stall", required_argument, NULL, OPTION_STALL},
    {"spin", required_argument, NULL, OPTION_SPIN},
    {"steered", no_argument, NULL, OPTION_STEERED},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0}};

_Noreturn static void fail_usage(void)
{
    fputs(usage, stderr);
    exit(2);
}

_Noreturn static void print_and_exit(const char *text)
{
    puts(text);
    exit(0);
}

static double number(const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= min && value <= max))
        load_fail(0, "%s: not a number from %g to %g", text, min, max);
    return value;
}

static const struct load_mode *find_mode(const char *name)
{
    static const struct load_mode *const modes[] = {&load_stream, &load_connect,
                                                    &load_datagram};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i]->name, name) == 0)
            return modes[i];
    load_fail(0, "%s: no such mode", name);
}

static void parse_number(struct load_options *options, int option)
{
    switch (option) {
    case OPTION_CONNECTIONS:
        options->connections = (uint32_t)number(optarg, 1, 1e5);
        break;
    case OPTION_SIZE:
        options->size = (size_t)number(optarg, 1, LOAD_SIZE_MAX);
        break;
    case OPTION_SECONDS:
        options->seconds = number(optarg, 0, 3600);
        break;
    case OPTION_COUNT:
        options->count = (uint64_t)number(optarg, 1, 1e12);
        break;
    case OPTION_WARMUP:
        options->warmup_seconds = number(optarg, 0, 60);
        break;
    case OPTION_STALL:
        options->stall_seconds = number(optarg, 0.1, 600);
        break;
    case OPTION_SPIN:
        options->spin_seconds = number(optarg, 0, 1);
        break;
    default:
        fail_usage();
    }
}

static void parse_address(struct load_options *options, const char *host,
                          const char *port)
{
    options->server.sin_family = AF_INET;
    options->server.sin_port = htons((uint16_t)number(port, 1, 65535));
    if (inet_pton(AF_INET, host, &options->server.sin_addr) != 1)
        load_fail(0, "%s: not an IPv4 address", host);
}

const struct load_mode *options_parse(int argc, char **argv,
                                      struct load_options *options)
{
    const struct load_mode *mode = &load_stream;
    int option;

    *options = (struct load_options){.connections = 1,
                                     .size = 64,
                                     .seconds = 1,
                                     .stall_seconds = 5};
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPTION_HELP)
            print_and_exit(usage);
        else if (option == OPTION_VERSION)
            print_and_exit(compiler);
        else if (option == OPTION_MODE)
            mode = find_mode(optarg);
        else if (option == OPTION_STEERED)
            options->steered = 1;
        else
            parse_number(options, option);
    }
    if (argc - optind != 2)
        fail_usage();
    parse_address(options, argv[optind], argv[optind + 1]);
    return mode;
}
