/* sockserver-file: the client of the file library.  With a command it runs it
 * and ends; without, it asks for commands.
 *   build/bin/sockserver-file 127.0.0.1 8888 list --long
 *   build/bin/sockserver-file 127.0.0.1 8888
 * docs/file-service.md tells more, the exit statuses too. */
#include "client.h"
#include "commands.h"
#include "interactive.h"
#include "interrupt.h"

#include <sockserver.h>

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNIX_PATH = 256,
    USER,
    TOKEN_FILE,
    TIMEOUT,
    FORCE,
    QUIET,
    HELP,
    VERSION
};

enum { CONNECT_MS = 10 * 1000, SILENCE_MS = 60 * 1000 };

static const struct option long_options[] = {
    {"unix", required_argument, NULL, UNIX_PATH},
    {"user", required_argument, NULL, USER},
    {"token-file", required_argument, NULL, TOKEN_FILE},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"force", no_argument, NULL, FORCE},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0}};

_Noreturn static void help(void)
{
    printf(
        "Usage: sockserver-file [OPTION]... HOST PORT [COMMAND...]\n"
        "       sockserver-file [OPTION]... --unix PATH [COMMAND...]\n"
        "Lists, downloads and uploads the files of a sockserver-filed.\n\n"
        "  --user NAME        who you are, if the server wants a token\n"
        "  --token-file FILE  where the token is: its first line\n"
        "  --timeout SECONDS  how long the server may be silent: 60 unless\n"
        "                     given, and 10 while connecting\n"
        "  --force            replace files that exist\n"
        "  --quiet            show no progress\n"
        "  --help             print this\n"
        "  --version          print the version\n\n"
        "Without a command it asks for commands, or reads them from a pipe.\n"
        "Commands:\n");
    commands_print_help();
    printf("\nExit status: 0 done, 1 fault, 2 wrong usage, 3 cannot connect,\n"
           "4 refused, 5 not found, 6 exists, 7 corrupted, 8 interrupted.\n");
    exit(0);
}

_Noreturn static void wrong_usage(const char *what, const char *word)
{
    client_say(STATUS_USAGE, "%s%s%s%s; --help tells more", what,
               word ? " \"" : "", word ? word : "", word ? "\"" : "");
    exit(STATUS_USAGE);
}

static void read_timeout(struct client *client)
{
    int64_t seconds = number_parse(optarg, strlen(optarg));

    if (seconds < 1 || seconds > 1000000)
        wrong_usage("--timeout wants a number of seconds, not", optarg);
    client->target.silence_ms = client->target.connect_ms = (int)seconds * 1000;
}

static void read_option(struct client *client, int option, char **argv)
{
    switch (option) {
    case UNIX_PATH:
        client->target.path = optarg;
        break;
    case USER:
        client->user = optarg;
        break;
    case TOKEN_FILE:
        client->token_file = optarg;
        break;
    case TIMEOUT:
        read_timeout(client);
        break;
    case FORCE:
        client->force = 1;
        break;
    case QUIET:
        client->quiet = 1;
        break;
    case HELP:
        help();
    case VERSION:
        printf("sockserver-file %s\n", sks_version());
        exit(0);
    case ':':
        wrong_usage("a value is missing after", argv[optind - 1]);
    default:
        wrong_usage("bad option", argv[optind - 1]);
    }
}

/* Returns the index of the command's first word. */
static int read_options(struct client *client, int argc, char **argv)
{
    int option;

    opterr = 0;
    /* '+': the command's own flags are not for here. */
    while ((option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1)
        read_option(client, option, argv);
    if (client->target.path)
        return optind;
    if (argc - optind < 2)
        wrong_usage("HOST and PORT are missing", NULL);
    client->target.host = argv[optind];
    client->target.port = argv[optind + 1];
    if (number_parse(client->target.port, strlen(client->target.port)) >
            65535 ||
        number_parse(client->target.port, strlen(client->target.port)) < 1)
        wrong_usage("PORT must be a number from 1 to 65535, not",
                    client->target.port);
    return optind + 2;
}

int main(int argc, char **argv)
{
    struct client client = {
        .target = {.connect_ms = CONNECT_MS, .silence_ms = SILENCE_MS}};
    enum status status;
    int command;

    setlocale(LC_CTYPE, "");
    command = read_options(&client, argc, argv);
    if (interrupt_catch() < 0)
        return (int)client_say(STATUS_FAULT, "no descriptor is free");
    if (command < argc)
        status = commands_run(&client, argv + command, (size_t)(argc - command),
                              NULL);
    else
        status = interactive_run(&client);
    client_disconnect(&client);
    return (int)status;
}
