/* cmocka with what it wants included before. */
#ifndef FILELIB_CHECK_H
#define FILELIB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
