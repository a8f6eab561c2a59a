/* Reads a server's reply: "CODE LENGTH [KEY=VALUE]... : SENTENCE". */
#include "protocol.h"

#include <string.h>

/* Takes a number and the space behind it off the text; -1 if it cannot. */
static int64_t take_number(const char **text)
{
    size_t n = strcspn(*text, " ");
    int64_t number = number_parse(*text, n);

    if ((*text)[n] != ' ')
        return -1;
    *text += n + 1;
    return number;
}

/* The byte behind the keys: where " : " or ": " starts. */
static const char *end_of_keys(const char *text)
{
    return strncmp(text, ": ", 2) == 0 ? text : strstr(text, " : ");
}

int reply_parse(struct reply *reply, const char *line, size_t n)
{
    const char *text = reply->text;
    int64_t code;

    if (n > 0 && line[n - 1] == '\n')
        n--;
    if (n >= PROTOCOL_LINE || memchr(line, '\0', n))
        return -1;
    memcpy(reply->text, line, n);
    reply->text[n] = '\0';
    code = take_number(&text);
    if (code < 100 || code > 999)
        return -1;
    reply->code = (int)code;
    reply->length = take_number(&text);
    text = reply->length < 0 ? NULL : end_of_keys(text);
    if (!text)
        return -1;
    reply->sentence = strchr(text, ':') + 2;
    return 0;
}

/* What follows "KEY=", or NULL. */
static const char *find_value(const struct reply *reply, const char *key)
{
    size_t n = strlen(key);
    const char *word = reply->text;

    while (word < reply->sentence) {
        if (strncmp(word, key, n) == 0 && word[n] == '=')
            return word + n + 1;
        word += strcspn(word, " ");
        word += *word == ' ';
    }
    return NULL;
}

int reply_value(const struct reply *reply, const char *key, char *value,
                size_t size)
{
    const char *text = find_value(reply, key);
    size_t n = text ? strcspn(text, " ") : 0;

    if (!text || n >= size)
        return -1;
    memcpy(value, text, n);
    value[n] = '\0';
    return (int)n;
}

int64_t reply_number(const struct reply *reply, const char *key)
{
    const char *text = find_value(reply, key);

    return text ? number_parse(text, strcspn(text, " ")) : -1;
}
