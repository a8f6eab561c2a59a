/* What the server's command line says. */
#ifndef FILELIB_FILED_OPTIONS_H
#define FILELIB_FILED_OPTIONS_H

#include "library.h"

#include <sockserver.h>

/** The strings are argv's. */
struct filed_options {
    struct library_options library;
    const char *host; /**< NULL: every address of the machine */
    int has_host;     /**< whether it was told */
    const char *path; /**< of a Unix socket; NULL: TCP */
    int port;
    const sks_strategy *strategy;
    unsigned max_workers; /**< 0: the strategy's own default */
    const char *token_file;
    int idle_s;
    int quiet;
};

/** Reads the command line.  Ends the program after --help and --version, and
 * with status 2 after one sentence about what is wrong. */
void filed_read_options(struct filed_options *options, int argc, char **argv);

#endif
