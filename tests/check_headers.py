"""Each public header compiles alone, as C99 and as C++, without a warning."""
import argparse
import subprocess
import sys

HEADERS = ("sockserver.h", "sockserver/strategy.h")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")


def compile_alone(compiler, language, standard, include, header):
    """Returns the compiler's complaints about a file that includes header
    twice and nothing else."""
    command = [compiler, "-x", language, "-std=" + standard, *WARNINGS,
               "-I", include, "-fsyntax-only", "-"]
    done = subprocess.run(command, input=f"#include <{header}>\n" * 2,
                          text=True, stderr=subprocess.PIPE)
    return done.stderr if done.returncode else ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cc", required=True)
    parser.add_argument("--cxx", required=True)
    parser.add_argument("include")
    args = parser.parse_args()
    complaints = ""
    for header in HEADERS:
        for standard in ("c99", "c11", "c17"):
            complaints += compile_alone(args.cc, "c", standard, args.include,
                                        header)
        for standard in ("c++98", "c++17"):
            complaints += compile_alone(args.cxx, "c++", standard,
                                        args.include, header)
    sys.exit(complaints or 0)


main()
