"""The pieces of sh that read a disk and change nothing."""

from __future__ import annotations

from subfloor.observe.device_names import CANONICAL
from subfloor.storage import end_mark
from subfloor.storage.superblocks import PIECE, PLACES

ENDS = 64 * 1024
"""How many bytes are read, and emptied, at each end of a disk: enough for a table of more than 300 entries."""

UNREADABLE = 74
"""The exit status of a probe that could not read the disk (EX_IOERR of sysexits.h)."""

# The probes. $n is the device node. sysfs has ! in place of the / in names such as cciss/c0d0.

# Programs are started only if the shell has no builtin for the purpose: looks are frequent, and each start takes time.
FIND = rf"""
{CANONICAL}
canonical "$n"; n=$node name=$block
s=/sys/class/block/$name
"""

FACTS = r"""
while read -r key _ uid _; do
    case $key in Uid:) echo "uid $uid"; break;; esac
done < /proc/self/status
if [ ! -b "$n" ]; then
    for s in /sys/block/*; do
        read -r size < "$s/size" || continue
        case "${s##*/}" in loop*|ram*|zram*|dm-*|sr*|fd*) continue;; esac
        [ "$size" -gt 0 ] || continue
        model=; serial=
        [ ! -r "$s/device/model" ] || read -r model < "$s/device/model" || :
        [ ! -r "$s/serial" ] || read -r serial < "$s/serial" || :
        about="$((size / 2097152)) GiB${model:+ $model}${serial:+ $serial}"
        node_of "${s##*/}"; echo "present $node ($about)"
    done
    exit 0
fi
show() { if [ -r "$2" ]; then read -r value < "$2"; echo "$1 $value"; fi; }
users() { # the directory in sysfs, the node
    for h in "$1"/holders/*; do [ ! -e "$h" ] || { node_of "${h##*/}"; echo "holder $2 ${node##*/}"; }; done
    for b in /sys/fs/btrfs/*/devices/"${1##*/}"; do
        [ ! -e "$b" ] || { b=${b%/devices/*}; echo "btrfs $2 ${b##*/}"; }
    done
}
echo "node $n"
if [ -e "$s/partition" ]; then echo kind partition; else
    case "$name" in sr*) echo kind rom;; *) echo kind disk;; esac
fi
show dev "$s/dev"
show diskseq "$s/diskseq"
show size "$s/size"
show ro "$s/ro"
show sector "$s/queue/logical_block_size"
show physical "$s/queue/physical_block_size"
show minimum_io "$s/queue/minimum_io_size"
show optimal_io "$s/queue/optimal_io_size"
show alignment_offset "$s/alignment_offset"
show model "$s/device/model"
if [ -r "$s/serial" ]; then show serial "$s/serial"; else show serial "$s/device/serial"; fi
users "$s" "$n"
if [ -r "$s/dm/uuid" ]; then
    show mapped "$s/dm/uuid"
    for l in "$s"/slaves/*; do [ ! -e "$l" ] || { node_of "${l##*/}"; echo "below $node"; }; done
fi
for l in /sys/block/loop*/loop/backing_file; do
    if [ -r "$l" ] && IFS= read -r file < "$l"; then l=${l%/loop/*}; echo "loop $file ${l##*/}"; fi
done
for p in "$s"/"$name"*; do
    [ -r "$p/partition" ] || continue
    read -r number < "$p/partition" && read -r start < "$p/start" && read -r size < "$p/size" &&
        read -r dev < "$p/dev" || continue
    node_of "${p##*/}"
    echo "partition $number $start $size $dev $node"
    users "$p" "$node"
done
"""

# Data that the kernel could not write stays in its cache, and is read from there as if it were on the disk. So the
# table, whose names show what is finished, is read with O_DIRECT. If a device does not support O_DIRECT, the cache is
# dropped before the table is read; if the cache cannot be dropped, the device is not read at all.
_MEDIUM = rf"""
read -r size < "$s/size" || exit
count={ENDS // 512}
[ "$size" -gt "$count" ] || count=$size
medium() {{ # the first sector, of 512 bytes
    dd if="$n" bs=$((count * 512)) count=1 skip=$(($1 * 512)) iflag=direct,fullblock,skip_bytes 2>/dev/null && return
    blockdev --flushbufs "$n" && dd if="$n" bs=512 skip="$1" count="$count" 2>/dev/null
}}
"""

HEAD = f"{_MEDIUM}\nmedium 0"

TAIL = f"{_MEDIUM}\nmedium $((size - count))"

