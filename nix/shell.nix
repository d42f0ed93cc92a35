# A shell to work on subfloor: its Python packages, the programs that it calls, and those that its tests call.
{
  callPackage,
  busybox,
  gnumake,
  gptfdisk,
  kmod,
  lvm2,
  mdadm,
  mkShell,
  mtools,
  mypy,
  nix,
  parted,
  procps,
  python3,
  qemu,
  ruff,
  strace,
}:
mkShell {
  packages = callPackage ../src/subfloor/nixos/installed/tools.nix { } ++ [
    (python3.withPackages (
      packages: with packages; [
        ansible-core
        click
        hypothesis
        jinja2
        jsonschema
        mkdocs-material
        pluggy
        pytest
        pytest-testinfra
        pytest-timeout
        pytest-xdist
        pyyaml
        types-jsonschema
        types-pyyaml
      ]
    ))
    busybox
    gnumake
    gptfdisk
    kmod
    lvm2
    mdadm
    mtools
    mypy
    nix
    parted
    procps
    qemu
    ruff
    strace
  ];
}
