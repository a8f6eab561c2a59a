/* What the programs share: how their command line is read, the line that says
 * where they listen, and their exit status: 2 for wrong usage and 1 for a
 * fault, each told in one line on standard error. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <sockserver.h>

/** Where a program listens. */
enum program_kind {
    PROGRAM_TCP,
    PROGRAM_UDP,
    PROGRAM_UNIX,
    PROGRAM_UNIX_DGRAM
};

/** Sets of kinds; those that a program does not have cost it no option. */
enum program_kinds {
    PROGRAM_ONLY_TCP = 1 << PROGRAM_TCP,
    PROGRAM_STREAMS = 1 << PROGRAM_TCP | 1 << PROGRAM_UNIX,
    PROGRAM_ALL_KINDS =
        PROGRAM_STREAMS | 1 << PROGRAM_UDP | 1 << PROGRAM_UNIX_DGRAM
};

/** What the shared options said.  Its strings are argv's. */
struct program_options {
    enum program_kind kind;
    const char *host; /**< NULL: every address of the machine */
    int has_host;     /**< whether the command line said it */
    int port;
    const char *path; /**< of a Unix socket */
    const sks_strategy *strategy;
    unsigned max_workers; /**< 0: the strategy's own default */
};

/** An option that a program has beside the shared ones. */
struct program_option {
    const char *name;     /**< "quota" of --quota */
    const char *argument; /**< what --help calls its value; NULL: it has none */
    const char *help;     /**< what it does; lines are broken where they end */
    /** Takes what was given.  Ends the program by program_wrong_usage() if
     * that is wrong.
     * @param option the option itself
     * @param field  its place in what the program keeps
     * @param value  in argv: to keep, or to take apart; NULL without an
     *               argument */
    void (*read)(const struct program_option *option, void *field, char *value);
    size_t field; /**< offsetof() in what the program keeps */
    char letter;  /**< a short form of it; 0: none */
};

/** What a program is. */
struct program {
    const char *name;  /**< for its messages */
    const char *about; /**< what it does, in one sentence, for --help */
    enum program_kinds kinds;
    const char *bind_default; /**< where it listens, for --help; NULL: at the
                                   default host */
    const struct program_option *more; /**< ends with {0}; NULL: none */
    const char *notes;                 /**< ends --help; NULL: nothing does */
};

/** Reads the command line.  Ends the program after --help and --version, and
 * with status 2 after one line about what is wrong.  Once in a process.
 * @param options holds the defaults, of which strategy is one
 * @param more    what the offsets of the program's own options are in */
void program_read_options(const struct program *program,
                          struct program_options *options, void *more, int argc,
                          char **argv);

/** Says in one line what is wrong with the command line, and ends the program
 * with status 2. */
_Noreturn void program_wrong_usage(const char *format, ...) SKS_PRINTF(1, 2);

/* What the read of an option may be: for a const char *, for an int that
 * becomes 1, and for an int that becomes 0. */
void program_read_string(const struct program_option *option, void *field,
                         char *value);
void program_set_flag(const struct program_option *option, void *field,
                      char *value);
void program_clear_flag(const struct program_option *option, void *field,
                        char *value);

/** The decimal number that a value is; wrong usage unless it is from min to
 * max. */
unsigned long program_number(const struct program_option *option,
                             const char *value, unsigned long min,
                             unsigned long max);

/** Makes a server of the kind, strategy and number of workers that the options
 * tell, for program_serve().
 * @return NULL when out of memory, which program_serve() tells */
sks_server *program_new_server(const struct program_options *options,
                               const sks_handler *handler);

/** What a program says, on standard output, once it listens. */
struct program_line {
    const char *doing;  /**< before the addresses: "echo on" */
    const char *scheme; /**< shows them as URLs: "http"; NULL: "tcp 1.2.3.4" */
    const char *remark; /**< at the end: ", to all"; NULL: nothing */
};

/** Binds the server, says where it listens, serves until SIGINT or SIGTERM,
 * and frees it.
 * @return the exit status: 0, or 1 after a fault and a line about it */
int program_serve(const struct program *program,
                  const struct program_options *options, sks_server *server,
                  const struct program_line *line);

#endif /* PROGRAM_H */
