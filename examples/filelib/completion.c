#include "completion.h"

#include "client.h"
#include "commands.h"
#include "print.h"
#include "words.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { TEXT = 4096, SHOWN_MAX = 100 };

/* What may be meant, as far as it is the same for all. */
struct guess {
    const char *typed; /* the part of the word that is there */
    char common[TEXT];
    size_t n;       /* how many may be meant */
    int shows;      /* whether to print them */
    int adds_slash; /* to the only one, a folder */
};

static void consider(struct guess *guess, const char *name)
{
    size_t same = 0;

    if (strncmp(name, guess->typed, strlen(guess->typed)) != 0)
        return;
    if (guess->shows && guess->n < SHOWN_MAX) {
        print_name(stdout, name);
        putchar('\n');
    }
    if (guess->n++ == 0) {
        snprintf(guess->common, sizeof guess->common, "%s", name);
        return;
    }
    while (guess->common[same] && guess->common[same] == name[same])
        same++;
    guess->common[same] = '\0';
}

static int consider_entry(void *arg, const char *name, int64_t size,
                          const char *mtime)
{
    (void)size;
    (void)mtime;
    consider(arg, name);
    return 0;
}

static void consider_commands(struct guess *guess)
{
    const char *name;

    for (size_t i = 0; (name = commands_name(i)); i++)
        consider(guess, name);
}

static int is_folder(const char *folder, const char *name)
{
    char path[TEXT];
    struct stat status;

    return snprintf(path, sizeof path, "%s%s", folder, name) < TEXT &&
           stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The files of the folder that was typed, if one was: what is typed of the
 * name itself is all that is compared. */
static void consider_local(struct guess *guess)
{
    const char *slash = strrchr(guess->typed, '/');
    char folder[TEXT] = "";
    struct dirent *entry;
    DIR *entries;

    if (slash) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - guess->typed) + 1,
                 guess->typed);
        guess->typed = slash + 1;
    }
    entries = opendir(*folder ? folder : ".");
    while (entries && (entry = readdir(entries)))
        if (entry->d_name[0] != '.' || guess->typed[0] == '.')
            consider(guess, entry->d_name);
    if (entries)
        closedir(entries);
    guess->adds_slash = guess->n == 1 && is_folder(folder, guess->common);
}

static void look(struct client *client, const struct words *words, size_t at,
                 struct guess *guess)
{
    guess->n = 0;
    if (at == 0) {
        consider_commands(guess);
        return;
    }
    switch (commands_operand(words->word[0])) {
    case OPERAND_LIBRARY:
        client_list(client, consider_entry, guess);
        break;
    case OPERAND_LOCAL:
        consider_local(guess);
        break;
    case OPERAND_NONE:
        break;
    }
}

static unsigned char insert(EditLine *editor, const struct guess *guess)
{
    char text[2 * TEXT + 4];

    if (guess->common[strlen(guess->typed)])
        words_quote(text, guess->common + strlen(guess->typed));
    else
        *text = '\0';
    if (guess->n == 1)
        strcat(text, guess->adds_slash ? "/" : " ");
    if (*text == '\0' || el_insertstr(editor, text) < 0)
        return CC_NORM;
    return CC_REFRESH;
}

static unsigned char complete(EditLine *editor, struct client *client,
                              const struct words *words, int in_word)
{
    size_t at = in_word ? words->n - 1 : words->n;
    const char *typed = in_word ? words->word[at] : "";
    struct guess guess = {.typed = typed};

    look(client, words, at, &guess);
    if (guess.n == 0)
        return CC_ERROR;
    if (guess.n == 1 || strlen(guess.common) > strlen(guess.typed))
        return insert(editor, &guess);
    putchar('\n');
    guess.typed = typed;
    guess.shows = 1;
    look(client, words, at, &guess);
    fflush(stdout);
    return CC_REDISPLAY;
}

/* Whether the cursor is within a word, or behind one. */
static int is_in_word(const char *line)
{
    size_t n = strlen(line);

    return n > 0 &&
           (!strchr(" \t", line[n - 1]) || (n > 1 && line[n - 2] == '\\'));
}

unsigned char completion_complete(EditLine *editor, int key)
{
    const LineInfo *info = el_line(editor);
    struct client *client;
    struct words words;
    char line[TEXT];
    unsigned char done;

    (void)key;
    el_get(editor, EL_CLIENTDATA, &client);
    snprintf(line, sizeof line, "%.*s", (int)(info->cursor - info->buffer),
             info->buffer);
    if (words_split(&words, line) < 0)
        return CC_ERROR;
    done = complete(editor, client, &words, is_in_word(line));
    words_free(&words);
    return done;
}