# The parts of a table that are not at the ends of the disk: entries that a header places elsewhere (sgdisk
# --move-main-table), and the second copy on a disk that has grown. That copy is at the former end of the disk, which
# the protective MBR and the first header name. If the whole table is at the ends, the only cost is two starts of od.
# Each piece is printed as its first sector and its bytes in hexadecimal.
ELSEWHERE = rf"""
[ -e "$s" ] && [ ! -e "$s/partition" ] || exit 0
{_MEDIUM}
read -r sector < "$s/queue/logical_block_size" || exit
last=$((size * 512 / sector - 1)) per=$((sector / 512)) longest={1 << 20}
[ "$last" -gt 2 ] || exit 0 # no room for a table
u32() {{ u=$(($1 | $2 << 8 | $3 << 16 | $4 << 24)); }}
u64() {{ u=$(($1 | $2 << 8 | $3 << 16 | $4 << 24 | $5 << 32 | $6 << 40 | $7 << 48 | $8 << 56)); }}
inside() {{ [ "$1" -gt 1 ] && [ "$1" -lt "$last" ]; }}
print() {{ # the first sector, how many
    count=$(($2 * per))
    bytes=$(medium $(($1 * per)) | od -A n -v -t x1 | tr -d ' \n') && echo "$1 $bytes"
}}
header() {{ # the first 96 bytes of a sector, one by one. Sets $alternate, and prints entries between the ends.
    [ "$1 $2 $3 $4 $5 $6 $7 $8" = "69 70 73 32 80 65 82 84" ] || return
    shift 32; u64 "$@"; alternate=$u
    shift 40; u64 "$@"; array=$u
    shift 8; u32 "$@"; entries=$u
    shift 4; u32 "$@"; length=$((entries * u))
    inside "$array" && [ "$length" -gt 0 ] && [ "$length" -le "$longest" ] || return 0
    sectors=$(((length + sector - 1) / sector))
    [ $(((array + sectors) * sector)) -gt {ENDS} ] || return 0
    [ $((last + 1 - array)) -gt $(({ENDS} / sector)) ] || return 0
    [ $((last + 1 - array)) -lt "$sectors" ] || print "$array" "$sectors"
}}
sector_of() {{ od -A n -v -t u1 -j $(($1 * sector)) -N 96 -- "$n"; }}
set -- $(od -A n -v -t u1 -j 446 -N $((sector + 96 - 446)) -- "$n")
[ $# -gt $((sector - 446)) ] || exit
ends=
for slot in 1 2 3 4; do
    kind=$5 from="$9 ${{10}} ${{11}} ${{12}}"; u32 "${{13}}" "${{14}}" "${{15}}" "${{16}}"
    [ "$kind $from" != "238 1 0 0 0" ] || ends="$ends $u"
    shift 16
done
shift $((sector - 446 - 64))
alternate=
header "$@"
[ -z "$alternate" ] || ends="$ends $alternate"
header $(sector_of "$last")
for end in $ends; do
    [ "$end" -gt $(({ENDS} / sector)) ] && inside "$end" || continue
    header $(sector_of "$end") || continue
    print "$end" 1
done
exit 0
"""

SAMPLES = 200
SAMPLE = 4096
MARGIN = 1024 * 1024
"""What is read of a disk without partitions to see whether it is blank: ``MARGIN`` bytes at both ends, and ``SAMPLES``
samples of ``SAMPLE`` bytes between them."""

BEGINNINGS = 64
BEGINNING = 64 * 1024 + SAMPLE
"""Also read: ``BEGINNING`` bytes at the start of each of the first ``BEGINNINGS`` MiB. Partitions, and images written
to an offset, usually begin on a whole MiB, and a fresh filesystem may be little more than its first superblock. A
superblock lies at most 64 KiB after the start of its filesystem (btrfs, reiserfs, gfs2), the signature of a swap area
before that point, whatever the page size."""

# Prints each place and its length, both in units of SAMPLE bytes; $pages is the size of the disk in this unit. Prints
# nothing if the two ends are the whole disk.
SAMPLE_PLACES = f"""
places() {{
    i=1 last=$((pages - {(MARGIN + BEGINNING) // SAMPLE}))
    while [ "$i" -lt {BEGINNINGS} ] && [ $((i * {MARGIN // SAMPLE})) -le "$last" ]; do
        echo $((i * {MARGIN // SAMPLE})) {BEGINNING // SAMPLE}
        i=$((i + 1))
    done
    span=$((pages - {2 * MARGIN // SAMPLE})) i=0
    while [ "$span" -gt 0 ] && [ "$i" -lt {SAMPLES} ]; do
        echo $(({MARGIN // SAMPLE} + i * span / {SAMPLES})) 1
        i=$((i + 1))
    done
}}
"""

