#include "show.h"

#include "print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void print_plain(const char *name)
{
    print_name(stdout, name);
    putchar('\n');
}

static void print_long(const char *name, int64_t size, const char *mtime)
{
    time_t seconds = (time_t)strtoll(mtime, NULL, 10);
    char text[32] = "?";
    struct tm parts;

    if (localtime_r(&seconds, &parts))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    printf("%12" PRId64 "  %s  ", size, text);
    print_name(stdout, name);
    putchar('\n');
}

/* "encoded" tells the name also where "name" cannot. */
static void print_json(const char *name, int64_t size, const char *mtime)
{
    char encoded[PROTOCOL_ENCODED + 1];

    name_encode(encoded, name, strlen(name));
    printf("{\"name\":");
    print_json_string(stdout, name);
    /* It is a number only if the server says so. */
    if (mtime[0] == '\0' || mtime[strspn(mtime, "0123456789.")])
        mtime = "0";
    printf(",\"encoded\":\"%s\",\"size\":%" PRId64 ",\"mtime\":%s}\n", encoded,
           size, mtime);
}

void show_file(enum show how, const char *name, int64_t size, const char *mtime)
{
    if (how == SHOW_JSON)
        print_json(name, size, mtime);
    else if (how == SHOW_LONG)
        print_long(name, size, mtime);
    else
        print_plain(name);
}

struct shown {
    enum show how;
    size_t n;
};

static int show_entry(void *arg, const char *name, int64_t size,
                      const char *mtime)
{
    struct shown *shown = arg;

    shown->n++;
    show_file(shown->how, name, size, mtime);
    return 0;
}

enum status show_library(struct client *client, enum show how)
{
    struct shown shown = {how, 0};
    enum status status = client_list(client, show_entry, &shown);

    if (status == STATUS_DONE && shown.n == 0 && how != SHOW_JSON &&
        isatty(STDOUT_FILENO))
        puts("The library is empty.");
    if (fflush(stdout) != 0 && status == STATUS_DONE)
        return client_say(STATUS_FAULT, "standard output: %s", strerror(errno));
    return status;
}
