/* A command line, cut into words as a shell would: blanks separate, quotes and
 * backslashes keep together. */
#ifndef FILELIB_WORDS_H
#define FILELIB_WORDS_H

#include <stddef.h>

/** The words of a line.  They point into memory that words_free() frees. */
struct words {
    char **word;     /**< ends with NULL */
    char *is_quoted; /**< for each: whether a part of it was quoted */
    size_t n;
    char *text;
};

/** Cuts a line up.  What a quote opens that nothing closes goes to the end.
 * @return 0, or -1 when out of memory */
int words_split(struct words *words, const char *line);

void words_free(struct words *words);

/** Writes a word so that words_split() finds it again as it is.
 * @param out of at least 2 * strlen(word) + 3 bytes */
void words_quote(char *out, const char *word);

#endif
