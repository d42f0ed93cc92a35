"""Everything that touches a host: the shell, locks, looks, the steps that apply takes, and the guards around them."""
