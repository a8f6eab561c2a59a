/* Reads the command line: the options that the programs share, and those that
 * one program adds.  All are entries of tables, for getopt and for --help. */
#include "program.h"
#include "program_help.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTIONS_MAX = 48,      /* of a program */
    FIRST = 256,           /* what getopt returns for the first; no letter */
    WORKERS_MAX = 1 << 20, /* the most that the library takes */
    WRONG_USAGE = 2
};

/* What is known while the command line is read.  A process has one. */
static struct {
    const struct program *program;
    struct program_options *options;
    struct program_options defaults;
    const char *kind; /* the option that told it; NULL: none */
} now;

void program_wrong_usage(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", now.program->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; --help tells more\n");
    exit(WRONG_USAGE);
}

/* The number that text is, which the message calls dashes and name. */
static unsigned long read_number(const char *dashes, const char *name,
                                 const char *text, unsigned long min,
                                 unsigned long max)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number < min ||
        number > max)
        program_wrong_usage("%s%s must be a number from %lu to %lu, not \"%s\"",
                            dashes, name, min, max, text);
    return number;
}

unsigned long program_number(const struct program_option *option,
                             const char *value, unsigned long min,
                             unsigned long max)
{
    return read_number("--", option->name, value, min, max);
}

void program_read_string(const struct program_option *option, void *field,
                         char *value)
{
    (void)option;
    *(const char **)field = value;
}

void program_set_flag(const struct program_option *option, void *field,
                      char *value)
{
    (void)option;
    (void)value;
    *(int *)field = 1;
}

void program_clear_flag(const struct program_option *option, void *field,
                        char *value)
{
    (void)option;
    (void)value;
    *(int *)field = 0;
}

static void read_kind(const struct program_option *option, void *field,
                      char *value);

static void read_host(const struct program_option *option, void *field,
                      char *value)
{
    (void)option;
    now.options->has_host = 1;
    *(const char **)field = strcmp(value, "*") == 0 ? NULL : value;
}

static void read_strategy(const struct program_option *option, void *field,
                          char *value)
{
    const sks_strategy *strategy = sks_strategy_find(value);

    (void)option;
    *(const sks_strategy **)field = strategy;
    if (strategy)
        return;
    fprintf(stderr, "%s: no strategy is called \"%s\", only ",
            now.program->name, value);
    program_print_strategies(stderr);
    fprintf(stderr, "\n");
    exit(WRONG_USAGE);
}

static void read_max_workers(const struct program_option *option, void *field,
                             char *value)
{
    *(unsigned *)field =
        (unsigned)program_number(option, value, 1, WORKERS_MAX);
}

static void read_help(const struct program_option *option, void *field,
                      char *value);

static void read_version(const struct program_option *option, void *field,
                         char *value)
{
    (void)option;
    (void)field;
    (void)value;
    printf("%s %s\n", now.program->name, sks_version());
    exit(0);
}

/* The first ones are in the order of the kinds. */
static const struct program_option shared[] = {
    {"tcp", NULL, "serve TCP connections: the default", read_kind, 0, 0},
    {"udp", NULL, "serve UDP packets", read_kind, 0, 0},
    {"unix", "PATH", "serve connections to a Unix socket", read_kind, 0, 0},
    {"unix-dgram", "PATH", "serve datagrams to a Unix socket", read_kind, 0, 0},
    {"bind", "ADDR",
     "listen at this name or address ('*': at every one of the machine)",
     read_host, offsetof(struct program_options, host), 0},
    {"strategy", "NAME", "how clients are served", read_strategy,
     offsetof(struct program_options, strategy), 0},
    {"max-workers", "N", "serve at most N clients at once", read_max_workers,
     offsetof(struct program_options, max_workers), 0},
    {"help", NULL, "print this", read_help, 0, 0},
    {"version", NULL, "print the version", read_version, 0, 0},
    {0}};

/* Whether the program has a shared option: it may lack kinds, and if it has
 * one kind there is nothing to choose. */
