"""Device names, sizes, partition tables, alignment and filesystems: pure computation, no I/O."""
