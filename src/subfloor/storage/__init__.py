"""What disks are made of: names, sizes, tables, alignment, filesystems. Pure arithmetic, tables and text."""
