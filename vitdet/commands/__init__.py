"""The arguments of each command, and what it calls; heavy imports wait until a command runs."""
