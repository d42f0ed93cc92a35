# Compare this machine with its playbook from time to time: `services.subfloor.drift.enable = true;`.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.subfloor;
  drift = cfg.drift;
  reports = [ "/var/lib/subfloor/drift.json" ] ++ lib.optional (drift.metrics != null) drift.metrics;
  playbook = lib.optional (drift.playbook != null) (toString drift.playbook);
  written = lib.concatMap (file: [
    "--report"
    file
  ]) reports;
in
{
  options.services.subfloor = {
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.subfloor;
      defaultText = lib.literalExpression "pkgs.subfloor";
      description = "The package of subfloor.";
    };

    drift = {
      enable = lib.mkEnableOption "a regular check of this machine against its playbook";

      playbook = lib.mkOption {
        type = lib.types.nullOr (lib.types.either lib.types.path lib.types.str);
        default = null;
        example = "/etc/subfloor/data-disk.yml";
        description = "The playbook. null: the one that this machine was installed from, with its variables.";
      };

      arguments = lib.mkOption {
        type = lib.types.listOf lib.types.str;
        default = [ ];
        example = [
          "-e"
          "disk=/dev/disk/by-id/nvme-example"
        ];
        description = "More arguments of `subfloor check`. Everybody can read them, so they must hold no secret.";
      };

      startAt = lib.mkOption {
        type = lib.types.str;
        default = "daily";
        example = "hourly";
        description = "When to check, as systemd.time(7) describes.";
      };

      acceptRepairable = lib.mkOption {
        type = lib.types.bool;
        default = false;
        description = "Whether drift that apply repairs in place (exit status 2) counts as success.";
      };

      metrics = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "/var/lib/node_exporter/subfloor.prom";
        description = "A file for metrics, for the textfile collector of Prometheus' node exporter; it ends in `.prom`.";
      };
    };
  };

  config = lib.mkIf drift.enable {
    assertions = [
      {
        assertion = drift.metrics == null || lib.hasSuffix ".prom" drift.metrics;
        message = "services.subfloor.drift.metrics must end in .prom: the end of the name chooses the format";
      }
    ];

    environment.systemPackages = [ cfg.package ];

    systemd.services.subfloor-drift = {
      description = "Compare this machine with its playbook";
      # A machine that is still being started is not in sync yet.
      after = [ "multi-user.target" ];
      startAt = drift.startAt;
      serviceConfig = {
        Type = "oneshot";
        ExecStart = utils.escapeSystemdExecArgs ([ (lib.getExe cfg.package) "check" ] ++ playbook ++ drift.arguments ++ written);
        StateDirectory = "subfloor";
        # Reports name disks, users and paths.
        StateDirectoryMode = "0750";
        # Without a terminal and at low priority, since nobody waits for it.
        StandardInput = "null";
        Nice = 10;
        IOSchedulingClass = "idle";
      } // lib.optionalAttrs drift.acceptRepairable { SuccessExitStatus = "2"; };
    };

    # A machine that was off at the time is checked when it is on again.
    systemd.timers.subfloor-drift.timerConfig = {
      Persistent = true;
      RandomizedDelaySec = "10m";
    };
  };
}
