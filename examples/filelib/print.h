/* Names as a person, a script or a terminal may read them. */
#ifndef FILELIB_PRINT_H
#define FILELIB_PRINT_H

#include <stddef.h>
#include <stdio.h>

/** Prints a name of at most `width` bytes of it, whatever could command a
 * terminal as "\x1b".  @param size at least 4 * width + 1 */
void print_escaped(char *text, size_t size, const char *name, size_t width);

/** Writes a name to a file: escaped if that is a terminal, else as it is. */
void print_name(FILE *file, const char *name);

/** Writes a name as a JSON string; bytes that are not UTF-8 become U+FFFD. */
void print_json_string(FILE *file, const char *name);

#endif
