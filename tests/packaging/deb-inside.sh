# SPDX-License-Identifier: MIT
# What deb.sh runs in the fresh Debian: /try has the packages and the sources of a program.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
cd /try

install() {
    apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends install "$@" >apt.log 2>&1 ||
        { cat apt.log; return 1; }
}

# loads_library PROGRAM: the installed one, from where ldconfig knows it
loads_library() {
    ldd "$1" | grep -q "libmlstm.so.0 => /.*lib/$(gcc -print-multiarch)/libmlstm.so.0"
}

apt-get -qq update
install ./libmlstm*.deb
echo "installed on Debian $(cat /etc/debian_version)"
install gcc cmake make pkg-config

flags="-std=c11 -Wall -Wextra -Wpedantic -Werror"
gcc $flags consumer.c -o shared $(pkg-config --cflags --libs mlstm)
loads_library shared
echo "pkg-config: $(./shared)"
gcc $flags -static consumer.c -o static $(pkg-config --static --cflags --libs mlstm)
echo "pkg-config --static: $(./static)"
cmake -S installed -B build >cmake.log
cmake --build build >>cmake.log
loads_library build/consumer
echo "find_package: $(build/consumer)"
[ -f /usr/share/doc/libmlstm-doc/html/index.html ]

dpkg --purge libmlstm-doc libmlstm-dev libmlstm0 >purge.log
left=$(find / -xdev -path /try -prune -o -path /proc -prune -o -name '*mlstm*' -print)
[ -z "$left" ] || { echo "left after removal: $left"; exit 1; }
echo "removed, and nothing left"
