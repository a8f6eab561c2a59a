#include "mime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a web page is made of, and what people put beside it. */
static const char builtin[] =
    "text/html html htm\ntext/css css\ntext/javascript js mjs\n"
    "text/plain txt text log conf c h py sh\ntext/markdown md\ntext/csv csv\n"
    "application/json json map\napplication/xml xml\napplication/pdf pdf\n"
    "application/wasm wasm\napplication/zip zip\napplication/gzip gz tgz\n"
    "application/zstd zst\napplication/x-tar tar\napplication/x-xz xz\n"
    "application/rss+xml rss\napplication/manifest+json webmanifest\n"
    "image/png png\nimage/jpeg jpg jpeg\nimage/gif gif\nimage/webp webp\n"
    "image/avif avif\nimage/svg+xml svg\nimage/x-icon ico\n"
    "font/woff woff\nfont/woff2 woff2\nfont/ttf ttf\nfont/otf otf\n"
    "audio/mpeg mp3\naudio/ogg ogg opus\naudio/wav wav\naudio/flac flac\n"
    "video/mp4 mp4 m4v\nvideo/webm webm\nvideo/quicktime mov\n";

struct ending {
    const char *text;
    const char *type;
    size_t order; /* earlier lines win */
};

struct http_mime {
    const char *fallback;
    char *words; /* that endings point into */
    struct ending *endings;
    size_t count;
    size_t size;
};

static int add(struct http_mime *m, const char *text, const char *type)
{
    if (m->count == m->size) {
        size_t size = m->size ? 2 * m->size : 256;
        struct ending *more = realloc(m->endings, size * sizeof *more);

        if (more == NULL)
            return -1;
        m->endings = more;
        m->size = size;
    }
    m->endings[m->count] = (struct ending){text, type, m->count};
    m->count++;
    return 0;
}

/* "type/subtype end end", '#' begins a comment. */
static int add_line(struct http_mime *m, char *line)
{
    char *rest, *type, *word;

    line[strcspn(line, "#")] = '\0';
    type = strtok_r(line, " \t\r", &rest);
    while (type != NULL && (word = strtok_r(NULL, " \t\r", &rest)) != NULL)
        if (add(m, word, type) < 0)
            return -1;
    return 0;
}

static int compare_text(const struct ending *a, const struct ending *b)
{
    return strcasecmp(a->text, b->text);
}

static int compare(const void *a, const void *b)
{
    const struct ending *x = a, *y = b;
    int order = compare_text(x, y);

    return order ? order : x->order < y->order ? -1 : 1;
}

/* All of the file and the builtin lines behind it. */
static char *read_words(const char *path)
{
    enum { FILE_MAX = 1024 * 1024 };
    FILE *file = fopen(path, "re");
    char *words = malloc(FILE_MAX + sizeof builtin + 1), *fitting;
    size_t n = 0;

    if (words != NULL && file != NULL)
        n = fread(words, 1, FILE_MAX, file);
    if (file != NULL)
        fclose(file);
    if (words == NULL)
        return NULL;
    words[n++] = '\n';
    memcpy(words + n, builtin, sizeof builtin);
    n += sizeof builtin;
    fitting = realloc(words, n);
    return fitting != NULL ? fitting : words;
}

struct http_mime *http_mime_new(const char *path, const char *fallback)
{
    struct http_mime *m = calloc(1, sizeof *m);
    char *rest, *line;

    if (m == NULL)
        return NULL;
    m->fallback = fallback;
    m->words = read_words(path);
    if (m->words == NULL)
        goto failed;
    line = strtok_r(m->words, "\n", &rest);
    for (; line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (add_line(m, line) < 0)
            goto failed;
    if (m->count > 0)
        qsort(m->endings, m->count, sizeof *m->endings, compare);
    return m;
failed:
    http_mime_free(m);
    return NULL;
}

void http_mime_free(struct http_mime *m)
{
    if (m == NULL)
        return;
    free(m->endings);
    free(m->words);
    free(m);
}

/* The first of equal ones, which are the earliest lines. */
const char *http_mime_find(const struct http_mime *m, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');
    struct ending wanted = {dot ? dot + 1 : "", NULL, 0};
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare_text(&m->endings[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (*wanted.text != '\0' && low < m->count &&
        compare_text(&m->endings[low], &wanted) == 0)
        return m->endings[low].type;
    return m->fallback;
}

static int starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), len = strlen(end);

    return n >= len && strcmp(text + n - len, end) == 0;
}

const char *http_mime_charset(const char *type)
{
    if (strchr(type, ';') != NULL)
        return "";
    return starts_with(type, "text/") ||
                   strcmp(type, "application/javascript") == 0
               ? "; charset=utf-8"
               : "";
}

int http_mime_is_compressible(const char *type)
{
    return starts_with(type, "text/") || ends_with(type, "json") ||
           ends_with(type, "xml") || ends_with(type, "javascript") ||
           strcmp(type, "application/wasm") == 0 ||
           strcmp(type, "font/ttf") == 0;
}
