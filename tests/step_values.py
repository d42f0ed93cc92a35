"""Machines, written down in a few lines of YAML: what the cases in tests/steps are given.

Every key names a subject, with defaults for all that a case does not care about:

    memory: 8GiB
    disk /dev/vda:                        # 30 GiB and blank; `absent` where there is no such disk
      size: 30GiB                       # or `none`, as of a drive without a medium
      table: ours                         # or a label-id, or {id, length, damage: […]}, or {type: dos, partitions: 2}
      partitions:                         # one after another from 1 MiB on, ours, of type linux, known to the kernel
        - {name: ESP, type: esp, size: 512MiB, holds: vfat boot}   # a type, a label, and our UUID
        - {name: nix.unfinished, size: 8GiB}
    mount /mnt: tmpfs                     # source, type, options; a list where mounts are stacked; `none`
    mount /mnt/nix: /dev/vda3 ext4 noatime
    path /mnt/nix: directory              # or `file 0644 root:root`, `absent`, `link`, `unseen`
    path /mnt/b: real /elsewhere          # behind a symbolic link; or `under /file`, where a file is in the way
    text /mnt/etc/x: "what the file says" # or {absent: true}
    swap /dev/vda2: active 5              # or `none`
    tag LABEL=data: [/dev/vdb1 ext4]
    filesystem /mnt/x: {at: /mnt, source: tmpfs, type: tmpfs, root: /}   # else told from the mounts
    hidden /mnt/x < /mnt/nix/x: {missing: […], different: […]}
    condition test -e x: true             # what the condition of a `command` says
    exists /mnt/x: true                   # or `unseen`
    "configuration": _configuration,
    "installed": _installed,
    "leftovers": _leftovers,
