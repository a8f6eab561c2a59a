/* The log: a line for each command.
 *
 *     2026-01-01T00:00:00Z 127.0.0.1:40312 - GET hello.txt 6 bytes 0.2 ms 200
 *
 * Lines of commands that only look are held back for a moment, so that many of
 * them share a write; whoever holds a record calls record_flush() when there is
 * nothing else to do. */
#ifndef FILELIB_RECORD_H
#define FILELIB_RECORD_H

#include "protocol.h"

#include <stdint.h>
#include <time.h>

enum { RECORD_SIZE = 4096 };

/** Lines of one connection that are not written yet. */
struct record {
    int fd; /**< -1: no log */
    size_t n;
    char text[RECORD_SIZE];
};

/** A command that was answered. */
struct record_entry {
    const char *client;
    const char *user; /**< "": unknown */
    const struct command *command;
    int64_t bytes;
    struct timespec began; /**< of CLOCK_MONOTONIC */
    int code;
};

/** Adds a line for the command; writes it, and what was held back, unless it
 * only looked. */
void record_add(struct record *record, const struct record_entry *entry);

void record_flush(struct record *record);

#endif
