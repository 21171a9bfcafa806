#!/bin/sh
# Builds the library and runs every program of this folder against it.
#
#   ffi-tests/run.sh [plain|asan|valgrind]
#
# plain     the library as it is, and the gates of the ABI: symbols, layout, soname, the header in C99 and C++11
# asan      library and programs with AddressSanitizer and LeakSanitizer
# valgrind  the plain build under memcheck; any error or lost byte fails
#
# The last line is "N passed, N failed"; the exit code is 1 if anything failed.
set -u
mode=${1:-plain}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
target=${CARGO_TARGET_DIR:-$root/target}
cc=${CC:-gcc}
cxx=${CXX:-g++}
passed=0
failed=0
cd "$root" || exit 1

case $mode in
plain | valgrind)
    echo "building the library"
    cargo build --lib --quiet || exit 1
    lib=$target/debug
    san=
    ;;
asan)
    # rustc instruments, gcc's run-time library serves both sides: there must be only one in a process. Build scripts
    # stay without it, since a target is named. The sanitizer is not in stable Rust yet, hence RUSTC_BOOTSTRAP.
    triple=$(rustc -vV | sed -n 's/^host: //p')
    echo "building the library with AddressSanitizer"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}" CARGO_TARGET_DIR=$target/asan \
        cargo build --lib --quiet --target "$triple" || exit 1
    lib=$target/asan/$triple/debug
    san="-fsanitize=address -fno-omit-frame-pointer"
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99:strict_string_checks=1:detect_stack_use_after_return=1
    export ASAN_OPTIONS
    JANUA_TEST_PART=${JANUA_TEST_PART:-10}
    export JANUA_TEST_PART
    ;;
*)
    echo "usage: ffi-tests/run.sh [plain|asan|valgrind]" >&2
    exit 2
    ;;
esac

out=$target/ffi-tests/$mode
mkdir -p "$out" || exit 1
ln -sf "$lib/libjanua.so" "$out/libjanua.so.0"
warn="-Wall -Wextra -Werror -Wshadow -Wvla"
flags="-O1 -g $warn $san -I$root/include -I$here"
link="$out/libjanua.so.0 -Wl,-rpath,$out -lpthread -ldl"

verdict() { # name, 0 for passed
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   $1"
    else
        failed=$((failed + 1))
        echo "FAIL $1"
    fi
}

# "Possibly lost" is left out: Rust's reference counts are pointed to behind their head, which to valgrind is a maybe, in
# children of `fork` that leave with their engine alive. What nothing points to any more is definite.
memcheck="valgrind --quiet --keep-debuginfo=yes --error-exitcode=98 --leak-check=full
    --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect
    --suppressions=$here/valgrind.supp"

run() { # name, command...
    name=$1
    shift
    # shellcheck disable=SC2086
    if [ "$mode" = valgrind ] && [ "$1" != sh ]; then set -- $memcheck "$@"; fi
    LD_LIBRARY_PATH=$out timeout 600 "$@" >"$out/$name.log" 2>&1
    code=$?
    tail -n 12 "$out/$name.log"
    verdict "$name" $code
}

if [ "$mode" = plain ]; then
    # What the library exports is what the list says; src/ffi/tests.rs compares the list with the header.
    nm -D --defined-only "$lib/libjanua.so" | awk '{ print $3 }' | LC_ALL=C sort >"$out/symbols.txt"
    LC_ALL=C diff "$here/abi/symbols.txt" "$out/symbols.txt"
    verdict "abi: symbols" $?
    readelf -d "$lib/libjanua.so" | grep -q 'SONAME.*\[libjanua\.so\.0\]'
    verdict "abi: soname" $?
    # It drops in: nothing is needed that a bare system lacks.
    needed=$(readelf -d "$lib/libjanua.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    strange=$(echo "$needed" | grep -Ev '^(libc|libm|libgcc_s|libpthread|libdl|ld-linux-x86-64|ld-linux-aarch64)\.so' || true)
    [ -z "$strange" ]
    verdict "abi: needs the C library only $strange" $?
    $cc -std=c99 -pedantic $warn "-I$root/include" "$here/abi/layout.c" -o "$out/layout" &&
        "$out/layout" | diff "$here/abi/layout.txt" -
    verdict "abi: layout, header in C99" $?
    echo '#include "janua.h"' >"$out/header.cpp"
    $cxx -std=c++11 -pedantic $warn "-I$root/include" -c "$out/header.cpp" -o "$out/header.o"
    verdict "abi: header in C++11" $?
fi

alone=
if [ "$mode" = plain ]; then alone=alloc; fi
for name in $alone config engine decision parse password session token user audit misuse lying fork threads; do
    # shellcheck disable=SC2086
    if $cc -std=gnu11 $flags "$here/$name.c" -o "$out/$name" $link; then
        if [ "$mode" = valgrind ] && [ "$name" = threads ]; then
            JANUA_TEST_PART=400 run "$name" "$out/$name"
        elif [ "$mode" = valgrind ]; then
            JANUA_TEST_PART=10 run "$name" "$out/$name"
        else
            run "$name" "$out/$name"
        fi
    else
        verdict "$name (does not compile)" 1
    fi
done

# shellcheck disable=SC2086
if $cxx -std=c++17 $flags "$here/cpp.cpp" -o "$out/cpp" $link; then run cpp "$out/cpp"; else verdict "cpp (does not compile)" 1; fi

# Loading and unloading: not linked against the library, and it has to find this program's stand-in.
# shellcheck disable=SC2086
if $cc -std=gnu11 $flags -rdynamic "$here/unload.c" -o "$out/unload" -lpthread -ldl; then
    # The sanitizer cannot name what a library leaves that is gone (valgrind can, see valgrind.supp).
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 run unload "$out/unload" "$out/libjanua.so.0"
else
    verdict "unload (does not compile)" 1
fi

for name in minimal host; do
    # shellcheck disable=SC2086
    $cc -std=gnu11 $flags "$root/examples/$name.c" -o "$out/$name" $link
    verdict "examples/$name.c compiles" $?
done
if [ "$mode" = valgrind ]; then under=$memcheck; else under=; fi
for name in minimal host; do
    if [ -x "$out/$name" ]; then UNDER=$under run "$name" sh "$here/$name.sh" "$out/$name"; fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
