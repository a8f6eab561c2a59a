/* What --help prints. */
#ifndef PROGRAM_HELP_H
#define PROGRAM_HELP_H

#include "program.h"

#include <stdio.h>

/** Prints the names of this build's strategies, with commas between. */
void program_print_strategies(FILE *file);

/** Prints the usage of a program and what it does. */
void program_print_about(const struct program *program);

/** Prints an option and what it does.
 * @param otherwise what holds without the option; NULL: nothing to tell */
void program_print_option(const struct program_option *option,
                          const char *otherwise);

/** Prints how the strategies are chosen, and their names. */
void program_print_strategy_option(const struct program_option *option,
                                   const sks_strategy *otherwise);

/** Prints what is to be told of PORT and of the program's options. */
void program_print_notes(const struct program *program, int port);

#endif /* PROGRAM_HELP_H */
