#include "commands.h"

#include "local.h"
#include "several.h"
#include "show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH = 4096 };

/* What a command gets: words without the flags. */
struct call {
    struct client *client;
    char **words;       /* what follows the command; ends with NULL */
    const char *quoted; /* for each */
    size_t n;
    int is_long, is_json;
};

static enum show how_to_show(const struct call *call, enum show otherwise)
{
    return call->is_json ? SHOW_JSON : call->is_long ? SHOW_LONG : otherwise;
}

static enum status list(struct call *call)
{
    return show_library(call->client, how_to_show(call, SHOW_NAMES));
}

static enum status get(struct call *call)
{
    const char *local = call->n > 1 ? call->words[1] : call->words[0];
    char path[PATH];
    struct stat status;

    if (stat(local, &status) == 0 && S_ISDIR(status.st_mode)) {
        if (snprintf(path, sizeof path, "%s/%s", local, call->words[0]) >= PATH)
            return client_say(STATUS_USAGE, "that path is too long");
        local = path;
    }
    return client_get(call->client, call->words[0], local);
}

static enum status put(struct call *call)
{
    return client_put(call->client, call->words[0],
                      call->n > 1 ? call->words[1] : NULL);
}

static enum status mget(struct call *call)
{
    return several_get(call->client, call->words, call->n, call->quoted);
}

static enum status mput(struct call *call)
{
    return several_put(call->client, call->words, call->n, call->quoted);
}

/* Asks with a name, or two, as they travel. */
static enum status ask(struct call *call, struct reply *reply, const char *verb)
{
    char first[PROTOCOL_ENCODED + 1], second[PROTOCOL_ENCODED + 1] = "";

    for (size_t i = 0; i < call->n; i++)
        if (strlen(call->words[i]) > PROTOCOL_NAME)
            return client_say(STATUS_REFUSED, "a name has at most 255 bytes");
    name_encode(first, call->words[0], strlen(call->words[0]));
    if (call->n > 1)
        name_encode(second, call->words[1], strlen(call->words[1]));
    return client_ask(call->client, reply, call->words[0], "%s %s%s%s\n", verb,
                      first, *second ? " " : "", second);
}

static enum status stat_file(struct call *call)
{
    char mtime[64] = "0", digest[PROTOCOL_HEX + 1] = "";
    struct reply reply;
    enum status status = ask(call, &reply, "STAT");
    int64_t size;

    if (status)
        return status;
    size = reply_number(&reply, "size");
    reply_value(&reply, "mtime", mtime, sizeof mtime);
    reply_value(&reply, "sha256", digest, sizeof digest);
    show_file(how_to_show(call, SHOW_LONG), call->words[0], size, mtime);
    if (*digest && !call->is_json)
        printf("sha256 %s\n", digest);
    return STATUS_DONE;
}

static enum status delete_file(struct call *call)
{
    struct reply reply;

    return ask(call, &reply, "DELETE");
}

static enum status rename_file(struct call *call)
{
    struct reply reply;

    return ask(call, &reply, "RENAME");
}

/* --- the local side --- */

static enum status lpwd(struct call *call)
{
    (void)call;
    return local_print_folder();
}

static enum status lcd(struct call *call)
{
    return local_change_folder(call->words[0]);
}

static enum status lls(struct call *call)
{
    return local_list(call->n ? call->words[0] : ".");
}

static enum status help(struct call *call)
{
    (void)call;
    commands_print_help();
    return STATUS_DONE;
}

/* Whoever runs commands looks for it; in the shell there is nothing to leave.
 */
static enum status quit(struct call *call)
{
    (void)call;
    return STATUS_DONE;
}

/* --- the table --- */

enum { MANY = 1 << 20 };