# Whether bytes are zeros. In perl, comparing two strings is many times faster than searching for a byte.
_IS_ZEROS = r"""
    open(D, "<:raw", shift) or exit 1;
    my $zeros = "\0" x 1048576;
    sub zeros { # a place, and how many bytes there; no read may go beyond the end of the device
        sysseek(D, $_[0], 0) && sysread(D, my $b, $_[1]) == $_[1] or exit 1;
        return $b eq substr($zeros, 0, $_[1]);
    }
"""

# No POSIX program reads many places in one start, and starting a program for each place takes most of a look's time.
# So perl reads all places, if it is installed, and prints the result. Otherwise the probe prints digests, and the
# parser compares them with the digests of zeros. Either way the data itself does not leave the machine.
_BY_PERL = rf"""
    {_IS_ZEROS}
    my ($last, $length) = @ARGV; my ($ends, $samples) = (zeros(0, $length) && zeros($last, $length), 1);
    for (<STDIN>) {{
        my ($at, $count) = split;
        $samples = 0 unless zeros($at * {SAMPLE}, $count * {SAMPLE});
    }}
    print "ends ", $ends ? "zeros" : "data", "\nsamples ", $samples ? "zeros" : "data", "\n";
"""

ZEROS = rf"""
[ -e "$s" ] && [ ! -e "$s/partition" ] || exit 0
[ -z "$(partx --raw --noheadings --output NR -- "$n")" ] || {{ echo "unread partitions"; exit 0; }}
[ ! -e "$s/dm" ] || {{ echo "unread mapped"; exit 0; }}
{_MEDIUM}
if [ "$size" -gt {2 * end_mark.ROOM // 512} ]; then
    count=8
    echo end $(medium $((size - {end_mark.ROOM // 512})) | od -A n -v -t x1 -N {end_mark.LENGTH})
fi
blockdev --flushbufs "$n" && read -r size < "$s/size" || exit
pages=$((size / {SAMPLE // 512})) count={MARGIN // 512}
[ "$size" -gt "$count" ] || count=$size
{SAMPLE_PLACES}
if command -v perl >/dev/null; then
    places | perl -e '{_BY_PERL}' "$n" $(((size - count) * 512)) $((count * 512)) || echo unreadable yes
    exit 0
fi
samples() {{ while read -r at count; do dd if="$n" bs={SAMPLE} skip="$at" count="$count" || exit; done; }}
ends() {{ dd if="$n" bs=512 count="$count" && dd if="$n" bs=512 skip=$((size - count)) count="$count"; }}
between() {{ ( places | samples ); }}
{{
    printf 'ends '; {{ ends || echo unreadable yes >&3; }} | sha256sum || exit
    printf 'samples '; {{ between || echo unreadable yes >&3; }} | sha256sum || exit
}} 3>&1
"""

# libblkid treats unreadable data as empty. So if libblkid finds nothing, check that the data can be read.
READABLE = """
piece() { # the node; the first sector of 512 bytes. In one read, if this dd can: two thousand reads are slow.
    dd if="$1" bs=$((count * 512)) skip=$(($2 * 512)) count=1 iflag=fullblock,skip_bytes ||
        dd if="$1" bs=512 skip="$2" count="$count"
}
readable() { # the node; the first sector, and the number of sectors, of 512 bytes
    count=2048
    [ "$3" -ge "$count" ] || count=$3
    piece "$1" "$2" >/dev/null && piece "$1" $(($2 + $3 - count)) >/dev/null
}
"""

SIGNATURES = rf"""
blockdev --flushbufs "$n" || exit
found=$(wipefs --no-act --json -- "$n") || exit
# Older versions print nothing if they find nothing. Print an empty list then, because no output must not mean blank.
[ -n "$found" ] || found='{{"signatures": []}}'
printf '%s\n' "$found"
case "$found" in *'"type"'*) exit 0;; esac
read -r size < "$s/size" && readable "$n" 0 "$size" || exit {UNREADABLE}
"""

