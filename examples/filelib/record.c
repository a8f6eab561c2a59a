#include "record.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The most that a line takes: two names, a user, a client, and numbers. */
enum { LINE_MAX_BYTES = 2 * PROTOCOL_ENCODED + 512 };

static double elapsed_ms(const struct timespec *began)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) * 1e3 +
           (double)(now.tv_nsec - began->tv_nsec) / 1e6;
}

/* The date and time, printed once a second and not for each line. */
static const char *print_time(char *text, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;

    gmtime_r(&now, &parts);
    strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

/* The names as they travel: whatever bytes they have, a line stays one. */
static void print_names(char *text, const struct command *command)
{
    size_t n = name_encode(text, command->name, strlen(command->name));

    if (n == 0)
        strcpy(text, "-");
    if (command->other[0]) {
        text[n++] = ' ';
        name_encode(text + n, command->other, strlen(command->other));
    }
}

/* A client's address may be a path. */
static void print_client(char *text, size_t size, const char *client)
{
    snprintf(text, size, "%s", client);
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            *text = '?';
}

static int only_looks(enum verb verb)
{
    return verb == VERB_LIST || verb == VERB_STAT;
}

void record_add(struct record *record, const struct record_entry *entry)
{
    char names[2 * PROTOCOL_ENCODED + 2], client[128], now[32];
    int n;

    if (record->fd < 0)
        return;
    if (record->n + LINE_MAX_BYTES > sizeof record->text)
        record_flush(record);
    print_names(names, entry->command);
    print_client(client, sizeof client, entry->client);
    n = snprintf(record->text + record->n, sizeof record->text - record->n,
                 "%s %s %s %s %s %jd bytes %.1f ms %d\n",
                 print_time(now, sizeof now), client,
                 *entry->user ? entry->user : "-",
                 verb_word(entry->command->verb), names, (intmax_t)entry->bytes,
                 elapsed_ms(&entry->began), entry->code);
    if (n > 0 && (size_t)n < sizeof record->text - record->n)
        record->n += (size_t)n;
    if (!only_looks(entry->command->verb) || entry->code >= 400)
        record_flush(record);
}

void record_flush(struct record *record)
{
    /* In one piece, as others write there too; a log that is full or gone is
     * no reason to stop serving. */
    if (record->n > 0)
        (void)!write(record->fd, record->text, record->n);
    record->n = 0;
}
