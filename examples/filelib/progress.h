/* How far a transfer is, on standard error, if that is a terminal. */
#ifndef FILELIB_PROGRESS_H
#define FILELIB_PROGRESS_H

#include <stdint.h>
#include <time.h>

struct progress {
    const char *name; /**< borrowed; NULL: nothing is shown */
    int64_t total;
    int64_t began_with; /**< bytes that were there before */
    struct timespec began, drawn;
};

/** Starts to show a transfer of total bytes, `done` of which are there. */
void progress_start(struct progress *progress, int quiet, const char *name,
                    int64_t total, int64_t done);

/** Shows that `done` bytes are there, unless it did just now. */
void progress_show(struct progress *progress, int64_t done);

/** Ends the line, which stays if the transfer is complete. */
void progress_end(struct progress *progress, int64_t done);

#endif
