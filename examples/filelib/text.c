/* Numbers, names and bytes as they travel. */
#include "protocol.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("._~-", c));
}

int64_t number_parse(const char *text, size_t n)
{
    int64_t number = 0;

    if (n == 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return -1;
        number = number * 10 + digit;
    }
    return number;
}

size_t name_encode(char *out, const char *name, size_t n)
{
    char *end = out;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name[i];

        if (is_plain(name[i])) {
            *end++ = name[i];
        } else {
            *end++ = '%';
            *end++ = digits[c >> 4];
            *end++ = digits[c & 15];
        }
    }
    *end = '\0';
    return (size_t)(end - out);
}

/* The byte that the text starts with, and in *used how much of the text it
 * took; -1 if it is malformed. */
static int decode_byte(const char *text, size_t n, size_t *used)
{
    int high, low;

    *used = 1;
    if (*text != '%')
        return (unsigned char)*text > ' ' && *text != 127 ? (unsigned char)*text
                                                          : -1;
    if (n < 3)
        return -1;
    *used = 3;
    high = hex_value(text[1]);
    low = hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

const char *name_decode(char *out, const char *text, size_t n)
{
    size_t len = 0, used;

    out[0] = '\0';
    for (size_t i = 0; i < n; i += used) {
        int byte = decode_byte(text + i, n - i, &used);

        if (byte < 0)
            return "a name is not encoded as names are";
        if (byte == 0 || byte == '/')
            return "no file name has a NUL or a slash";
        if (len == PROTOCOL_NAME)
            return "a name has more than 255 bytes";
        out[len++] = (char)byte;
        out[len] = '\0';
    }
    return len ? NULL : "a name is empty";
}

void hex_encode(char *out, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

int hex_decode(unsigned char *bytes, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

        if (low < 0)
            return -1;
        bytes[i] = (unsigned char)(high * 16 + low);
    }
    return 0;
}
