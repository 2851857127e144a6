#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes the Debian packages, reads them with lintian, and installs, uses and removes them in a fresh
# Debian. MLSTM_DEBIAN names that Debian's tar file (one folder with the root in it), which is made
# with debootstrap where it is missing. Needs root or sudo.
. "$(dirname "$0")/setup.sh"
ensure_packages debootstrap dpkg-dev doxygen doxygen-awesome-css file lintian
: "${MLSTM_DEBIAN:=$work/bookworm.tar}"
build=$work/deb
debian=$work/bookworm
mkdir -p "$work"

rm -rf "$build"
quietly "$work/deb.log" cmake --preset deb -B "$build"
quietly "$work/deb.log" cmake --build "$build" -j "$(nproc)"
(cd "$build" && quietly "$work/deb.log" cpack)

# Known and left: no Debian bug asks for these packages; and CPack writes its calls of ldconfig
# beside the trigger that has replaced them, which costs a second.
lintian --allow-root --fail-on error,warning \
    --suppress-tags initial-upload-closes-no-bugs,maintscript-calls-ldconfig "$build"/*.deb
echo "lintian: no error, no warning"

package() {
    set -- "$build/$1"_*.deb
    [ -f "$1" ] || fail "no package $1"
    echo "$1"
}
version=$(dpkg-deb -f "$(package libmlstm0)" Version)
[ "$(dpkg-parsechangelog -l cmake/debian/changelog -S Version)" = "$version" ] ||
    fail "cmake/debian/changelog does not begin with $version"
shlibs=$(dpkg-deb -I "$(package libmlstm0)" shlibs)
[ "$shlibs" = "libmlstm 0 libmlstm0 (>= $version)" ] || fail "shlibs says: $shlibs"
for name in libmlstm0 libmlstm-dev libmlstm-doc; do
    echo "$name $version: $(dpkg-deb -c "$(package $name)" | grep -vc '/$') files," \
        "depends on $(dpkg-deb -f "$(package $name)" Depends)"
done

if [ ! -f "$MLSTM_DEBIAN" ]; then
    run_as_root rm -rf "$debian"
    quietly "$work/debootstrap.log" run_as_root debootstrap --variant=minbase bookworm "$debian"
    run_as_root tar -C "$work" -cf "$MLSTM_DEBIAN" bookworm
fi
run_as_root rm -rf "$debian"
mkdir "$debian"
run_as_root tar -C "$debian" --strip-components=1 -xf "$MLSTM_DEBIAN"
run_as_root cp /etc/resolv.conf "$debian/etc/resolv.conf"
run_as_root mkdir "$debian/try"
run_as_root cp -R "$build"/*.deb tests/consumer/consumer.c tests/consumer/installed \
    "$here/deb-inside.sh" "$debian/try"
run_as_root chroot "$debian" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /try/deb-inside.sh
run_as_root rm -rf "$debian"
