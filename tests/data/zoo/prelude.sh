# What the scripts of the zoo can use. $1 is the disk, $2 a second one; $size is in bytes.
set -euo pipefail
d=$1 e=$2
size=$(blockdev --getsize64 "$d")
export MDADM_NO_UDEV=1 IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1

# The node of partition $1 of the disk, or of the second.
p() { case $d in *[0-9]) echo "${d}p$1" ;; *) echo "$d$1" ;; esac; }
q() { case $e in *[0-9]) echo "${e}p$1" ;; *) echo "$e$1" ;; esac; }

# Writes its input to the disk from byte $1 on. A negative number counts from the end.
put() { dd of="$d" bs=64K oflag=seek_bytes seek="$(($1 < 0 ? size + $1 : $1))" conv=notrunc,fsync iflag=fullblock status=none; }
bytes() { printf "$@"; }
zeros() { dd if=/dev/zero bs="$1" count=1 status=none; }
random() { dd if=/dev/urandom bs="$1" count=1 iflag=fullblock status=none; }

# A table of the kind $1 with the lines that follow, by sfdisk, and udev done with it.
table() { local label=$1; shift; printf '%s\n' "label: $label" "$@" | sfdisk --quiet --force --wipe never "$d"; udevadm settle; }

# Writes a file to the filesystem on $1.
letter() { mkdir -p /run/zoo; mount "$@" /run/zoo; echo dear >/run/zoo/letter.txt; umount /run/zoo; }

# Stops every array, as its owner does who is done with it; udev may have put one together meanwhile.
stop_arrays() {
  udevadm settle
  for md in /dev/md[0-9]* /dev/md/*; do [ ! -b "$md" ] || mdadm --quiet --stop "$md" || :; done
  udevadm settle
}
volumes_off() { udevadm settle; vgchange -qq --activate n >/dev/null 2>&1 || :; udevadm settle; }
bcaches_off() {
  udevadm settle
  for stop in /sys/block/bcache*/bcache/stop /sys/fs/bcache/*/stop; do [ ! -e "$stop" ] || echo 1 >"$stop"; done
  sleep 1; udevadm settle
}

# A LUKS container of the kind $1 on the device $2, and the device $1 opened as $2. Its key is cheap.
luks() {
  printf secret | cryptsetup -q luksFormat --type "$1" --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - "$2"
  udevadm settle
}
opened() { printf secret | cryptsetup open --key-file - "$1" "$2"; udevadm settle; }

# An installer's image in the file $1, as distributions make them: an MBR with its boot code, and with what is named
# beside it (`gpt`, `apple`) those tables too.
iso() {
  local to=$1 tree=/run/tree more=(); shift
  mkdir -p $tree/boot; cp /usr/lib/ISOLINUX/isolinux.bin $tree/boot/
  rm -f $tree/boot/efi.img; mkfs.vfat -C $tree/boot/efi.img 4096 >/dev/null
  [ $# = 0 ] || more=(-eltorito-alt-boot -e boot/efi.img -no-emul-boot -isohybrid-gpt-basdat)
  case "$*" in *apple*) more+=(-isohybrid-apm-hfsplus) ;; esac
  xorriso -as mkisofs -quiet -V INSTALLER -isohybrid-mbr /usr/lib/ISOLINUX/isohdpfx.bin -b boot/isolinux.bin \
    -c boot/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table "${more[@]}" -o "$to" $tree 2>/dev/null
  rm -r $tree
}
# Writes the file $1 to the disk from its start, removes it, and has the kernel look.
flash() { put 0 <"$1"; rm "$1"; reread; udevadm settle; }
# Has the kernel read the table again, once udev has let go of the disk; a table that it refuses is left so.
reread() {
  local try
  for try in 1 2 3 4 5; do
    udevadm settle
    blockdev --rereadpt "$d" 2>/dev/null && break
    sleep 0.3
  done
}