static const struct entry {
    const char *name;
    size_t min, max; /* words that follow */
    enum status (*run)(struct call *);
    enum operand operand;
    const char *usage; /* NULL: another name of the one before */
    const char *about;
} commands[] = {
    {"list", 0, 0, list, OPERAND_NONE, "list [--long|--json]",
     "show the files of the library"},
    {"ls", 0, 0, list, OPERAND_NONE, NULL, NULL},
    {"get", 1, 2, get, OPERAND_LIBRARY, "get NAME [LOCAL]", "download a file"},
    {"put", 1, 2, put, OPERAND_LOCAL, "put LOCAL [NAME]", "upload a file"},
    {"quit", 0, 0, quit, OPERAND_NONE, "quit", "leave"},
    {"exit", 0, 0, quit, OPERAND_NONE, NULL, NULL},
    {"mget", 1, MANY, mget, OPERAND_LIBRARY, "mget NAME...",
     "download files; patterns like *.txt are of the library"},
    {"mput", 1, MANY, mput, OPERAND_LOCAL, "mput LOCAL...",
     "upload files; patterns are of this folder"},
    {"stat", 1, 1, stat_file, OPERAND_LIBRARY, "stat [--json] NAME",
     "show a file's size, time and digest"},
    {"delete", 1, 1, delete_file, OPERAND_LIBRARY, "delete NAME",
     "delete a file, if the server allows it"},
    {"rename", 2, 2, rename_file, OPERAND_LIBRARY, "rename OLD NEW",
     "rename a file, if the server allows it"},
    {"lcd", 0, 1, lcd, OPERAND_LOCAL, "lcd [FOLDER]",
     "change the local folder"},
    {"lpwd", 0, 0, lpwd, OPERAND_NONE, "lpwd", "show the local folder"},
    {"lls", 0, 1, lls, OPERAND_LOCAL, "lls [FOLDER]",
     "show the files of the local folder"},
    {"help", 0, 0, help, OPERAND_NONE, "help", "show this"}};

enum { COMMANDS = sizeof commands / sizeof commands[0], MENU = 6 };

static const struct entry *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcasecmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

const char *commands_name(size_t i)
{
    return i < COMMANDS ? commands[i].name : NULL;
}

enum operand commands_operand(const char *name)
{
    const struct entry *entry = find(name);

    return entry ? entry->operand : OPERAND_NONE;
}

int commands_is_quit(const char *word)
{
    const struct entry *entry = find(word);

    return entry && entry->run == quit;
}

static void print_commands(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (commands[i].usage)
            printf("  %-22s %s\n", commands[i].usage, commands[i].about);
}

void commands_print_menu(void)
{
    print_commands(MENU);
}

void commands_print_help(void)
{
    print_commands(COMMANDS);
    printf("get, put, mget and mput take --force: replace what is there.\n");
}

/* --- running --- */

static int read_flag(struct call *call, const char *word)
{
    if (strcmp(word, "--force") == 0 || strcmp(word, "-f") == 0)
        call->client->force = 1;
    else if (strcmp(word, "--long") == 0 || strcmp(word, "-l") == 0)
        call->is_long = 1;
    else if (strcmp(word, "--json") == 0)
        call->is_json = 1;
    else
        return -1;
    return 0;
}

/* Takes the flags out of the words, up to a "--". */
static const char *read_flags(struct call *call, char **words, size_t n,
                              char *quoted)
{
    int over = 0;

    for (size_t i = 0; i < n; i++) {
        if (!over && !quoted[i] && strcmp(words[i], "--") == 0) {
            over = 1;
        } else if (!over && !quoted[i] && words[i][0] == '-' && words[i][1]) {
            if (read_flag(call, words[i]) < 0)
                return words[i];
        } else {
            quoted[call->n] = quoted[i];
            call->words[call->n++] = words[i];
        }
    }
    return NULL;
}

static enum status run_call(struct call *call, const struct entry *entry,
                            const char *wrong)
{
    if (wrong)
        return client_say(STATUS_USAGE, "%s knows no \"%s\"", entry->name,
                          wrong);
    if (call->n < entry->min || call->n > entry->max)
        return client_say(STATUS_USAGE, "it goes: %s",
                          entry->usage ? entry->usage : entry->name);
    return entry->run(call);
}

enum status commands_run(struct client *client, char **words, size_t n,
                         const char *quoted)
{
    const struct entry *entry = find(words[0]);
    struct call call = {.client = client};
    int force = client->force;
    char *marks;
    enum status status;

    if (!entry)
        return client_say(STATUS_USAGE,
                          "there is no command \"%s\"; try list, get, put, "
                          "quit or help",
                          words[0]);
    call.words = calloc(n + 1, sizeof *call.words);
    call.quoted = marks = calloc(n + 1, 1);
    if (!call.words || !marks) {
        status = client_say(STATUS_FAULT, "out of memory");
    } else {
        if (quoted)
            memcpy(marks, quoted + 1, n - 1);
        status =
            run_call(&call, entry, read_flags(&call, words + 1, n - 1, marks));
    }
    free(call.words);
    free(marks);
    client->force = force;
    return status;
}
