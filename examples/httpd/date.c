#include "date.h"

#include <stdio.h>
#include <string.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void put_number(char *out, int number, int digits)
{
    while (digits-- > 0) {
        out[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

void http_date_format(time_t when, char *out)
{
    struct tm tm;

    gmtime_r(&when, &tm);
    memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_LEN);
    memcpy(out, days[tm.tm_wday], 3);
    put_number(out + 5, tm.tm_mday, 2);
    memcpy(out + 8, months[tm.tm_mon], 3);
    put_number(out + 12, tm.tm_year + 1900, 4);
    put_number(out + 17, tm.tm_hour, 2);
    put_number(out + 20, tm.tm_min, 2);
    put_number(out + 23, tm.tm_sec, 2);
}

void http_date_ctime(time_t when, char *out)
{
    struct tm tm;

    localtime_r(&when, &tm);
    memcpy(out, "Sun Jan  0 00:00:00 0000", HTTP_CTIME_LEN);
    memcpy(out, days[tm.tm_wday], 3);
    memcpy(out + 4, months[tm.tm_mon], 3);
    if (tm.tm_mday >= 10)
        put_number(out + 8, tm.tm_mday, 2);
    else
        put_number(out + 9, tm.tm_mday, 1);
    put_number(out + 11, tm.tm_hour, 2);
    put_number(out + 14, tm.tm_min, 2);
    put_number(out + 17, tm.tm_sec, 2);
    put_number(out + 20, tm.tm_year + 1900, 4);
}

void http_date_log(time_t when, char *out)
{
    struct tm tm;

    gmtime_r(&when, &tm);
    memcpy(out, "00/Jan/0000:00:00:00 +0000", HTTP_LOG_DATE_LEN);
    put_number(out, tm.tm_mday, 2);
    memcpy(out + 3, months[tm.tm_mon], 3);
    put_number(out + 7, tm.tm_year + 1900, 4);
    put_number(out + 12, tm.tm_hour, 2);
    put_number(out + 15, tm.tm_min, 2);
    put_number(out + 18, tm.tm_sec, 2);
}

time_t http_date_second(void)
{
    struct timespec now;

#ifdef CLOCK_REALTIME_COARSE
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
#else
    clock_gettime(CLOCK_REALTIME, &now);
#endif
    return now.tv_sec;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years begin in
 * March here, so that the leap day is the last. */
static long days_since_1970(int year, int month, int day)
{
    long y = month > 2 ? year : year - 1;
    long in_year = (153L * ((month + 9) % 12) + 2) / 5 + day - 1;

    return 365 * y + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

static int month_of(const char *name)
{
    for (int i = 0; i < 12; i++)
        if (memcmp(months[i], name, 3) == 0)
            return i + 1;
    return 0;
}

/* What the three forms say. */
struct parts {
    char month[4];
    int year, day, hour, minute, second;
};

static int assemble(const struct parts *p, time_t *when)
{
    int month = month_of(p->month);

    if (month == 0 || p->day < 1 || p->day > 31 || p->hour > 23 ||
        p->minute > 59 || p->second > 60 || p->year < 1600)
        return 0;
    *when = (time_t)days_since_1970(p->year, month, p->day) * 86400 +
            p->hour * 3600L + p->minute * 60L + p->second;
    return 1;
}

/* RFC 9110: two digits mean the year that is at most 50 years ahead. */
static int full_year(int year)
{
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    year += (tm.tm_year + 1900) / 100 * 100;
    return year > tm.tm_year + 1900 + 50 ? year - 100 : year;
}

int http_date_parse(const char *text, size_t n, time_t *when)
{
    char s[40];
    struct parts p;
    int end = 0;

    if (n >= sizeof s || memchr(text, '\0', n) != NULL)
        return 0;
    memcpy(s, text, n);
    s[n] = '\0';
    if (sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &p.day,
               p.month, &p.year, &p.hour, &p.minute, &p.second, &end) == 6 &&
        (size_t)end == n)
        return assemble(&p, when);
    if (sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &p.day,
               p.month, &p.year, &p.hour, &p.minute, &p.second, &end) == 6 &&
        (size_t)end == n) {
        p.year = full_year(p.year);
        return assemble(&p, when);
    }
    if (sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", p.month,
               &p.day, &p.hour, &p.minute, &p.second, &p.year, &end) == 6 &&
        (size_t)end == n)
        return assemble(&p, when);
    return 0;
}
