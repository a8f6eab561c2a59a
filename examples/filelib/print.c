#include "print.h"

#include <string.h>
#include <unistd.h>

/* The length of the UTF-8 character at text; 0 if there is none. */
static size_t utf8_length(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t n = *c < 0x80 ? 1 : *c >= 0xf0 ? 4 : *c >= 0xe0 ? 3 : 2;

    if (n == 1)
        return 1;
    if (*c < 0xc2 || *c > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] >= 0xa0) ||
        (*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] >= 0x90))
        return 0;
    return n;
}

/* Control characters, also those of two bytes, which terminals obey too. */
static int is_control(const char *text, size_t n)
{
    const unsigned char *c = (const unsigned char *)text;

    return *c < ' ' || *c == 127 || (n == 2 && *c == 0xc2 && c[1] < 0xa0);
}

void print_escaped(char *text, size_t size, const char *name, size_t width)
{
    char *end = text;

    for (size_t used = 0; *name && used < width;) {
        size_t n = utf8_length(name);

        if (n > 0 && !is_control(name, n)) {
            if (used + n > width)
                break;
            memcpy(end, name, n);
            end += n;
        } else {
            n = 1;
            end += snprintf(end, size - (size_t)(end - text), "\\x%02x",
                            (unsigned char)*name);
        }
        name += n;
        used += n;
    }
    *end = '\0';
}

void print_name(FILE *file, const char *name)
{
    char text[4 * 255 + 1];

    if (!isatty(fileno(file))) {
        fputs(name, file);
        return;
    }
    print_escaped(text, sizeof text, name, 255);
    fputs(text, file);
}

void print_json_string(FILE *file, const char *name)
{
    fputc('"', file);
    while (*name) {
        size_t n = utf8_length(name);

        if (n == 0)
            fputs("\\ufffd", file);
        else if (*name == '"' || *name == '\\')
            fprintf(file, "\\%c", *name);
        else if (is_control(name, n) && n == 1)
            fprintf(file, "\\u%04x", (unsigned char)*name);
        else
            fwrite(name, 1, n, file);
        name += n ? n : 1;
    }
    fputc('"', file);
}
