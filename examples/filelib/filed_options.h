/* What the server's command line says. */
#ifndef FILELIB_FILED_OPTIONS_H
#define FILELIB_FILED_OPTIONS_H

#include "library.h"
#include "program.h"

/** The strings are argv's. */
struct filed_options {
    struct library_options library;
    struct program_options shared;
    const char *token_file;
    int idle_s;
    int64_t min_rate; /**< bytes a second */
    int quiet;
};

extern const struct program filed_program;

/** Reads the command line.  Ends the program after --help and --version, and
 * with status 2 after one sentence about what is wrong. */
void filed_read_options(struct filed_options *options, int argc, char **argv);

#endif
