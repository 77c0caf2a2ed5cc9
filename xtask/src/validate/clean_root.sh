#!/bin/sh
# Tries the package as on a machine that has never seen Tributary: a root of its own with the system's programs, an empty
# home, and no network. Run in new user, mount and network namespaces (`unshare --user --map-root-user --mount --net`);
# everything that it mounts is gone when it ends.
#
# usage: clean_root.sh FOLDER PACKAGE.tar.zst HOST-PROGRAM STEMS
# FOLDER is an empty one and stays so. Command line and CLAP must make the same file.

set -eu
PATH=$PATH:/usr/sbin:/sbin
folder=$1
package=$2
host=$3
stems=$4

mount -t tmpfs clean "$folder"
cd "$folder"
mkdir -p usr etc dev tmp home/listener song out proc
mount --rbind /usr usr
mount --rbind /dev dev
mount --rbind /proc proc
mount --rbind "$stems" song
for link in bin sbin lib lib32 lib64; do
    if [ -L "/$link" ]; then
        ln -s "$(readlink "/$link")" "$link"
    elif [ -d "/$link" ]; then
        mkdir "$link"
        mount --rbind "/$link" "$link"
    fi
done
for file in ld.so.cache passwd; do
    [ ! -f "/etc/$file" ] || cp "/etc/$file" "etc/$file"
done
cp "$package" package.tar.zst
cp "$host" host

cat >inside.sh <<'END'
set -eu
cd /tmp
tar --zstd -xf /package.tar.zst
echo '--- install, twice, from another folder'
cd /
sh /tmp/tributary-*/install.sh
sh /tmp/tributary-*/install.sh >/dev/null
rm -r /tmp/tributary-*
echo '--- the command line'
tributary --version
tributary mix /song --profile adaptive -o /out/mix.wav
echo '--- the installed CLAP in a host'
/host --clap "$HOME/.clap/Tributary.clap" --stems /song --out /out/host.wav
cmp /out/mix.wav /out/host.wav
echo '--- uninstall'
sh "$HOME/.clap/Tributary/install.sh" uninstall
left=$(find "$HOME" -mindepth 1)
[ -z "$left" ] || { echo "error: left in the home: $left" >&2; exit 1; }
END
chroot=$(command -v chroot)
env -i HOME=/home/listener PATH=/home/listener/.local/bin:/usr/bin:/bin TMPDIR=/tmp LC_ALL=C.UTF-8 \
    "$chroot" "$folder" /bin/sh /inside.sh
