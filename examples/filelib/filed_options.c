#include "filed_options.h"

#include "protocol.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BIND = 256,
    UNIX_PATH,
    ROOT,
    STRATEGY,
    MAX_WORKERS,
    MAX_FILE_SIZE,
    QUOTA,
    MIN_FREE,
    READ_ONLY,
    ALLOW,
    TOKEN_FILE,
    IDLE,
    QUIET,
    HELP,
    VERSION
};

static const struct option long_options[] = {
    {"bind", required_argument, NULL, BIND},
    {"unix", required_argument, NULL, UNIX_PATH},
    {"root", required_argument, NULL, ROOT},
    {"strategy", required_argument, NULL, STRATEGY},
    {"max-workers", required_argument, NULL, MAX_WORKERS},
    {"max-file-size", required_argument, NULL, MAX_FILE_SIZE},
    {"quota", required_argument, NULL, QUOTA},
    {"min-free", required_argument, NULL, MIN_FREE},
    {"read-only", no_argument, NULL, READ_ONLY},
    {"allow", required_argument, NULL, ALLOW},
    {"token-file", required_argument, NULL, TOKEN_FILE},
    {"idle", required_argument, NULL, IDLE},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0}};

static const char usage[] =
    "Usage: sockserver-filed [OPTION]... [PORT]\n"
    "Serves a folder of files: clients list, download and upload them.\n\n"
    "  --root DIR             the folder, the current one unless given\n"
    "  --bind ADDR            listen at this name or address; '*' stands for\n"
    "                         every one.  Unless given: every one with a\n"
    "                         token file, 127.0.0.1 without\n"
    "  --unix PATH            listen at a Unix socket instead\n"
    "  --token-file FILE      serve those who know one of its tokens: a line\n"
    "                         USER TOKEN each\n"
    "  --read-only            take no uploads and change nothing\n"
    "  --allow WORD,...       allow delete, rename, replace\n"
    "  --max-file-size BYTES  the largest file that can be uploaded\n"
    "  --quota BYTES          how large the library may become\n"
    "  --min-free BYTES       what uploads leave free on the disk\n"
    "  --idle SECONDS         how long a client may be silent, 120 unless\n"
    "                         given\n"
    "  --max-workers N        serve at most N clients at once\n"
    "  --quiet                write no line for each command\n"
    "  --help                 print this\n"
    "  --version              print the version\n"
    "  --strategy NAME        how clients are served, forking unless given: ";

_Noreturn static void wrong_usage(const char *format, ...) SKS_PRINTF(1, 2);

static void wrong_usage(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "sockserver-filed: ");
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
    fputs(usage, stdout);
    print_strategies(stdout);
    printf("\n\nPORT is %d unless given; with 0 the system chooses one.  BYTES "
           "may end with\nK, M, G or T.\n",
           PROTOCOL_PORT);
    exit(0);
}

static long read_number(const char *what, const char *text, long min, long max)
{
    int64_t number = number_parse(text, strlen(text));

    if (number < min || number > max)
        wrong_usage("%s must be a number from %ld to %ld, not \"%s\"", what,
                    min, max, text);
    return (long)number;
}

static int64_t read_bytes(const char *what, const char *text)
{
    static const char units[] = "KMGT";
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] ? strchr(units, text[n]) : NULL;
    int shift = unit ? (int)(unit - units + 1) * 10 : 0;
    int64_t number = number_parse(text, n);

    if (number < 1 || text[n + (unit != NULL)] || number > INT64_MAX >> shift)
        wrong_usage("%s must be a number of bytes, not \"%s\"", what, text);
    return number * ((int64_t)1 << shift);
}

static void read_strategy(struct filed_options *options, const char *name)
{
    options->strategy = sks_strategy_find(name);
    if (options->strategy)
        return;
    fprintf(stderr, "sockserver-filed: no strategy is called \"%s\", only ",
            name);
    print_strategies(stderr);
    fprintf(stderr, "\n");
    exit(2);
}

static void read_allow(struct library_options *library, char *words)
{
    char *rest;

    for (char *word = strtok_r(words, ",", &rest); word;
         word = strtok_r(NULL, ",", &rest)) {
        if (strcmp(word, "delete") == 0)
            library->allow_delete = 1;
        else if (strcmp(word, "rename") == 0)
            library->allow_rename = 1;
        else if (strcmp(word, "replace") == 0)
            library->allow_replace = 1;
        else
            wrong_usage("--allow knows delete, rename and replace, not \"%s\"",
                        word);
    }
}

/* The options about the files.  @return 0 if it is none of them */
static int read_library_option(struct library_options *library, int option)
{
    switch (option) {
    case ROOT:
        library->root = optarg;
        return 1;
    case MAX_FILE_SIZE:
        library->max_file_size = read_bytes("--max-file-size", optarg);
        return 1;
    case QUOTA:
        library->quota = read_bytes("--quota", optarg);
        return 1;
    case MIN_FREE:
        library->min_free = read_bytes("--min-free", optarg);
        return 1;
    case READ_ONLY:
        library->read_only = 1;
        return 1;
    case ALLOW:
        read_allow(library, optarg);
        return 1;
    default:
        return 0;
    }
}

static void read_option(struct filed_options *options, int option, char **argv)
{
    switch (option) {
    case BIND:
        options->has_host = 1;
        options->host = strcmp(optarg, "*") == 0 ? NULL : optarg;
        break;
    case UNIX_PATH:
        options->path = optarg;
        break;
    case STRATEGY:
        read_strategy(options, optarg);
        break;
    case MAX_WORKERS:
        options->max_workers =
            (unsigned)read_number("--max-workers", optarg, 1, INT_MAX);
        break;
    case TOKEN_FILE:
        options->token_file = optarg;
        break;
    case IDLE:
        options->idle_s = (int)read_number("--idle", optarg, 1, 1000000);
        break;
    case QUIET:
        options->quiet = 1;
        break;
    case HELP:
        help();
    case VERSION:
        printf("sockserver-filed %s\n", sks_version());
        exit(0);
    case ':':
        wrong_usage("%s wants a value", argv[optind - 1]);
    default:
        wrong_usage("bad option \"%s\"", argv[optind - 1]);
    }
}

void filed_read_options(struct filed_options *options, int argc, char **argv)
{
    int option;

    *options = (struct filed_options){.library.root = ".",
                                      .port = PROTOCOL_PORT,
                                      .strategy = sks_forking(),
                                      .idle_s = 120};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
        if (!read_library_option(&options->library, option))
            read_option(options, option, argv);
    if (argc - optind > 1)
        wrong_usage("one PORT is enough, \"%s\" is too much", argv[optind + 1]);
    if (options->path && (argc > optind || options->has_host))
        wrong_usage("a Unix socket has neither --bind nor PORT");
    if (argc > optind)
        options->port = (int)read_number("PORT", argv[optind], 0, 65535);
    if (!options->has_host && !options->token_file)
        options->host = "127.0.0.1";
}
