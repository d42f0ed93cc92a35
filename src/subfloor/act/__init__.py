"""Work on hosts: the shell, locks, looks, the execution of steps, and the guards around them."""
