# subfloor with the programs that it calls, and the playbooks that come with it.
{
  lib,
  callPackage,
  python3Packages,
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

  # After what is on the path: on an installer its own nixos-install and mount are to be used.
  makeWrapperArgs = [
    "--suffix"
    "PATH"
    ":"
    (lib.makeBinPath (callPackage ./tools.nix { }))
  ];

  postInstall = ''
    mkdir -p $out/share/subfloor
    cp -r playbooks $out/share/subfloor/
  '';

  pythonImportsCheck = [
    "subfloor"
    "subfloor_plugins"
  ];

  # The tests want root, loop devices and virtual machines.
  doCheck = false;

  meta = {
    description = "Idempotent task runner that prepares a machine's disks for an operating system";
    license = lib.licenses.mit;
    mainProgram = "subfloor";
    platforms = lib.platforms.linux;
  };
}
