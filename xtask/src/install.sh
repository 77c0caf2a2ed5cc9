#!/bin/sh
# Installs Tributary into your own folders, and takes it away again. Needs no rights but yours, and no network.
#
#     sh install.sh              the plug-ins into ~/.clap and ~/.vst3, the command line into ~/.local/bin
#     sh install.sh uninstall    removes exactly that; files of yours in the same folders stay
#
# What is put where is written to ~/.local/share/tributary/installed-files.txt before the first file is: an installation
# that was interrupted can be repeated or undone. A line that ends in a slash is a folder that was made.

set -eu
LC_ALL=C
export LC_ALL

tab=$(printf '\t')
partial=

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The user's folder for a word of the list.
home_of() {
    case $1 in
        clap) printf '%s\n' "$HOME/.clap" ;;
        vst3) printf '%s\n' "$HOME/.vst3" ;;
        programs) printf '%s\n' "$HOME/.local/bin" ;;
        *) fail "files.txt names an unknown folder: $1" ;;
    esac
}

find_places() {
    case ${HOME:-} in
        *"
"*) fail 'HOME holds a line break' ;;
        /*) ;;
        *) fail 'HOME is not set to an absolute path; it names your own folders' ;;
    esac
    data=${XDG_DATA_HOME:-}
    case $data in
        *"
"*) fail 'XDG_DATA_HOME holds a line break' ;;
        /*) ;;
        *) data=$HOME/.local/share ;;
    esac
    list=$data/tributary/installed-files.txt
}

is_listed() {
    [ -f "$list" ] && grep -Fqx -- "$1" "$list"
}

# Every line of the package's list as: kind, absolute place, what it is filled from.
each_item() {
    while IFS=$tab read -r kind home path from; do
        folder=$(home_of "$home") || exit 1
        printf '%s\t%s/%s\t%s\n' "$kind" "$folder" "$path" "$from"
    done <"$here/files.txt"
}

check_package() {
    [ -f "$here/files.txt" ] || fail "there is nothing to install beside $here/install.sh; it can uninstall only"
    if command -v sha256sum >/dev/null 2>&1; then
        (cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) >&2 ||
            fail 'the package is damaged; fetch it again. Nothing was installed'
    else
        printf 'sha256sum is not here: the checksums are not checked\n'
    fi
}

# Stops before anything is done when a file would be replaced that no installation put there.
check_places() {
    printf '%s\n' "$items" | while IFS=$tab read -r _ place _; do
        if [ -e "$place" ] || [ -L "$place" ]; then
            is_listed "$place" ||
                fail "$place is there already and was not installed by this; move it away first. Nothing was installed"
        fi
    done
}

# The folders above a file that are not there yet, each with a slash at its end.
missing_above() {
    folder=$(dirname -- "$1")
    while [ ! -d "$folder" ]; do
        printf '%s/\n' "$folder"
        folder=$(dirname -- "$folder")
    done
}

write_list() {
    partial=$list.partial
    sort -u >"$partial"
    mv -f -- "$partial" "$list"
    partial=
}

# Files of the same content stand together in the list: the second is another name of the first, where that can be.
put_files() {
    last_from=
    last_place=
    while IFS=$tab read -r kind place from; do
        partial=$place.partial
        rm -f -- "$partial"
        if [ "$kind" = link ]; then
            ln -s -- "$(home_of "${from%%/*}")/${from#*/}" "$partial"
        elif [ "$from" != "$last_from" ] || ! ln -- "$last_place" "$partial" 2>/dev/null; then
            cp -- "$here/$from" "$partial"
        fi
        mv -f -- "$partial" "$place"
        last_from=$from
        last_place=$place
    done <<END
$items
END
    partial=
}

install() {
    check_package
    items=$(each_item)
    check_places
    now=$(printf '%s\n' "$items" | cut -f 2)
    before=
    [ ! -f "$list" ] || before=$(cat -- "$list")
    made=$(printf '%s\n%s\n' "$now" "$list" | while read -r place; do missing_above "$place"; done)
    mkdir -p -- "$(dirname -- "$list")"
    printf '%s\n%s\n%s\n' "$before" "$made" "$now" | grep . | write_list
    printf '%s\n' "$made" | sort -u | while read -r folder; do
        [ -z "$folder" ] || mkdir -p -- "$folder"
    done
    put_files
    # What an earlier version had and this one has not.
    printf '%s\n' "$before" | grep . | grep -v '/$' | while read -r place; do
        printf '%s\n' "$now" | grep -Fqx -- "$place" || rm -f -- "$place"
    done
    { printf '%s\n%s\n' "$before" "$made" | grep '/$' || :; printf '%s\n' "$now"; } | write_list
    tell_of_installation
}

tell_of_installation() {
    printf 'Tributary is in %s and %s; let your host scan for plug-ins again.\n' \
        "$(home_of clap)" "$(home_of vst3)"
    programs=$(home_of programs)
    case :${PATH:-}: in
        *:"$programs":*) printf 'The command line is called `tributary`.\n' ;;
        *) printf 'The command line is %s/tributary; that folder is not on your PATH.\n' "$programs" ;;
    esac
    printf 'To take it away again: sh %s/Tributary/install.sh uninstall\n' "$(home_of clap)"
}

uninstall() {
    [ -s "$list" ] || fail "nothing is installed: $list is missing or empty"
    before=$(cat -- "$list")
    printf '%s\n' "$before" | grep '^/.*[^/]$' | while read -r place; do
        rm -f -- "$place"
    done
    rm -f -- "$list"
    # In reverse order a folder comes after the folders inside it. Only an empty one can be removed.
    printf '%s\n' "$before" | grep '^/.*/$' | sort -r | while read -r folder; do
        rmdir -- "$folder" 2>/dev/null || [ ! -d "$folder" ] || case $folder in
            "$(home_of clap)"/* | "$(home_of vst3)"/*)
                printf 'kept, because something in it was not installed by this: %s\n' "$folder" ;;
        esac
    done
    printf 'Tributary is removed.\n'
}

main() {
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    find_places
    trap '[ -z "$partial" ] || rm -f -- "$partial"' EXIT
    trap 'exit 130' INT TERM HUP
    case ${1:-install} in
        install) install ;;
        uninstall) uninstall ;;
        -h | --help | help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" ;;
        *) fail "there is no \`$1\`; it is install, uninstall or --help" ;;
    esac
}

main "$@"
exit