# A partition's content is read through its own node if the kernel has one: the caches of a disk and of its
# partitions are not coherent. partx always counts in 512-byte sectors.
# In a table, a partition may end or even begin beyond the end of the disk: nothing is read beyond that end.
VOLUMES = r"""
[ -e "$s" ] && [ ! -e "$s/partition" ] || exit 0
read -r whole < "$s/size" || exit
command -v partx >/dev/null && command -v blkid >/dev/null || exit 127
list=$(partx --raw --noheadings --output NR,START,SECTORS -- "$n")
echo "partx $?"
# If no table lists partitions, the content of the whole disk is printed under the number 0, which no partition has.
while read -r number start size; do
    [ -n "$number" ] || { [ -z "$list" ] || continue; number=0 start=0 size=$whole; }
    echo "$number.start $start"
    echo "$number.size $size"
    found=$n from=$start
    [ "$start" -lt "$whole" ] || { echo "$number.status outside"; continue; }
    for p in "$s"/"$name"*; do
        [ -r "$p/partition" ] && read -r k < "$p/partition" && read -r kstart < "$p/start" &&
            read -r ksize < "$p/size" || continue
        node_of "${p##*/}"
        if [ "$k $kstart $ksize" = "$number $start $size" ] && [ -b "$node" ]; then found=$node from=0; fi
    done
    [ "$from" -eq 0 ] && [ "$found" != "$n" ] || [ "$size" -le $((whole - start)) ] || size=$((whole - start))
    blockdev --flushbufs "$found" || exit
    out=$(blkid --probe --offset $((from * 512)) --size $((size * 512)) --output udev -- "$found")
    status=$?
    case "$status $out" in
        8*|*ID_FS_TYPE=*|*ID_PART_TABLE_TYPE=*) ;;
        "0 ID_"*|"2 ") readable "$found" "$from" "$size" || status=unreadable;;
        *) status="$status, not understood";;
    esac
    echo "$number.status $status"
    while IFS= read -r line; do
        case "$line" in
            ID_FS_TYPE=*|ID_FS_LABEL_ENC=*|ID_FS_UUID=*|ID_PART_TABLE_TYPE=*)
                echo "$number.${line%%=*} ${line#*=}";;
        esac
    done <<FOUND
$out
FOUND
done <<LIST
$list
LIST
"""

# The content of free space at the places in $places. libblkid treats unreadable data as empty.
# Zeros contain no signature, and starting a program for each place takes most of a look's time. So perl, if it is
# installed, leaves out the places that hold zeros wherever libblkid reads: in the first 512 KiB (ZFS), at the second
# headers of LUKS2 and those of VMFS up to 4 MiB, and at the end of the space (arrays). Nothing beyond that end is
# read: a device refuses to seek there.
_NOT_ZEROS = rf"""
    {_IS_ZEROS}
    my $end = shift;
    sub holds {{ # a place, and how many bytes to read there
        my $length = $end - $_[0] < $_[1] ? $end - $_[0] : $_[1];
        return $length > 0 && !zeros($_[0], $length);
    }}
    my $tail = holds($end > 524288 ? $end - 524288 : 0, 524288);
    for my $at (@ARGV) {{
        print "$at " if $tail || holds($at, 524288) || grep {{ holds($at + $_ * 1048576, 65536) }} 1, 2, 4;
    }}
"""

FREE_SPACE = rf"""
[ -b "$n" ] || exit 0
command -v blkid >/dev/null || exit 127
blockdev --flushbufs "$n" || exit
if command -v perl >/dev/null; then
    places=$(perl -e '{_NOT_ZEROS}' "$n" "$end" $places) || exit {UNREADABLE}
fi
for place in $places; do
    out=$(blkid --probe --offset "$place" --size $((end - place)) --output udev -- "$n")
    status=$?
    case "$status $out" in
        8*|*ID_FS_TYPE=*|*ID_PART_TABLE_TYPE=*) ;;
        "0 ID_"*|"2 ") dd if="$n" bs=512 skip=$((place / 512)) count=8 >/dev/null || exit {UNREADABLE}; continue;;
        *) exit {UNREADABLE};;
    esac
    echo "$place.status $status"
    printf '%s\n' "$out" | while IFS= read -r line; do
        case "$line" in
            ID_FS_TYPE=*|ID_FS_LABEL_ENC=*|ID_FS_UUID=*|ID_PART_TABLE_TYPE=*)
                echo "$place.${{line%%=*}} ${{line#*=}}";;
        esac
    done
    for at in {" ".join(map(str, PLACES))}; do
        echo "$place.bytes.$at" $(od -A n -v -t x1 -j $((place + at)) -N {PIECE} -- "$n")
    done
done
"""
