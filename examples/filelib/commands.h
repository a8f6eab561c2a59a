/* The commands that a user gives, in the shell or at the prompt. */
#ifndef FILELIB_COMMANDS_H
#define FILELIB_COMMANDS_H

#include "client.h"

/** What a command's words after the first are, for completion. */
enum operand { OPERAND_NONE, OPERAND_LIBRARY, OPERAND_LOCAL };

/** Runs a command.
 * @param words  the command and what follows it, which ends with NULL
 * @param n      how many words
 * @param quoted for each, whether it is to be taken as it is: no pattern; or
 *               NULL, and none is
 * @return its status; STATUS_USAGE after a hint */
enum status commands_run(struct client *client, char **words, size_t n,
                         const char *quoted);

/** The name of the i-th command, from 0; NULL past the last. */
const char *commands_name(size_t i);

/** What follows a command. */
enum operand commands_operand(const char *name);

/** Whether the word asks to leave. */
int commands_is_quit(const char *word);

/** Says which commands there are: those for a newcomer, or all. */
void commands_print_menu(void);
void commands_print_help(void);

#endif
