#include "words.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* Copies the word at *line to *end, and moves both on. */
static int take_word(const char **line, char **end)
{
    const char *at = *line;
    int quoted = 0;
    char quote = '\0';

    for (; *at && (quote || !strchr(blanks, *at)); at++) {
        if (*at == quote) {
            quote = '\0';
        } else if (!quote && (*at == '"' || *at == '\'')) {
            quote = *at;
            quoted = 1;
        } else {
            if (*at == '\\' && quote != '\'' && at[1]) {
                quoted = 1;
                at++;
            }
            *(*end)++ = *at;
        }
    }
    *(*end)++ = '\0';
    *line = at;
    return quoted;
}

int words_split(struct words *words, const char *line)
{
    /* A word takes a byte and a blank at least. */
    size_t most = strlen(line) / 2 + 2;
    char *end;

    words->n = 0;
    words->text = malloc(strlen(line) + most + 1);
    words->word = calloc(most, sizeof *words->word);
    words->is_quoted = calloc(most, 1);
    if (!words->text || !words->word || !words->is_quoted) {
        words_free(words);
        return -1;
    }
    end = words->text;
    while (line += strspn(line, blanks), *line) {
        words->word[words->n] = end;
        words->is_quoted[words->n] = (char)take_word(&line, &end);
        words->n++;
    }
    return 0;
}

void words_free(struct words *words)
{
    free(words->text);
    free(words->word);
    free(words->is_quoted);
    *words = (struct words){0};
}

void words_quote(char *out, const char *word)
{
    if (*word == '\0') {
        strcpy(out, "''");
        return;
    }
    for (; *word; word++) {
        if (strchr(" \t\r\n\\\"'*?[", *word))
            *out++ = '\\';
        *out++ = *word;
    }
    *out = '\0';
}