static int has_option(const struct program *program, size_t i)
{
    if (shared[i].read != read_kind)
        return 1;
    return program->kinds != PROGRAM_ONLY_TCP && (program->kinds >> i & 1);
}

static void read_kind(const struct program_option *option, void *field,
                      char *value)
{
    (void)field;
    if (now.kind && strcmp(now.kind, option->name) != 0)
        program_wrong_usage("only one of --%s and --%s fits", now.kind,
                            option->name);
    now.kind = option->name;
    now.options->kind = (enum program_kind)(option - shared);
    now.options->path = value;
}

static void read_help(const struct program_option *option, void *field,
                      char *value)
{
    const struct program *program = now.program;
    const char *host =
        program->bind_default ? program->bind_default : now.defaults.host;

    (void)option;
    (void)field;
    (void)value;
    program_print_about(program);
    for (option = program->more; option && option->name; option++)
        program_print_option(option, NULL);
    for (size_t i = 0; shared[i].name; i++) {
        if (shared[i].read == read_strategy)
            program_print_strategy_option(&shared[i], now.defaults.strategy);
        else if (has_option(program, i))
            program_print_option(&shared[i],
                                 shared[i].read == read_host ? host : NULL);
    }
    program_print_notes(program, now.defaults.port);
    exit(0);
}

/* All options, in the form that getopt wants. */
struct parser {
    const struct program_option *options[OPTIONS_MAX];
    void *bases[OPTIONS_MAX]; /* what their offsets are in */
    struct option longs[OPTIONS_MAX + 1];
    char letters[2 * OPTIONS_MAX + 2];
    int count;
};

static void add_option(struct parser *parser,
                       const struct program_option *option, void *base)
{
    int i = parser->count++;
    char *letters = parser->letters + strlen(parser->letters);

    assert(i < OPTIONS_MAX);
    parser->options[i] = option;
    parser->bases[i] = base;
    parser->longs[i] =
        (struct option){option->name,
                        option->argument ? required_argument : no_argument,
                        NULL, FIRST + i};
    if (option->letter)
        snprintf(letters, 3, "%c%s", option->letter,
                 option->argument ? ":" : "");
}

_Noreturn static void bad_option(int option, char **argv)
{
    if (option == ':')
        program_wrong_usage("%s wants a value", argv[optind - 1]);
    /* Letters may share a word. */
    if (optopt > 0 && optopt < FIRST)
        program_wrong_usage("bad option \"-%c\"", optopt);
    program_wrong_usage("bad option \"%s\"", argv[optind - 1]);
}

static void read_option(const struct parser *parser, int got, char **argv)
{
    int i = got - FIRST;
    const struct program_option *option;

    if (got == ':' || got == '?')
        bad_option(got, argv);
    for (int k = 0; i < 0 && k < parser->count; k++)
        if (parser->options[k]->letter == got)
            i = k;
    option = parser->options[i];
    option->read(option, (char *)parser->bases[i] + option->field, optarg);
}

static void read_port(struct program_options *options, int argc, char **argv)
{
    if (argc - optind > 1)
        program_wrong_usage("one PORT is enough, \"%s\" is too much",
                            argv[optind + 1]);
    if (options->path && (argc > optind || options->has_host))
        program_wrong_usage("a Unix socket has neither --bind nor PORT");
    if (argc > optind)
        options->port = (int)read_number("", "PORT", argv[optind], 0, 65535);
}

void program_read_options(const struct program *program,
                          struct program_options *options, void *more, int argc,
                          char **argv)
{
    struct parser parser = {.letters = ":"};
    int got;

    now.program = program;
    now.options = options;
    now.defaults = *options;
    for (const struct program_option *option = program->more;
         option && option->name; option++)
        add_option(&parser, option, more);
    for (size_t i = 0; shared[i].name; i++)
        if (has_option(program, i))
            add_option(&parser, &shared[i], options);
    opterr = 0;
    while ((got = getopt_long(argc, argv, parser.letters, parser.longs,
                              NULL)) != -1)
        read_option(&parser, got, argv);
    read_port(options, argc, argv);
}
