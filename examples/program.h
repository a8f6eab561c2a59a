/* What the programs share: their options, the line that says where they
 * listen, and their exit status. */
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

/** What the command line said.  Its strings are argv's. */
struct program_options {
    enum program_kind kind;
    const char *host; /**< NULL: every address of the machine */
    int port;
    const char *path; /**< of a Unix socket */
    const sks_strategy *strategy;
    unsigned max_workers; /**< 0: the strategy's own default */
};

/** Reads the command line.  Ends the program after --help and --version, and
 * with status 2 after one sentence about what is wrong.
 * @param name  of the program, for its messages
 * @param about what it does, in one sentence, for --help */
void program_read_options(struct program_options *options, const char *name,
                          const char *about, int argc, char **argv);

/** Makes the server, says on standard output where it listens, and serves
 * until SIGINT or SIGTERM.
 * @param doing what is said before the addresses: "echo"
 * @return the exit status: 0, or 1 after a fault and a line about it */
int program_serve(const struct program_options *options, const char *name,
                  const char *doing, const sks_handler *handler);

#endif /* PROGRAM_H */
