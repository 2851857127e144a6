# SPDX-License-Identifier: MIT
# Sourced by the scripts that anybody may run on a bare Debian: installs what is missing, and only that.

# Is the work of a Debian package already done, by that package or by the user's own tool chain?
have_package() {
    case $1 in
    gcc) command -v cc ;;
    g++) command -v c++ ;;
    libc6-dev) echo '#include <stdio.h>' | cc -E - ;;
    libcmocka-dev) printf '#include <%s.h>\n' stdarg stddef stdint setjmp cmocka | cc -E - ;;
    make) command -v make || command -v ninja ;;
    ninja-build) command -v ninja ;;
    *) command -v "$1" || dpkg-query -W -f '${db:Status-Abbrev}' "$1" | grep '^.i' ;;
    esac >/dev/null 2>&1
}

# ensure_packages PACKAGE...
ensure_packages() {
    missing=
    for package; do
        have_package "$package" || missing="$missing $package"
    done
    install_packages $missing
}

# ensure_command COMMAND PACKAGE
ensure_command() {
    command -v "$1" >/dev/null || install_packages "$2"
}

install_packages() {
    [ $# -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "Please install what this system calls these Debian packages: $*" >&2
        return 1
    fi
    echo "Installing with apt: $*"
    # Of several lists one may be broken for a while, and what is missing stand in the others.
    run_as_root apt-get -qq update || echo "Going on with the lists of packages that apt has." >&2
    run_as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        --no-install-recommends install "$@" </dev/null
}

run_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "Please run as root: $*" >&2
        return 1
    fi
}
