# subfloor from its wheel, with the programs that it calls. `recorded`: where this machine's own playbook is.
{
  lib,
  callPackage,
  python3Packages,
  version,
  wheel,
  recorded,
}:
python3Packages.buildPythonApplication {
  pname = "subfloor";
  inherit version;
  format = "wheel";
  src = wheel;

  dependencies = [
    python3Packages.click
    python3Packages.jinja2
    python3Packages.jsonschema
    python3Packages.pluggy
    python3Packages.pyyaml
  ];

  makeWrapperArgs = [
    "--suffix"
    "PATH"
    ":"
    (lib.makeBinPath (callPackage ./tools.nix { }))
    "--set-default"
    "SUBFLOOR_RECORDED"
    recorded
  ];

  pythonImportsCheck = [
    "subfloor"
    "subfloor_plugins"
  ];

  meta.mainProgram = "subfloor";
}
