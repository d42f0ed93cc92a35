# subfloor, the programs that it calls, and its playbooks.
{
  lib,
  callPackage,
  OVMF,
  pkgsStatic,
  python3Packages,
  qemu_kvm,
}:
python3Packages.buildPythonApplication {
  pname = "subfloor";
  inherit ((builtins.fromTOML (builtins.readFile ../pyproject.toml)).project) version;
  pyproject = true;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../LICENSE
      ../README.md
      ../playbooks
      ../plugins
      ../pyproject.toml
      ../src
    ];
  };

  build-system = [ python3Packages.setuptools ];

  dependencies = [
    python3Packages.click
    python3Packages.jinja2
    python3Packages.jsonschema
    python3Packages.pluggy
    python3Packages.pyyaml
  ];

  # Appended to PATH, so that an installer's own nixos-install and mount are used.
  makeWrapperArgs = [
    "--suffix"
    "PATH"
    ":"
    (lib.makeBinPath (callPackage ../src/subfloor/nixos/installed/tools.nix { } ++ [ qemu_kvm ]))
    # For `subfloor rehearse`. The guest starts from a busybox that needs no libraries. It is not on the path,
    # because it would hide that programs are missing.
    "--set-default"
    "SUBFLOOR_BUSYBOX"
    "${pkgsStatic.busybox}/bin/busybox"
    "--set-default"
    "SUBFLOOR_OVMF"
    "${OVMF.fd}/FV"
  ];

  postInstall = ''
    mkdir -p $out/share/subfloor
    cp -r playbooks $out/share/subfloor/
  '';

  pythonImportsCheck = [
    "subfloor"
    "subfloor_plugins"
  ];

  # The tests need root, loop devices and virtual machines.
  doCheck = false;

  meta = {
    description = "Idempotent task runner that prepares a machine's disks for an operating system";
    license = lib.licenses.mit;
    mainProgram = "subfloor";
    platforms = lib.platforms.linux;
  };
}
