#include "several.h"

#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* Names that were collected. */
struct names {
    char **name;
    size_t n, room;
    char **patterns; /* that they matched */
    size_t count;
    const char *quoted;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
}

static int add(struct names *names, const char *name)
{
    if (names->n == names->room) {
        size_t room = names->room ? 2 * names->room : 64;
        char **more = realloc(names->name, room * sizeof *more);

        if (!more)
            return -1;
        names->name = more;
        names->room = room;
    }
    names->name[names->n] = strdup(name);
    return names->name[names->n] ? (int)names->n++ * 0 : -1;
}

static int is_pattern(const char *word, int quoted)
{
    return !quoted && strpbrk(word, "*?[") != NULL;
}

static int add_if_it_matches(void *arg, const char *name, int64_t size,
                             const char *mtime)
{
    struct names *names = arg;

    (void)size;
    (void)mtime;
    for (size_t i = 0; i < names->count; i++)
        if (is_pattern(names->patterns[i], names->quoted[i]) &&
            fnmatch(names->patterns[i], name, 0) == 0)
            return add(names, name);
    return 0;
}

/* What goes on with the next file although this one failed. */
static int goes_on(enum status status)
{
    return status != STATUS_INTERRUPTED && status != STATUS_CANNOT_CONNECT;
}

static void keep_first(enum status *first, enum status status)
{
    if (*first == STATUS_DONE)
        *first = status;
}

enum status several_get(struct client *client, char **words, size_t n,
                        const char *quoted)
{
    struct names names = {.patterns = words, .count = n, .quoted = quoted};
    enum status first = STATUS_DONE;
    int patterns = 0, faults = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_pattern(words[i], quoted[i]))
            patterns = 1;
        else
            faults |= add(&names, words[i]);
    }
    if (patterns)
        first = client_list(client, add_if_it_matches, &names);
    if (faults)
        first = client_say(STATUS_FAULT, "out of memory");
    else if (first == STATUS_DONE && names.n == 0)
        first = client_say(STATUS_NOT_FOUND, "no file matches");
    for (size_t i = 0; i < names.n && goes_on(first); i++) {
        enum status status = client_get(client, names.name[i], names.name[i]);

        keep_first(&first, status);
        if (!goes_on(status))
            break;
    }
    free_names(&names);
    return first;
}

static int expand(struct names *names, const char *pattern)
{
    glob_t found;
    int rc = glob(pattern, GLOB_TILDE, NULL, &found);

    if (rc == GLOB_NOMATCH)
        return 0;
    if (rc)
        return -1;
    for (size_t i = 0; i < found.gl_pathc; i++)
        rc |= add(names, found.gl_pathv[i]);
    globfree(&found);
    return rc;
}

enum status several_put(struct client *client, char **words, size_t n,
                        const char *quoted)
{
    struct names names = {0};
    enum status first = STATUS_DONE;
    int faults = 0;

    for (size_t i = 0; i < n; i++)
        faults |= is_pattern(words[i], quoted[i]) ? expand(&names, words[i])
                                                  : add(&names, words[i]);
    if (faults)
        first = client_say(STATUS_FAULT, "out of memory");
    else if (names.n == 0)
        first = client_say(STATUS_NOT_FOUND, "no file matches");
    for (size_t i = 0; i < names.n && !faults; i++) {
        enum status status = client_put(client, names.name[i], NULL);

        keep_first(&first, status);
        if (!goes_on(status))
            break;
    }
    free_names(&names);
    return first;
}
